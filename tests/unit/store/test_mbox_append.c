/* Unit test of lib/store/mbox_append.c and mbox_open.c: whole or not at all, by Postfix's rules. */
#include "tests/support/t.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/store/mbox_append.h"
#include "tests/support/tmpdir.h"

#define HEAD  "From x@y  Sun Nov 22 08:05:00 2026\nReturn-Path: <x@y>\n"
#define BODY  "Subject: s\n\nFrom here\nlast"
#define WHOLE HEAD "Subject: s\n\n>From here\nlast\n\n"

static char *dir;

static const char *in_dir(const char *name)
{
	static char path[4][400];
	static unsigned n;
	char *p = path[n++ % 4];
	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");
	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
	assert_int_equal(chmod(in_dir(name), 0600), 0);
}

static const char *get(const char *name)
{
	static char text[100000];
	FILE *f = fopen(in_dir(name), "r");
	if (!f)
		return "(none)";
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return text;
}

static bool there(const char *name)
{
	struct stat st;
	return lstat(in_dir(name), &st) == 0;
}

static struct mbox_rules rules(void)
{
	return (struct mbox_rules){ .uid = geteuid(),
		.locks = MBOX_LOCK_FCNTL | MBOX_LOCK_DOT,
		.attempts = 3,
		.pause_ms = 20,
		.stale_s = 500 };
}

static int body_fd(const char *body)
{
	put("queue", body);
	int fd = open(in_dir("queue"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static enum mbox_result append_by(const char *path, const struct mbox_rules *r, uint64_t key, struct err *e)
{
	struct mbox_mail mail = { .head = SV(HEAD), .fd = body_fd(BODY), .size = strlen(BODY), .key = { key, 7 } };
	*e = (struct err)ERR_INIT;
	enum mbox_result rc = mbox_append(path, r, &mail, e);
	close(mail.fd);
	return rc;
}

static enum mbox_result append(const char *name, struct err *e)
{
	struct mbox_rules r = rules();
	return append_by(in_dir(name), &r, 1, e);
}

static void mails_follow_each_other(UNUSED void **state)
{
	struct err e;
	struct stat st;
	assert_int_equal(append("new", &e), MBOX_WRITTEN);
	assert_string_equal(get("new"), WHOLE);
	assert_int_equal(stat(in_dir("new"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(append("new", &e), MBOX_WRITTEN);
	assert_string_equal(get("new"), WHOLE WHOLE);
	assert_false(there("new.lock") || there("new.append"));
}

/* What another program left without a line end does not swallow the start of our mail. */
static void a_gap_is_filled(UNUSED void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = { { "", WHOLE }, { "x\n\n", "x\n\n" WHOLE }, { "x\n", "x\n\n" WHOLE }, { "x", "x\n\n" WHOLE },
		{ "\n", "\n" WHOLE } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		put("gap", cases[i].before);
		assert_int_equal(append("gap", &e), MBOX_WRITTEN);
		assert_string_equal(get("gap"), cases[i].after);
	}
}

static void files_that_are_refused(UNUSED void **state)
{
	struct err e;
	put("real", "old\n\n");
	put("exec", "#!/bin/sh\n");
	put("twice", "x");
	assert_int_equal(chmod(in_dir("exec"), 0700), 0);
	assert_int_equal(link(in_dir("twice"), in_dir("second")), 0);
	assert_int_equal(symlink(in_dir("real"), in_dir("link")), 0);
	assert_int_equal(symlink(in_dir("nowhere"), in_dir("dangling")), 0);
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(mkdir(in_dir("folder"), 0700), 0);
	assert_int_equal(chmod(dir, 0777), 0); /* a link of root counts where only root can write */
	static const struct {
		const char *name, *why;
	} cases[] = { { "exec", "may be executed" }, { "twice", "hard links" }, { "second", "hard links" },
		{ "link", "symbolic link" }, { "dangling", "symbolic link" }, { "fifo", "not a regular file" },
		{ "folder", "is a directory" } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		t_case(cases[i].name);
		assert_int_equal(append(cases[i].name, &e), MBOX_REFUSED);
		assert_int_equal(e.cls, ERR_CONFIG);
		assert_non_null(strstr(e.text, cases[i].why));
		assert_non_null(strstr(e.text, cases[i].name));
	}
	assert_false(there("nowhere"));
	assert_string_equal(get("real"), "old\n\n");
	struct mbox_rules r = rules();
	r.uid += 1;
	assert_int_equal(append_by(in_dir("real"), &r, 1, &e), MBOX_REFUSED);
	assert_non_null(strstr(e.text, "belongs to uid"));
	assert_int_equal(append_by("relative", &r, 1, &e), MBOX_REFUSED);
	assert_int_equal(append("gone/file", &e), MBOX_TROUBLE);
	assert_int_equal(e.sys_errno, ENOENT);
	assert_int_equal(chmod(dir, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(append("link", &e), MBOX_WRITTEN);
		assert_string_equal(get("real"), "old\n\n" WHOLE);
	}
}

static void dev_null_takes_everything(UNUSED void **state)
{
	struct err e;
	struct mbox_rules r = rules();
	assert_int_equal(append_by("/dev/null", &r, 1, &e), MBOX_WRITTEN);
	assert_int_equal(access("/dev/null.lock", F_OK), -1);
}

static void a_limit_holds(UNUSED void **state)
{
	struct err e;
	struct mbox_rules r = rules();
	put("limit", "x\n\n");
	r.size_limit = (int64_t)strlen("x\n\n" WHOLE) - 1;
	assert_int_equal(append_by(in_dir("limit"), &r, 1, &e), MBOX_FULL);
	assert_string_equal(get("limit"), "x\n\n");
	r.size_limit++;
	assert_int_equal(append_by(in_dir("limit"), &r, 1, &e), MBOX_WRITTEN);
}

/* --- locks -------------------------------------------------------------------------------------- */

static void others_locks_are_waited_for(UNUSED void **state)
{
	struct err e;
	struct mbox_rules r = rules();
	char text[100];
	put("locked", "");
	int fd = open(in_dir("locked"), O_RDWR | O_CLOEXEC);
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &all), 0);
	assert_int_equal(append("locked", &e), MBOX_TROUBLE);
	assert_int_equal(e.sys_errno, ETIMEDOUT);
	all.l_type = F_UNLCK;
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &all), 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(append("locked", &e), MBOX_WRITTEN); /* nobody asked for flock */
	r.locks = MBOX_LOCK_FLOCK;
	assert_int_equal(append_by(in_dir("locked"), &r, 1, &e), MBOX_TROUBLE);
	close(fd);
	assert_int_equal(append_by(in_dir("locked"), &r, 1, &e), MBOX_WRITTEN);
	/* somebody alive */
	snprintf(text, sizeof(text), "%d:elsewhere.example", getpid());
	put("locked.lock", text);
	assert_int_equal(append("locked", &e), MBOX_TROUBLE);
	assert_int_equal(e.sys_errno, ETIMEDOUT);
	assert_string_equal(get("locked.lock"), text);
	assert_int_equal(append_by(in_dir("locked"), &r, 1, &e), MBOX_WRITTEN); /* nobody asked for dotlock */
	assert_int_equal(unlink(in_dir("locked.lock")), 0);
	assert_string_equal(get("locked"), WHOLE WHOLE WHOLE);
}

/* --- after a kill ------------------------------------------------------------------------------- */

/* '#' stands for the hash of the From_ line of HEAD */
#define JOURNAL(length, total, key) length " " total " " key " 7 35 #\n"

static const struct {
	const char *file, *journal;
	enum mbox_result result;
	const char *after;
} kills[] = {
	/* nothing written, a part, and all but the last octet */
	{ "old\n\n", JOURNAL("5", "83", "1"), MBOX_WRITTEN, "old\n\n" WHOLE },
	{ "old\n\nFro", JOURNAL("5", "83", "1"), MBOX_WRITTEN, "old\n\n" WHOLE },
	{ "old\n\n" HEAD "Subj", JOURNAL("5", "83", "9"), MBOX_WRITTEN, "old\n\n" WHOLE },
	{ "old\n\n" HEAD "Subject: s\n\n>From here\nlast\n", JOURNAL("5", "83", "1"), MBOX_WRITTEN, "old\n\n" WHOLE },
	/* whole: the same mail is done, another one comes behind it */
	{ "old\n\n" WHOLE, JOURNAL("5", "83", "1"), MBOX_WRITTEN_BEFORE, "old\n\n" WHOLE },
	{ "old\n\n" WHOLE "From b\n\nb\n\n", JOURNAL("5", "83", "1"), MBOX_WRITTEN_BEFORE,
		"old\n\n" WHOLE "From b\n\nb\n\n" },
	{ "old\n\n" WHOLE, JOURNAL("5", "83", "9"), MBOX_WRITTEN, "old\n\n" WHOLE WHOLE },
	/* somebody else wrote behind a part, or instead of it: nothing is cut off */
	{ "old\n\n" HEAD "S\n\nFrom b\nb\n\n", JOURNAL("5", "83", "1"), MBOX_WRITTEN,
		"old\n\n" HEAD "S\n\nFrom b\nb\n\n" WHOLE },
	{ "old\n\nFrom b\nb\n\n", JOURNAL("5", "83", "1"), MBOX_WRITTEN, "old\n\nFrom b\nb\n\n" WHOLE },
	/* the file is shorter now; the journal itself was cut short, or is nonsense */
	{ "ol", JOURNAL("5", "83", "1"), MBOX_WRITTEN, "ol\n\n" WHOLE },
	{ "old\n\nFrom", "5 83", MBOX_WRITTEN, "old\n\nFrom\n\n" WHOLE },
	{ "old\n\n", "5 83 1 7 35 6", MBOX_WRITTEN, "old\n\n" WHOLE },
	{ "old\n\n", "", MBOX_WRITTEN, "old\n\n" WHOLE },
	{ "old\n\n", "99999999999999999999 1 1 1 1 1\n", MBOX_WRITTEN, "old\n\n" WHOLE },
	{ "old\n\n", "5 83 1 7 35 6 8\n", MBOX_WRITTEN, "old\n\n" WHOLE },
};

static void put_journal(const char *name, const char *text)
{
	const char *at = strchr(text, '#');
	struct sv from = SV("From x@y  Sun Nov 22 08:05:00 2026\n");
	char whole[300];
	assert_int_equal(from.len, 35);
	(void)snprintf(whole, sizeof(whole), "%.*s%" PRIu64 "%s", (int)(at ? at - text : (ptrdiff_t)strlen(text)), text,
		at ? store_note_hash(from) : 0, at ? at + 1 : "");
	put(name, at ? whole : text);
}

static void a_kill_leaves_no_part(UNUSED void **state)
{
	assert_int_equal(strlen(WHOLE), 83);
	for (size_t i = 0; i < ARRAY_LEN(kills); i++) {
		struct err e;
		t_case(kills[i].file);
		put("killed", kills[i].file);
		put_journal("killed.append", kills[i].journal);
		assert_int_equal(append("killed", &e), kills[i].result);
		assert_string_equal(get("killed"), kills[i].after);
		assert_false(there("killed.append") || there("killed.lock"));
	}
}

#ifdef MERPATI_FAULTS
#define FAULT                                      \
	"*:write:*/full1:1:ENOSPC,"                \
	"*:write:*/full2:2:ENOSPC,"                \
	"*:fdatasync:*/sync:1:EIO,"                \
	"*:ftruncate:*/stuck:1:EIO,"               \
	"*:write:*/stuck:2:EIO,"                   \
	"*:pread:*/fails:2:EIO,"                   \
	"*:open:*/nojournal.append:2:EACCES,"      \
	"*:write:*/jfull.append:1:ENOSPC"

static enum mbox_result append_large(const char *name, struct err *e)
{
	static char body[200000];
	memset(body, 'x', sizeof(body) - 1);
	struct mbox_rules r = rules();
	struct mbox_mail mail = { .head = SV(HEAD), .fd = body_fd(body), .size = sizeof(body) - 1, .key = { 1, 7 } };
	*e = (struct err)ERR_INIT;
	enum mbox_result rc = mbox_append(in_dir(name), &r, &mail, e);
	close(mail.fd);
	return rc;
}

static void a_failure_leaves_the_old_length(UNUSED void **state)
{
	static const char *const names[] = { "full1", "full2", "sync" };
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		t_case(names[i]);
		put(names[i], "old\n\n");
		assert_int_equal(append_large(names[i], &e), MBOX_TROUBLE);
		assert_int_equal(e.sys_errno, i < 2 ? ENOSPC : EIO);
		assert_string_equal(get(names[i]), "old\n\n");
		char journal[100];
		snprintf(journal, sizeof(journal), "%s.append", names[i]);
		assert_false(there(journal));
		assert_int_equal(append(names[i], &e), MBOX_WRITTEN);
		assert_string_equal(get(names[i]), "old\n\n" WHOLE);
	}
}

/* What cannot be taken back now is taken back by the next append. */
static void a_part_that_stays_goes_later(UNUSED void **state)
{
	struct err e;
	put("stuck", "old\n\n");
	assert_int_equal(append_large("stuck", &e), MBOX_TROUBLE);
	assert_true(there("stuck.append"));
	assert_int_equal(append("stuck", &e), MBOX_WRITTEN);
	assert_string_equal(get("stuck"), "old\n\n" WHOLE);
	assert_false(there("stuck.append"));
}

static void journals_that_cannot_be(UNUSED void **state)
{
	struct err e;
	/* not allowed: as without */
	assert_int_equal(append("nojournal", &e), MBOX_WRITTEN);
	assert_string_equal(get("nojournal"), WHOLE);
	/* no room: nothing is begun */
	assert_int_equal(append("jfull", &e), MBOX_TROUBLE);
	assert_int_equal(e.sys_errno, ENOSPC);
	assert_string_equal(get("jfull"), "");
	assert_false(there("jfull.append"));
}
#endif

static int set_up(UNUSED void **state)
{
	dir = tmpdir_new();
	return 0;
}

static int tear_down(UNUSED void **state)
{
	tmpdir_remove(dir);
	return 0;
}

int main(void)
{
#ifdef MERPATI_FAULTS
	(void)setenv("MERPATI_FAULT", FAULT, 1);
#endif
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mails_follow_each_other),
		cmocka_unit_test(a_gap_is_filled),
		cmocka_unit_test(files_that_are_refused),
		cmocka_unit_test(dev_null_takes_everything),
		cmocka_unit_test(a_limit_holds),
		cmocka_unit_test(others_locks_are_waited_for),
		cmocka_unit_test(a_kill_leaves_no_part),
#ifdef MERPATI_FAULTS
		cmocka_unit_test(a_failure_leaves_the_old_length),
		cmocka_unit_test(a_part_that_stays_goes_later),
		cmocka_unit_test(journals_that_cannot_be),
#endif
	};
	return cmocka_run_group_tests_name("mbox_append", tests, set_up, tear_down);
}
