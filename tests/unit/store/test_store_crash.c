/*
 * Crash test of lib/store: the same steps again and again in a child process, each time with a fault at
 * another system call (killed, or told EIO or ENOSPC); then a fresh process looks at what is left.
 *
 *   delivery   after an error or a kill it is tried again with the key looked up: one mail, whole
 *   append     answered OK: there, whole; not answered: there whole, or not at all
 *   copy/move  answered: all there; never in neither place
 *   UIDs       ascend, none is given twice, no shown one changes
 */
#include "tests/support/t.h"

#include <sys/wait.h>

#include "lib/store/store_box.h"
#include "lib/store/store_save.h"
#include "tests/unit/store/box_fixture.h"

#define BODY "Subject: s\n\nbody\n"

enum answer { ANSWER_OK = 0, ANSWER_ERROR = 1 };

static struct store *store;
static struct store_account *account;

/* Which format the tests, and the children they start, are about. */
static bool in_mbox(void)
{
	return getenv("TEST_IN_MBOX") != NULL;
}

static void open_account(const char *root)
{
	char mail[700];
	if (in_mbox())
		(void)snprintf(mail, sizeof(mail), "mbox:%s/../mail", root);
	else
		(void)snprintf(mail, sizeof(mail), "maildir:%s", root);
	struct err e = ERR_INIT;
	store = store_new(&(struct store_options){ .host = "h", .lock_timeout_ms = 3000 });
	struct store_account_def def = { .owner = SV("a@b"),
		.home = SV("/"),
		.mail = sv_z(mail),
		.uid = getuid(),
		.create = true };
	if (store_account_open(store, &def, &account, &e) != 1)
		_exit(ANSWER_ERROR);
}

static void close_account(void)
{
	store_account_close(account);
	store_free(store);
}

/* --- the steps; each returns what a client would be told ----------------------------------------- */

static enum answer deliver(const char *root, bool again)
{
	char path[600];
	(void)snprintf(path, sizeof(path), "%s/../content", root);
	struct store_delivery d = { .key = store_key_make(1, 2, SV("box")),
		.maybe_before = again,
		.arrival_s = 1700000000,
		.head = SV("Return-Path: <>\n"),
		.fd = open(path, O_RDONLY),
		.size = sizeof(BODY) - 1 };
	enum store_delivered how;
	struct err e = ERR_INIT;
	int rc = store_deliver(account, store_inbox(), &d, &how, &e);
	close(d.fd);
	return rc == 1 ? ANSWER_OK : ANSWER_ERROR;
}

static enum answer append(const char *mailbox)
{
	struct store_append *ap;
	struct err e = ERR_INIT;
	uint32_t validity, uid;
	if (store_append_begin(account, store_mailbox(sv_z(mailbox)), &ap, &e) != 1)
		return ANSWER_ERROR;
	if (store_append_write(ap, SV("Subject: a\r\n\r\nbody\r\n"), &e) != 1) {
		store_append_abort(ap);
		return ANSWER_ERROR;
	}
	struct sv kw = SV("$K");
	struct store_append_meta m = { .flags = STORE_SEEN, .keywords = &kw, .nkeywords = 1 };
	return store_append_commit(ap, &m, &validity, &uid, &e) == 1 ? ANSWER_OK : ANSWER_ERROR;
}

static enum answer transfer(bool move)
{
	struct store_box *b;
	struct err e = ERR_INIT;
	struct store_copied c;
	struct arena a;
	arena_init(&a, 100000);
	enum answer answer = ANSWER_ERROR;
	if (store_box_open(account, store_inbox(), STORE_BOX_WRITE, &b, &e) == 1) {
		size_t all[] = { 0, 1, 2 };
		if (store_box_copy(b, all, store_box_count(b), store_mailbox(SV("To")), move, &a,
		            &c, &e) == 1)
			answer = ANSWER_OK;
		store_box_close(b);
	}
	arena_free(&a);
	return answer;
}

/* --- what is there afterwards ---------------------------------------------------------------------- */

struct found {
	size_t n;
	uint32_t uids[20];
	uint32_t uidvalidity;
	bool whole; /* every mail has all its octets */
};

static void look(const char *mailbox, struct found *out)
{
	struct store_box *b;
	struct err e = ERR_INIT;
	*out = (struct found){ .whole = true };
	int rc = store_box_open(account, store_mailbox(sv_z(mailbox)), STORE_BOX_WRITE, &b, &e);
	if (rc != 1)
		print_error("open %s: %d %s\n", mailbox, rc, e.text);
	assert_int_equal(rc, 1);
	out->n = store_box_count(b);
	out->uidvalidity = store_box_uidvalidity(b);
	for (size_t i = 0; i < out->n && i < ARRAY_LEN(out->uids); i++) {
		struct store_content c;
		char text[200] = "";
		out->uids[i] = store_box_msg(b, i)->uid;
		assert_int_equal(store_box_content(b, i, &c, &e), 1);
		ssize_t n = pread(c.fd, text, sizeof(text) - 1, 0);
		close(c.fd);
		out->whole &=
		        n > 5 && (uint64_t)n == c.size && memcmp(text + n - 5, "body\n", 5) == 0;
		assert_true(i == 0 || out->uids[i] > out->uids[i - 1]);
		assert_true(out->uids[i] < store_box_uidnext(b));
	}
	store_box_close(b);
}

/* --- one run with a fault ------------------------------------------------------------------------------ */

struct run {
	bool killed, fired;
	enum answer answer;
};

/* Run STEP in a child whose N-th system call of kind CALL fails by ACTION. */
static struct run with_fault(
        const char *root, const char *call, int n, const char *action, const char *step)
{
	char plan[100], report[700];
	(void)snprintf(plan, sizeof(plan), "*:%s:%d:%s", call, n, action);
	(void)snprintf(report, sizeof(report), "%s/../report", root);
	(void)unlink(report);
	pid_t pid = fork();
	if (pid == 0) {
		(void)setenv("MERPATI_FAULT", plan, 1);
		(void)setenv("MERPATI_FAULT_REPORT", report, 1);
		/* a fresh process: the plan is read once, at its start */
		(void)execl("/proc/self/exe", "test_store_crash", step, root, (char *)NULL);
		_exit(99);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	struct run r = { .killed = WIFSIGNALED(status) };
	r.answer = r.killed || WEXITSTATUS(status) != 0 ? ANSWER_ERROR : ANSWER_OK;
	FILE *fp = fopen(report, "r");
	char line[600];
	while (fp && fgets(line, sizeof(line), fp))
		r.fired |= strstr(line, "FIRED") != NULL;
	if (fp)
		(void)fclose(fp);
	return r;
}

static const char *const calls[] = { "open", "write", "pwrite", "fsync", "fdatasync", "rename",
	"link", "unlink", "mkdir", "stat", "pread", "ftruncate" };
/* Does the call ever fail so? A disk gets full only where something is made or grows. */
static bool apt(const char *call, const char *action)
{
	static const char *const growing[] = { "open", "write", "pwrite", "rename", "link",
		"mkdir", "ftruncate" };
	if (strcmp(action, "ENOSPC") != 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(growing); i++)
		if (strcmp(growing[i], call) == 0)
			return true;
	return false;
}

#ifdef MERPATI_SANITIZED
#define STEP 3 /* processes start slowly: a third of the faults */
#else
#define STEP 1
#endif

static const char *const actions[] = { "KILL", "EIO", "ENOSPC" };

/* For each call, action and n until the fault no longer fires: make, run, CHECK. */
static void sweep(void (*prepare)(const char *root), const char *step,
        void (*check)(const char *root, const struct run *r))
{
	size_t fired = 0;
#ifndef MERPATI_FAULTS
	skip(); /* release builds have no faults to plan */
#endif
	for (size_t c = 0; c < ARRAY_LEN(calls); c++)
		for (size_t a = 0; a < ARRAY_LEN(actions); a++)
			for (int n = 1; n < 60 && apt(calls[c], actions[a]); n += STEP) {
				struct fixture f;
				char what[100];
				fixture_make(&f);
				fixture_put(&f, "../content", BODY);
				(void)snprintf(
				        what, sizeof(what), "%s:%d:%s", calls[c], n, actions[a]);
				t_case(what);
				prepare(f.root);
				struct run r = with_fault(f.root, calls[c], n, actions[a], step);
				if (r.fired) {
					fired++;
					open_account(f.root);
					check(f.root, &r);
					close_account();
				}
				fixture_free(&f);
				if (!r.fired)
					break;
			}
	print_message("%zu faults fired\n", fired);
	assert_true(fired > 20);
}

static void nothing(const char *root)
{
	(void)root;
}

static enum answer deliver_step(const char *root)
{
	return deliver(root, false);
}

static void deliver_check(const char *root, const struct run *r)
{
	struct found f;
	if (r->answer !=
	        ANSWER_OK) /* what qmgr does: once more, and the key is looked up after a crash */
		assert_int_equal(deliver(root, r->killed), ANSWER_OK);
	look("INBOX", &f);
	assert_int_equal(f.n, 1);
	assert_true(f.whole);
}

static void test_deliver(void **state)
{
	(void)state;
	sweep(nothing, "deliver", deliver_check);
}

static void one_mail(const char *root)
{
	open_account(root);
	assert_int_equal(append("INBOX"), ANSWER_OK);
	close_account();
}

static enum answer append_step(const char *root)
{
	(void)root;
	return append("INBOX");
}

static void append_check(const char *root, const struct run *r)
{
	struct found f;
	(void)root;
	look("INBOX", &f);
	assert_true(f.whole);
	assert_int_equal(f.uids[0], 1); /* the mail that was shown before keeps its UID */
	if (r->answer == ANSWER_OK)
		assert_int_equal(f.n, 2);
	else
		assert_true(f.n == 1 || (f.n == 2 && r->killed));
	assert_int_equal(append("INBOX"), ANSWER_OK);
	size_t before = f.n;
	look("INBOX", &f);
	assert_int_equal(f.n, before + 1);
}

static void test_append(void **state)
{
	(void)state;
	sweep(one_mail, "append", append_check);
}

static void three_mails(const char *root)
{
	struct err e = ERR_INIT;
	open_account(root);
	assert_int_equal(store_create(account, store_mailbox(SV("To")), &e), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(append("INBOX"), ANSWER_OK);
	assert_int_equal(append("To"), ANSWER_OK);
	close_account();
}

static enum answer copy_step(const char *root)
{
	(void)root;
	return transfer(false);
}

static enum answer move_step(const char *root)
{
	(void)root;
	return transfer(true);
}

static void copy_check(const char *root, const struct run *r)
{
	struct found from, to;
	(void)root;
	look("INBOX", &from);
	look("To", &to);
	assert_true(from.whole && to.whole);
	assert_int_equal(from.n, 3);
	assert_int_equal(to.uids[0], 1);
	if (r->answer == ANSWER_OK)
		assert_int_equal(to.n, 4);
	else if (!r->killed)
		assert_int_equal(to.n, 1); /* all or none */
}

static void move_check(const char *root, const struct run *r)
{
	struct found from, to;
	(void)root;
	look("INBOX", &from);
	look("To", &to);
	assert_true(from.whole && to.whole);
	assert_true(from.n + to.n >= 4); /* twice perhaps, lost never */
	if (r->answer == ANSWER_OK)
		assert_true(from.n == 0 && to.n == 4);
}

static void test_copy(void **state)
{
	(void)state;
	sweep(three_mails, "copy", copy_check);
}

static void test_move(void **state)
{
	(void)state;
	sweep(three_mails, "move", move_check);
}

static void tree(const char *root)
{
	struct err e = ERR_INIT;
	if (!in_mbox()) /* where a mailbox with mail has no children */
		three_mails(root);
	open_account(root);
	assert_int_equal(store_create(account, store_mailbox(SV("To.a")), &e), 1);
	assert_int_equal(store_create(account, store_mailbox(SV("To.b")), &e), 1);
	assert_int_equal(append("To.b"), ANSWER_OK);
	close_account();
}

static enum answer rename_step(const char *root)
{
	struct err e = ERR_INIT;
	(void)root;
	int rc = store_rename(account, store_mailbox(SV("To")), store_mailbox(SV("New")), &e);
	return rc == 1 ? ANSWER_OK : ANSWER_ERROR;
}

/* After a crash: all under one name, or the other. */
static void rename_check(const char *root, const struct run *r)
{
	struct arena a;
	struct store_folders l;
	struct err e = ERR_INIT;
	(void)root;
	arena_init(&a, 100000);
	assert_int_equal(store_folders(account, &a, &l, &e), 1);
	size_t old = 0, new = 0;
	for (size_t i = 0; i < l.n; i++) {
		old += sv_starts(l.v[i].name, SV("To"));
		new += sv_starts(l.v[i].name, SV("New"));
	}
	assert_true((old == 3 && new == 0) || (old == 0 && new == 3));
	if (r->answer == ANSWER_OK)
		assert_int_equal(new, 3);
	struct found f;
	look(new ? "New.b" : "To.b", &f);
	assert_int_equal(f.n, 1);
	arena_free(&a);
}

static void test_rename(void **state)
{
	(void)state;
	sweep(tree, "rename", rename_check);
}

/* The first of three goes: all others move in the file. */
static enum answer expunge_step(const char *root)
{
	struct store_box *b;
	struct err e = ERR_INIT;
	const size_t first = 0;
	(void)root;
	if (store_box_open(account, store_inbox(), STORE_BOX_WRITE, &b, &e) != 1)
		return ANSWER_ERROR;
	int rc = store_box_expunge(b, &first, 1, &e);
	store_box_close(b);
	return rc == 1 ? ANSWER_OK : ANSWER_ERROR;
}

static void expunge_check(const char *root, const struct run *r)
{
	struct found f;
	(void)root;
	look("INBOX", &f);
	assert_true(f.whole);
	assert_true(f.n == 2 || (f.n == 3 && r->answer != ANSWER_OK));
	for (size_t i = 0; i < f.n; i++)
		assert_int_equal(f.uids[i], i + 4 - f.n);
}

static void test_expunge(void **state)
{
	(void)state;
	sweep(three_mails, "expunge", expunge_check);
}

/* In the child: one step, its answer as exit code. */
static int child(const char *name, const char *root)
{
	static const struct {
		const char *name;
		enum answer (*step)(const char *root);
	} steps[] = { { "deliver", deliver_step }, { "append", append_step }, { "copy", copy_step },
		{ "move", move_step }, { "rename", rename_step },
		{ "expunge", expunge_step } };
	open_account(root);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (strcmp(steps[i].name, name) == 0)
			return (int)steps[i].step(root);
	return 98;
}

static int to_mbox(void **state)
{
	(void)state;
	return setenv("TEST_IN_MBOX", "1", 1);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return child(argv[1], argv[2]);
	if (access("/dev/shm", W_OK) == 0) /* about a thousand runs: not at the speed of a disk */
		(void)setenv("TMPDIR", "/dev/shm", 1);
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_deliver),
		cmocka_unit_test(test_append), cmocka_unit_test(test_copy),
		cmocka_unit_test(test_move), cmocka_unit_test(test_rename) };
	const struct CMUnitTest mbox_tests[] = { cmocka_unit_test(test_deliver),
		cmocka_unit_test(test_append), cmocka_unit_test(test_copy),
		cmocka_unit_test(test_move), cmocka_unit_test(test_rename),
		cmocka_unit_test(test_expunge) };
	int failed = cmocka_run_group_tests_name("maildir", tests, NULL, NULL);
	return failed + cmocka_run_group_tests_name("mbox", mbox_tests, to_mbox, NULL);
}
