/* Unit test of lib/store/mbox_deliver.c: what a delivery makes of a mail, and what it does before and instead. */
#include "tests/support/t.h"

#include <errno.h>

#include "lib/store/mbox_append.h"
#include "lib/store/mbox_journal.h"
#include "tests/unit/store/mbox_fixture.h"

static int content(const char *text)
{
	char name[] = "/tmp/merpati-test.XXXXXX";
	int fd = mkstemp(name);
	assert_true(fd >= 0 && unlink(name) == 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static const char *file(const struct mbox_fixture *f)
{
	static char text[20000];
	FILE *fp = fopen(f->path, "r");
	assert_non_null(fp);
	size_t n = fread(text, 1, sizeof(text) - 1, fp);
	text[n] = '\0';
	(void)fclose(fp);
	return text;
}

struct result {
	int rc;
	enum store_delivered how;
	struct err e;
};

static struct result deliver(const struct mbox_box_def *def, const char *text, uint64_t key, bool maybe,
	const struct mbox_rules *rules, const char *sender)
{
	struct result r = { .e = ERR_INIT };
	struct store_delivery d = { .key = store_key_make(key, 2, SV("box")), .head = SV("Return-Path: <x>\n"),
		.sender = sv_z(sender), .fd = content(text), .size = strlen(text), .maybe_before = maybe,
		.mbox = rules };
	r.rc = mbox_deliver(def, &d, &r.how, &r.e);
	close(d.fd);
	return r;
}

static struct mbox_box_def def_of(const struct mbox_fixture *f, bool create)
{
	return (struct mbox_box_def){
		.place = { .root = f->tmp, .rel = "box", .uid = getuid(), .lock_timeout_ms = 200 },
		.ctl_path = f->ctl,
		.ctl_uid = getuid(),
		.create = create,
	};
}

/* How often TEXT is in the file. */
static unsigned count(const struct mbox_fixture *f, const char *text)
{
	unsigned n = 0;
	for (const char *p = file(f); (p = strstr(p, text)); p++)
		n++;
	return n;
}

static void what_is_written(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	struct mbox_box_def def = def_of(&f, true);
	/* fields that tell UIDs, flags and lengths are ours: a sender's are left out, folded ones, too */
	struct result r = deliver(&def, "Subject: s\nX-UID: 77\nStatus: RO\nX-IMAPbase: 1 99\nContent-Length: 3\n"
		"X-Keywords:\n Evil\nX-Merpati-Key: 00112233445566778899aabbccddeeff\n\n"
		"From here\n>From there\nX-UID: 5\nlast", 1, false, NULL, "a b@c");
	assert_int_equal(r.rc, 1);
	const char *text = file(&f);
	assert_true(strncmp(text, "From \"a b\"@c  ", 14) == 0);
	static const char *const absent[] = { "X-UID: 77", "Status: RO", "1 99", "Content-Length", "Evil", "ddeeff\n" };
	for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
		t_case(absent[i]);
		assert_null(strstr(text, absent[i]));
	}
	assert_non_null(strstr(text, "\nReturn-Path: <x>\nSubject: s\n\n>From here\n>From there\nX-UID: 5\nlast\n\n"));
	assert_int_equal(count(&f, "X-Merpati-Key: "), 1);
	/* the null sender, one with a line end, one that is too long */
	static char long_one[2000];
	memset(long_one, 'x', sizeof(long_one) - 1);
	const char *const senders[] = { "", "a\nFrom b", long_one };
	for (size_t i = 0; i < ARRAY_LEN(senders); i++)
		assert_int_equal(deliver(&def, "Subject: t\n\nx\n", 10 + i, false, NULL, senders[i]).rc, 1);
	assert_int_equal(count(&f, "\n\nFrom MAILER-DAEMON  "), 2);
	/* every mail of it can be read */
	struct mbox_box *b = mbox_fixture_box(&f, true);
	struct err e = ERR_INIT;
	assert_int_equal(mbox_box_sync(b, &e), 1);
	assert_int_equal(b->n, 4);
	/* and there was room for its UID: nothing has moved */
	assert_int_equal(count(&f, "X-UID: "), 4 + 1);
	mbox_box_free(b);
	mbox_fixture_free(&f);
}

static void once(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	struct mbox_box_def def = def_of(&f, true);
	assert_int_equal(deliver(&def, "A: b\n\n1\n", 1, false, NULL, "x").rc, 1);
	struct result r = deliver(&def, "A: b\n\n1\n", 1, true, NULL, "x");
	assert_true(r.rc == 1 && r.how == STORE_DELIVERED_BEFORE);
	r = deliver(&def, "A: b\n\n2\n", 2, true, NULL, "x");
	assert_true(r.rc == 1 && r.how == STORE_DELIVERED_NEW);
	assert_int_equal(count(&f, "\nA: b\n"), 2);
	mbox_fixture_free(&f);
}

static void what_is_refused(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	struct mbox_box_def def = def_of(&f, false);
	assert_int_equal(deliver(&def, "A: b\n\n1\n", 1, false, NULL, "x").rc, 0); /* no such mailbox */
	mbox_fixture_write(&f, "w", "this is no mailbox\n");
	struct result r = deliver(&def, "A: b\n\n1\n", 1, false, NULL, "x");
	assert_int_equal(r.rc, -1);
	assert_non_null(strstr(r.e.text, "is not an mbox file"));
	mbox_fixture_write(&f, "w", "");
	const struct mbox_rules small = { .size_limit = 50, .locks = MBOX_LOCK_FCNTL, .attempts = 1, .pause_ms = 1 };
	r = deliver(&def, "A: b\n\n1\n", 1, false, &small, "x");
	assert_true(r.rc == -1 && r.e.cls == ERR_PERM && r.e.sys_errno == EFBIG);
	assert_string_equal(file(&f), "");
	if (getuid() == 0) {
		assert_int_equal(chown(f.path, 1, 1), 0);
		r = deliver(&def, "A: b\n\n1\n", 1, false, NULL, "x");
		assert_true(r.rc == -1 && r.e.cls == ERR_CONFIG && strstr(r.e.text, "belongs to uid 1"));
		def.place.uid = (uid_t)-1;
		assert_int_equal(deliver(&def, "A: b\n\n1\n", 1, false, NULL, "x").rc, 1);
	}
	mbox_fixture_free(&f);
}

/* An expunge that was killed is finished before anything is put behind it. */
static void an_interrupted_change(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", FROM "Subject: one\n\nx\n\n" FROM "Subject: two\n\nx\n\n");
	struct mbox_box *b = mbox_fixture_box(&f, true);
	struct mbox_io io;
	struct mbox_journal j;
	struct err e = ERR_INIT;
	assert_int_equal(mbox_box_sync(b, &e), 1);
	assert_int_equal(mbox_io_open(&io, b, &e), 1);
	assert_int_equal(mbox_journal_begin(&j, io.ctl.dir, io.ctl.path, io.ctl.journal, io.f.fd,
		b->recs[1].mail.from, &e), 0);
	assert_int_equal(mbox_journal_seal(&j, &e), 0); /* killed here: the second mail is to go */
	mbox_journal_end(&j);
	mbox_io_close(&io);
	mbox_box_free(b);
	struct mbox_box_def def = def_of(&f, false);
	assert_int_equal(deliver(&def, "Subject: three\n\n3\n", 1, false, NULL, "x").rc, 1);
	assert_int_equal(count(&f, "Subject: one"), 1);
	assert_int_equal(count(&f, "Subject: two"), 0);
	assert_int_equal(count(&f, "Subject: three"), 1);
	/* without a control directory there is nothing to finish, and none is made */
	def.ctl_path = "/nonexistent/ctl";
	assert_int_equal(deliver(&def, "Subject: four\n\n4\n", 2, false, NULL, "x").rc, 1);
	assert_int_equal(access("/nonexistent", F_OK), -1);
	mbox_fixture_free(&f);
}

/* One that rewrites mails where they are, although a delivery's file is open for appending. */
static void an_interrupted_rewriting(UNUSED void **state)
{
	static const char rest[] = FROM "Subject: ONE\n\nx, and longer than before\n\n" FROM "Subject: two\n\nx\n\n";
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", FROM "Subject: one\n\nx\n\n" FROM "Subject: two\n\nx\n\n");
	struct mbox_box *b = mbox_fixture_box(&f, true);
	struct mbox_io io;
	struct mbox_journal j;
	struct err e = ERR_INIT;
	assert_int_equal(mbox_box_sync(b, &e), 1);
	assert_int_equal(mbox_io_open(&io, b, &e), 1);
	assert_int_equal(mbox_journal_begin(&j, io.ctl.dir, io.ctl.path, io.ctl.journal, io.f.fd, 0, &e), 0);
	assert_int_equal(mbox_journal_put(&j, sv_n(rest, sizeof(rest) - 1), &e), 0);
	assert_int_equal(mbox_journal_seal(&j, &e), 0); /* killed here */
	mbox_journal_end(&j);
	mbox_io_close(&io);
	mbox_box_free(b);
	struct mbox_box_def def = def_of(&f, false);
	assert_int_equal(deliver(&def, "Subject: three\n\n3\n", 1, false, NULL, "x").rc, 1);
	assert_int_equal(strncmp(file(&f), rest, sizeof(rest) - 1), 0);
	assert_int_equal(count(&f, "Subject: two"), 1);
	assert_int_equal(count(&f, "Subject: three"), 1);
	mbox_fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_written), cmocka_unit_test(once),
		cmocka_unit_test(what_is_refused), cmocka_unit_test(an_interrupted_change),
		cmocka_unit_test(an_interrupted_rewriting) };
	return cmocka_run_group_tests_name("mbox_deliver", tests, NULL, NULL);
}
