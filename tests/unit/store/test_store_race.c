/*
 * Several processes at work on one mailbox, each in another way, while files also come as other software
 * delivers them. Afterwards: no mail lost, none twice, UIDs unique, ascending, and never two mails under
 * one UID as any of the processes saw it.
 */
#include "tests/support/t.h"

#include <sys/wait.h>

#include "lib/store/store_box.h"
#include "lib/store/store_save.h"
#include "lib/sys/rand.h"
#include "tests/unit/store/box_fixture.h"

#define WORKERS 4
#define ROUNDS  25

static struct store *store;
static struct store_account *account;
static char root[600];

static int open_account(void)
{
	char mail[700];
	struct err e = ERR_INIT;
	(void)snprintf(mail, sizeof(mail), "maildir:%s", root);
	store = store_new(&(struct store_options){ .host = "h", .lock_timeout_ms = 60000 });
	struct store_account_def def = {
		.owner = SV("a@b"), .home = SV("/"), .mail = sv_z(mail), .uid = (uid_t)-1
	};
	return store_account_open(store, &def, &account, &e);
}

static void close_account(void)
{
	store_account_close(account);
	store_free(store);
}

static bool complain(const char *what, const struct err *e)
{
	(void)fprintf(stderr, "%s: %s\n", what, e->text);
	return false;
}

static bool append(int worker, int round)
{
	struct store_append *ap;
	struct err e = ERR_INIT;
	uint32_t validity, uid;
	char text[100];
	(void)snprintf(text, sizeof(text), "X-Mail: a%d.%d\r\n\r\nbody\r\n", worker, round);
	struct store_append_meta m = { .flags = round % 2 ? STORE_SEEN : 0 };
	if (store_append_begin(account, store_inbox(), &ap, &e) != 1 ||
	        store_append_write(ap, sv_z(text), &e) != 1 ||
	        store_append_commit(ap, &m, &validity, &uid, &e) != 1)
		return complain("append", &e);
	return true;
}

/* As another MDA does it, without our locks. */
static bool drop(int worker, int round)
{
	char tmp[700], new[700];
	(void)snprintf(tmp, sizeof(tmp), "%s/tmp/17%d.w%d.r%d", root, round, worker, round);
	(void)snprintf(new, sizeof(new), "%s/new/17%d.w%d.r%d", root, round, worker, round);
	FILE *fp = fopen(tmp, "w");
	if (!fp)
		return false;
	(void)fprintf(fp, "X-Mail: d%d.%d\n\nbody\n", worker, round);
	(void)fclose(fp);
	return rename(tmp, new) == 0;
}

/* What this process saw under each UID must stay the same mail. */
static char seen[4000][24];

static bool check_view(struct store_box *b)
{
	struct err e = ERR_INIT;
	for (size_t i = 0; i < store_box_count(b); i++) {
		const struct store_msg *m = store_box_msg(b, i);
		struct store_content c;
		char text[100] = "", id[24] = "";
		if (i > 0 && m->uid <= store_box_msg(b, i - 1)->uid)
			return complain("UIDs do not ascend", &e);
		int rc = m->gone ? 0 : store_box_content(b, i, &c, &e);
		if (rc < 0)
			return complain("content", &e);
		if (rc == 0)
			continue;
		(void)!pread(c.fd, text, sizeof(text) - 1, 0);
		close(c.fd);
		(void)sscanf(text, "X-Mail: %20s", id);
		if (m->uid >= ARRAY_LEN(seen) || (seen[m->uid][0] && strcmp(seen[m->uid], id) != 0))
			return complain("a UID names another mail than before", &e);
		(void)snprintf(seen[m->uid], sizeof(seen[0]), "%s", id);
	}
	return true;
}

static bool work(int worker)
{
	struct store_box *b = NULL;
	struct store_events ev;
	struct err e = ERR_INIT;
	bool good = open_account() == 1;
	store_events_init(&ev);
	if (!good || store_box_open(account, store_inbox(), STORE_BOX_WRITE, &b, &e) != 1)
		return complain("open", &e);
	for (int round = 0; round < ROUNDS && good; round++) {
		good = worker % 2 ? append(worker, round) : drop(worker, round);
		if (good && store_box_refresh(b, rand_u64() % 2, &ev, &e) != 1)
			good = complain("refresh", &e);
		for (size_t i = 0; i < ev.n; i++)
			if (ev.v[i].kind == STORE_EV_LOST)
				good = complain("UIDVALIDITY changed", &e);
		ev.n = 0;
		size_t n = store_box_count(b), at = n ? rand_u64() % n : 0;
		struct store_flag_change c = { rand_u64() % 2 ? STORE_FLAGS_ADD
			                                      : STORE_FLAGS_REMOVE,
			STORE_FLAGGED, NULL, 0 };
		if (good && n && store_box_flags(b, &at, 1, &c, &e) < 0)
			good = complain("flags", &e);
		/* every fifth mail of the first workers goes again */
		if (good && n && round % 5 == 4 && store_box_expunge(b, &at, 1, &e) < 0)
			good = complain("expunge", &e);
		good = good && check_view(b);
	}
	store_box_close(b);
	store_events_free(&ev);
	close_account();
	return good;
}

static void test_race(void **state)
{
	(void)state;
	struct fixture f;
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	fixture_make(&f);
	(void)snprintf(root, sizeof(root), "%s", f.root);
	pid_t pids[WORKERS];
	for (int w = 0; w < WORKERS; w++) {
		pids[w] = fork();
		if (pids[w] == 0)
			_exit(work(w) ? 0 : 1);
	}
	for (int w = 0; w < WORKERS; w++) {
		int status = 0;
		assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(open_account(), 1);
	struct store_box *b = NULL;
	struct err e = ERR_INIT;
	assert_int_equal(store_box_open(account, store_inbox(), STORE_BOX_WRITE, &b, &e), 1);
	assert_true(check_view(b));
	size_t n = store_box_count(b);
	/* at most one expunge in five rounds each; two may have met on one mail */
	assert_true(n <= WORKERS * ROUNDS && n >= WORKERS * ROUNDS - WORKERS * (ROUNDS / 5));
	for (uint32_t i = 1; i < ARRAY_LEN(seen); i++) /* no mail under two UIDs */
		for (uint32_t k = i + 1; k < ARRAY_LEN(seen) && seen[i][0]; k++)
			assert_true(!seen[k][0] || strcmp(seen[i], seen[k]) != 0);
	store_box_close(b);
	close_account();
	assert_int_equal(fixture_count(&f, "tmp"), 0);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_race) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
