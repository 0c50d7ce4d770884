/* Unit test of lib/server/layout.c: what is wrong is found and the command that mends it named. As root. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/server/layout.h"
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

static char *dir;

static const char *in_dir(const char *name)
{
	static char path[300];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static struct layout_item item(const char *name, enum layout_kind kind, uid_t uid, mode_t mode)
{
	return (struct layout_item){ .path = in_dir(name), .part = LAYOUT_QUEUE, .kind = kind, .uid = uid,
		.gid = uid == geteuid() ? getegid() : uid, .user = "someone", .group = "some", .mode = mode };
}

static const char *finding(const struct layout_item *it, int rc)
{
	static char text[1000];
	struct buf b;
	buf_init(&b, 4096);
	assert_int_equal(layout_look(it, &b), rc);
	snprintf(text, sizeof(text), "%.*s", (int)b.len, b.p ? b.p : "");
	buf_free(&b);
	return text;
}

static void looks_and_makes(UNUSED void **state)
{
	struct err e = ERR_INIT;
	uid_t me = geteuid(), other = me ? me : 65533;
	struct layout_item it = item("queue", LAYOUT_DIR, other, 0710);
	assert_string_equal(finding(&it, 0), "");
	assert_int_equal(layout_make(&it, &e), 0);
	assert_string_equal(finding(&it, 1), "");
	assert_int_equal(layout_make(&it, &e), -1); /* what is there is never changed */
	assert_int_equal(e.sys_errno, EEXIST);
	assert_int_equal(chmod(in_dir("queue"), 0770), 0);
	assert_non_null(strstr(finding(&it, -1), ": chmod 0710 "));
	assert_int_equal(chmod(in_dir("queue"), 01710), 0);
	assert_non_null(strstr(finding(&it, -1), "mode 1710"));
	it = item("queue", LAYOUT_DIR, 65534, 0710);
	assert_non_null(strstr(finding(&it, -1), ": chown someone:some "));
	assert_non_null(strstr(finding(&it, -1), " && chmod 0710 "));
	it = item("queue", LAYOUT_FILE, other, 0644);
	assert_non_null(strstr(finding(&it, -1), "is not a plain file"));
	it = item("absent", LAYOUT_OPTIONAL, other, 0644);
	assert_string_equal(finding(&it, 1), "");
	it = item("absent", LAYOUT_FILE, other, 0644);
	assert_string_equal(finding(&it, 0), "");
	assert_int_equal(layout_make(&it, &e), -1);
	assert_int_equal(symlink("queue", in_dir("link")), 0);
	it = item("link", LAYOUT_DIR, other, 0710);
	assert_non_null(strstr(finding(&it, -1), "is not a directory"));
	assert_int_equal(unlink(in_dir("link")), 0);
	assert_int_equal(rmdir(in_dir("queue")), 0);
	/* a command that mends a set-gid file gives it the bit back */
	FILE *f = fopen(in_dir("postdrop"), "w");
	assert_non_null(f);
	fclose(f);
	it = item("postdrop", LAYOUT_FILE, 65534, 02755);
	assert_non_null(strstr(finding(&it, -1), " && chmod 2755 "));
	assert_int_equal(unlink(in_dir("postdrop")), 0);
}

/* What root goes through is root's: none of our accounts can put a link in its way. */
static void root_walks_on_its_own_ground(UNUSED void **state)
{
	struct layout l = { .bases = { "/c", "/d", "/q", "/p", "/log" } };
	struct layout_item it;
	size_t n = 0;
	char paths[8192];
	l.paths = paths;
	for (size_t i = 0; i < RIGHTS_ACCOUNTS; i++)
		l.own.ids[i] = (struct rights_ids){ .uid = 900 + (uid_t)i, .gid = 900 + (gid_t)i };
	l.drop = 950;
	for (; layout_item(&l, n, &it); n++) {
		t_case(it.path);
		bool roots = it.uid == 0;
		bool sockets = sv_starts(sv_z(it.path), SV("/q/p")) && !sv_eqz(sv_z(it.path), "/q/partial");
		if (sv_eqz(sv_z(it.path), "/q") || sockets || it.part == LAYOUT_CONFIG ||
			sv_eqz(sv_z(it.path), "/q/empty"))
			assert_true(roots && (it.mode & 022) == 0);
		/* nobody outside reads mail */
		if (it.part == LAYOUT_QUEUE && !roots)
			assert_true((it.mode & 07) == 0);
	}
	assert_true(n > 20);
}

static int setup(UNUSED void **state)
{
	dir = tmpdir_new();
	return 0;
}

static int teardown(UNUSED void **state)
{
	tmpdir_remove(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_and_makes),
		cmocka_unit_test(root_walks_on_its_own_ground),
	};
	return cmocka_run_group_tests_name("layout", tests, setup, teardown);
}
