/*
 * Unit test of lib/store/mbox_box.c, mbox_write.c, mbox_mail.c, mbox_ctl.c, mbox_file.c: UIDs, what other software does
 * to the file meanwhile, flags in place, expunge, copies.
 */
#include "tests/support/t.h"

#include <inttypes.h>

#include "lib/store/driver.h"
#include "lib/store/spool.h"
#include "lib/sys/clock.h"
#include "tests/unit/store/mbox_fixture.h"

#define TWO FROM "Subject: one\n\nbody one\n\n" FROM "Subject: two\n\nbody two\n\n"

static void sync_box(struct mbox_box *b)
{
	struct err e = ERR_INIT;
	if (mbox_box_sync(b, &e) != 1)
		fail_msg("sync: %s", e.text);
}

/* "UID:subject ..." in the order of UIDs. */
static void assert_mails(struct mbox_box *b, const char *want)
{
	char got[1000] = "";
	for (size_t i = 0; i < b->n; i++) {
		const struct mbox_rec *r = &b->recs[b->by_uid[i]];
		struct store_content c;
		struct err e = ERR_INIT;
		if (mbox_mail_open(b, r->want.uid, &c, &e) != 1)
			fail_msg("open: %s", e.text);
		char text[1000];
		ssize_t n = pread(c.fd, text, sizeof(text) - 1, 0);
		text[n] = '\0';
		assert_int_equal(n, c.size);
		close(c.fd);
		char *subject = strstr(text, "Subject: ");
		assert_non_null(subject);
		subject += 9;
		(void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%u:%.*s", i ? " " : "", r->want.uid,
			(int)strcspn(subject, "\n"), subject);
	}
	assert_string_equal(got, want);
}

static void assert_in_file(const struct mbox_fixture *f, const char *text, bool there)
{
	char *all = mbox_fixture_text(f);
	if ((strstr(all, text) != NULL) != there)
		fail_msg("\"%s\" is %sin:\n%s", text, there ? "not " : "", all);
	free(all);
}

static void uids_are_written(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", TWO);
	struct mbox_box *b = mbox_fixture_box(&f, true);
	sync_box(b);
	assert_mails(b, "1:one 2:two");
	assert_true(b->recs[0].recent && b->recs[1].recent);
	assert_in_file(&f, "X-UID: 1 ", true);
	assert_in_file(&f, "X-UID: 2 ", true);
	assert_in_file(&f, " 0000000002 ", true);
	assert_in_file(&f, "Status: O ", true);
	/* a delivery: only the tail is new; another box gives the same UIDs */
	mbox_fixture_write(&f, "a", FROM "Subject: three\n\nbody\n\n");
	sync_box(b);
	assert_mails(b, "1:one 2:two 3:three");
	struct mbox_box *c = mbox_fixture_box(&f, false);
	sync_box(c);
	assert_mails(c, "1:one 2:two 3:three");
	assert_int_equal(c->st.uidvalidity, b->st.uidvalidity);
	assert_false(c->recs[2].recent);
	mbox_box_free(c);
	mbox_box_free(b);
	mbox_fixture_free(&f);
}

static void a_reader_takes_no_recent(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", TWO);
	struct mbox_box *b = mbox_fixture_box(&f, false);
	sync_box(b);
	assert_true(b->recs[0].recent);
	struct mbox_box *c = mbox_fixture_box(&f, true);
	sync_box(c);
	assert_true(c->recs[0].recent);
	mbox_box_free(b);
	mbox_box_free(c);
	b = mbox_fixture_box(&f, true);
	sync_box(b);
	assert_false(b->recs[0].recent);
	mbox_box_free(b);
	mbox_fixture_free(&f);
}

static void others_change_the_file(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", TWO FROM "Subject: three\n\nbody\n");
	struct mbox_box *b = mbox_fixture_box(&f, true);
	sync_box(b);
	assert_mails(b, "1:one 2:two 3:three");
	uint32_t validity = b->st.uidvalidity;
	/* mutt removes the first mail, and X-IMAPbase with it, and gives the second flags of its own */
	char *all = mbox_fixture_text(&f), *second = strstr(strchr(all, '\n'), FROM);
	mbox_fixture_write(&f, "w", second);
	free(all);
	assert_true(mbox_fixture_edit(&f, "Subject: two\n", "Subject: two\nContent-Length: 9\nLines: 1\n"));
	sync_box(b);
	assert_mails(b, "2:two 3:three");
	assert_int_equal(b->st.uidvalidity, validity);
	assert_false(b->lost);
	/* a program that keeps no header it does not know: the content tells */
	mbox_fixture_write(&f, "w", FROM "Subject: new\n\nx\n\n" FROM "Subject: three\nStatus: RO\n\nbody\n");
	sync_box(b);
	assert_mails(b, "3:three 4:new");
	assert_int_equal(mbox_box_find(b, 3)->want.flags, STORE_SEEN);
	/* the content of a mail was changed under its UID: it is another mail */
	assert_true(mbox_fixture_edit(&f, "Subject: three", "Subject: tree"));
	sync_box(b);
	assert_mails(b, "4:new 5:tree");
	/* truncated, emptied: UIDs go on */
	mbox_fixture_write(&f, "w", "");
	sync_box(b);
	assert_mails(b, "");
	mbox_fixture_write(&f, "w", TWO);
	sync_box(b);
	assert_mails(b, "6:one 7:two");
	assert_int_equal(b->st.uidvalidity, validity);
	assert_false(b->lost);
	mbox_box_free(b);
	mbox_fixture_free(&f);
}

static void headers_of_strangers(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", TWO FROM "Subject: three\n\nbody\n\n");
	struct mbox_box *b = mbox_fixture_box(&f, true);
	sync_box(b);
	uint32_t gone = 3, validity = b->st.uidvalidity;
	struct err e = ERR_INIT;
	assert_int_equal(mbox_mail_remove(b, &gone, 1, &e), 1);
	/* a mail that says it has the UID of one that is gone, and one that says it has that of one that is there */
	mbox_fixture_write(&f, "a", FROM "X-UID: 3\nX-IMAPbase: 5 77\nSubject: bad\n\nx\n\n" FROM
		"X-UID: 1\nSubject: worse\n\nx\n\n");
	sync_box(b);
	assert_mails(b, "1:one 2:two 4:bad 5:worse");
	/* all are removed, and the first that comes names another UIDVALIDITY */
	const uint32_t all[] = { 1, 2, 4, 5 };
	assert_int_equal(mbox_mail_remove(b, all, 4, &e), 1);
	assert_int_equal(b->n, 0);
	mbox_fixture_write(&f, "w", FROM "X-IMAPbase: 5 4294967295\nX-UID: 2\nSubject: evil\n\nx\n");
	sync_box(b);
	assert_mails(b, "6:evil");
	assert_int_equal(b->st.uidvalidity, validity);
	mbox_box_free(b);
	mbox_fixture_free(&f);
}

static void another_imap_server(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", FROM "X-IMAPbase: 1700000000 0000000009 $a b\nX-UID: 4\nStatus: RO\nX-Keywords: b\n"
		"Subject: one\n\nx\n\n" FROM "X-UID: 7\nStatus: \nSubject: two\n\nx\n\n");
	struct mbox_box *b = mbox_fixture_box(&f, true);
	sync_box(b);
	assert_mails(b, "4:one 7:two");
	assert_int_equal(b->st.uidvalidity, 1700000000);
	assert_int_equal(b->st.nextuid, 10);
	assert_int_equal(b->recs[0].want.keywords, 1u << keywords_find(&b->kw, SV("b")));
	/* it gives UID 10 to a mail */
	assert_true(mbox_fixture_edit(&f, "1700000000 0000000009", "1700000000 0000000010"));
	mbox_fixture_write(&f, "a", FROM "X-UID: 10\nSubject: three\n\nx\n\n");
	sync_box(b);
	assert_mails(b, "4:one 7:two 10:three");
	/* and begins anew */
	assert_true(mbox_fixture_edit(&f, "1700000000 0000000010", "1800000000 0000000010"));
	sync_box(b);
	assert_true(b->lost);
	assert_int_equal(b->st.uidvalidity, 1800000000);
	mbox_box_free(b);
	/* what we knew is lost: the header fields are believed */
	tmpdir_remove(mem_strdup(f.ctl));
	b = mbox_fixture_box(&f, true);
	sync_box(b);
	assert_mails(b, "4:one 7:two 10:three");
	assert_int_equal(b->st.uidvalidity, 1800000000);
	mbox_box_free(b);
	mbox_fixture_free(&f);
}

static void internal_data(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", "From MAILER-DAEMON Sun Nov 22 08:05:00 2026\n"
		"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1700000000 0000000003\n"
		"Status: RO\n\ntext\n\n" FROM
		"X-UID: 3\nStatus: O\nSubject: one\n\nx\n\n" FROM "Subject: two\n\nx\n");
	struct mbox_box *b = mbox_fixture_box(&f, true);
	sync_box(b);
	assert_mails(b, "3:one 4:two");
	assert_int_equal(b->st.uidvalidity, 1700000000);
	assert_in_file(&f, "X-IMAP: 1700000000 0000000004", true);
	const uint32_t both[] = { 3, 4 };
	struct err e = ERR_INIT;
	assert_int_equal(mbox_mail_remove(b, both, 2, &e), 1);
	assert_in_file(&f, "INTERNAL DATA", true);
	mbox_box_free(b);
	mbox_fixture_free(&f);
}

static void set_flags(struct mbox_box *b, uint32_t uid, enum store_flag_op op, uint32_t flags, const char *keyword)
{
	struct sv kw = sv_z(keyword);
	const struct store_flag_change c = { op, flags, &kw, keyword ? 1 : 0 };
	struct err e = ERR_INIT;
	if (mbox_mail_flags(b, &uid, 1, &c, &e) != 1)
		fail_msg("flags: %s", e.text);
}

static void flags_in_place(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", TWO);
	struct mbox_box *b = mbox_fixture_box(&f, true), *other = mbox_fixture_box(&f, true);
	sync_box(b);
	sync_box(other);
	struct stat before, after;
	assert_int_equal(stat(f.path, &before), 0);
	set_flags(b, 1, STORE_FLAGS_ADD, STORE_SEEN | STORE_FLAGGED, "$Work");
	assert_int_equal(stat(f.path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_in_file(&f, "Status: RO\nX-Status: F   \nX-Keywords: $Work ", true);
	sync_box(other);
	assert_int_equal(mbox_box_find(other, 1)->want.flags, STORE_SEEN | STORE_FLAGGED);
	assert_int_equal(mbox_box_find(other, 1)->want.keywords, 1);
	assert_string_equal(other->kw.name[0], "$Work");
	set_flags(b, 1, STORE_FLAGS_REMOVE, STORE_SEEN, "$Work");
	set_flags(b, 2, STORE_FLAGS_SET, STORE_DELETED | STORE_DRAFT, NULL);
	sync_box(other);
	assert_int_equal(mbox_box_find(other, 1)->want.flags, STORE_FLAGGED);
	assert_int_equal(mbox_box_find(other, 1)->want.keywords, 0);
	assert_int_equal(mbox_box_find(other, 2)->want.flags, STORE_DELETED | STORE_DRAFT);
	/* mutt's way of writing leaves no room: the mail is written anew */
	assert_true(mbox_fixture_edit(&f, "Status: O \nX-Status: F   \n", "Status: O\n"));
	set_flags(b, 1, STORE_FLAGS_ADD, STORE_ANSWERED | STORE_SEEN, NULL);
	sync_box(other);
	assert_mails(other, "1:one 2:two");
	assert_int_equal(mbox_box_find(other, 1)->want.flags, STORE_ANSWERED | STORE_SEEN);
	assert_int_equal(stat(f.path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	mbox_box_free(b);
	mbox_box_free(other);
	mbox_fixture_free(&f);
}

static void expunge_append_copy(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", TWO FROM "Subject: three\n\nlast");
	struct mbox_box *b = mbox_fixture_box(&f, true);
	sync_box(b);
	uint32_t one = 1, uid;
	struct err e = ERR_INIT;
	assert_int_equal(mbox_mail_remove(b, &one, 1, &e), 1);
	assert_mails(b, "2:two 3:three");
	assert_in_file(&f, "X-IMAPbase: ", true);
	assert_in_file(&f, "Subject: one", false);
	int fd = open(f.ctl, O_TMPFILE | O_RDWR, 0600);
	const char mail[] = "X-UID: 99\nSubject: four\nContent-Length: 500\n\nFrom me\nend";
	assert_int_equal(write(fd, mail, strlen(mail)), strlen(mail));
	const struct sv kw = SV("k");
	const struct store_append_meta m = {
		.flags = STORE_SEEN, .keywords = &kw, .nkeywords = 1, .internaldate = 1000000000
	};
	assert_int_equal(mbox_mail_append(b, fd, strlen(mail), &m, &uid, &e), 1);
	assert_int_equal(uid, 4);
	close(fd);
	assert_mails(b, "2:two 3:three 4:four");
	assert_int_equal(mbox_box_find(b, 4)->mail.date, 1000000000);
	assert_in_file(&f, "\n>From me\nend\n\n", true);
	assert_in_file(&f, "Content-Length", false);
	assert_in_file(&f, "\n\nlast\n\nFrom MAILER-DAEMON", true);
	struct mail_copy v[] = { { .from = 4 }, { .from = 77 }, { .from = 2 } };
	struct mbox_box *to = mbox_fixture_box(&f, false);
	assert_int_equal(mbox_mail_copy(b, to, v, 3, &e), 1);
	assert_int_equal(v[0].to, 5);
	assert_int_equal(v[1].to, 0);
	assert_int_equal(v[2].to, 6);
	sync_box(b);
	assert_mails(b, "2:two 3:three 4:four 5:four 6:two");
	assert_int_equal(mbox_box_find(b, 5)->want.flags, STORE_SEEN);
	assert_int_equal(mbox_box_find(b, 5)->mail.date, 1000000000);
	mbox_box_free(to);
	mbox_box_free(b);
	mbox_fixture_free(&f);
}

static void deliveries(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", "");
	struct mbox_box *b = mbox_fixture_box(&f, true);
	sync_box(b);
	int fd = open(f.ctl, O_TMPFILE | O_RDWR, 0600);
	const char mail[] = "Subject: one\n\nFrom me\n";
	assert_int_equal(write(fd, mail, strlen(mail)), strlen(mail));
	struct store_delivery d = { .key = store_key_make(1, 2, SV("box")), .head = SV("Return-Path: <>\n"),
		.sender = SV("x@y"), .fd = fd, .size = strlen(mail) };
	enum store_delivered how;
	struct err e = ERR_INIT;
	assert_int_equal(mbox_deliver(&b->def, &d, &how, &e), 1);
	assert_int_equal(how, STORE_DELIVERED_NEW);
	d.maybe_before = true;
	assert_int_equal(mbox_deliver(&b->def, &d, &how, &e), 1);
	assert_int_equal(how, STORE_DELIVERED_BEFORE);
	d.key = store_key_make(1, 3, SV("box"));
	assert_int_equal(mbox_deliver(&b->def, &d, &how, &e), 1);
	assert_int_equal(how, STORE_DELIVERED_NEW);
	close(fd);
	assert_in_file(&f, "From x@y  ", true);
	struct stat before, after;
	sync_box(b);
	assert_mails(b, "1:one 2:one");
	assert_non_null(b->recs[0].key);
	/* the room for a UID was there */
	assert_int_equal(stat(f.path, &before), 0);
	struct mbox_box *c = mbox_fixture_box(&f, true);
	sync_box(c);
	assert_int_equal(stat(f.path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	mbox_box_free(c);
	mbox_box_free(b);
	mbox_fixture_free(&f);
}

static void put_lock(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
}

/* A delivery to the file was killed: what it left is no mail, and nobody gives it a UID. */
static void a_part_of_a_mail(UNUSED void **state)
{
	struct mbox_fixture f;
	mbox_fixture_make(&f);
	mbox_fixture_write(&f, "w", TWO);
	struct mbox_box *b = mbox_fixture_box(&f, true);
	sync_box(b);
	struct stat st;
	char journal[700], text[200];
	assert_int_equal(stat(f.path, &st), 0);
	(void)snprintf(journal, sizeof(journal), "%s.append", f.path);
	(void)snprintf(text, sizeof(text), "%lld 500 1 2 %zu %" PRIu64 "\n", (long long)st.st_size, strlen(FROM),
		store_note_hash(SV(FROM)));
	FILE *fp = fopen(journal, "w");
	(void)fputs(text, fp);
	(void)fclose(fp);
	mbox_fixture_write(&f, "a", FROM "Subject: part\n\nx");
	sync_box(b);
	assert_mails(b, "1:one 2:two");
	assert_int_equal(access(journal, F_OK), -1);
	/* a whole one stays, with what its delivery looks for when it is tried again */
	(void)snprintf(text, sizeof(text), "%lld 10 1 2 %zu %" PRIu64 "\n", (long long)st.st_size, strlen(FROM),
		store_note_hash(SV(FROM)));
	fp = fopen(journal, "w");
	(void)fputs(text, fp);
	(void)fclose(fp);
	mbox_fixture_write(&f, "a", FROM "Subject: whole\n\nx\n\n");
	sync_box(b);
	assert_mails(b, "1:one 2:two 3:whole");
	assert_int_equal(access(journal, F_OK), 0);
	mbox_box_free(b);
	mbox_fixture_free(&f);
}

static void what_is_no_mailbox(UNUSED void **state)
{
	struct mbox_fixture f;
	struct err e = ERR_INIT;
	char other[700];
	mbox_fixture_make(&f);
	(void)snprintf(other, sizeof(other), "%s/other", f.tmp);
	struct mbox_box *b = mbox_fixture_box(&f, true);
	assert_int_equal(mbox_box_sync(b, &e), 0);
	mbox_fixture_write(&f, "w", "not a mailbox\n");
	assert_int_equal(mbox_box_sync(b, &e), -1);
	assert_in_file(&f, "not a mailbox\n", true);
	assert_int_equal(link(f.path, other), 0);
	assert_int_equal(mbox_box_sync(b, &e), -1);
	assert_int_equal(e.cls, ERR_CONFIG);
	assert_int_equal(unlink(f.path), 0);
	assert_int_equal(symlink(other, f.path), 0);
	assert_int_equal(mbox_box_sync(b, &e), -1);
	assert_int_equal(unlink(f.path), 0);
	assert_int_equal(mkfifo(f.path, 0600), 0);
	assert_int_equal(mbox_box_sync(b, &e), -1);
	assert_int_equal(unlink(f.path), 0);
	mbox_fixture_write(&f, "w", TWO);
	/* somebody else's lock holds up a writer only, and not for ever */
	char lock[700];
	(void)snprintf(lock, sizeof(lock), "%s.lock", f.path);
	put_lock(lock);
	assert_int_equal(mbox_box_sync(b, &e), -1);
	assert_int_equal(e.sys_errno, ETIMEDOUT);
	assert_int_equal(unlink(lock), 0);
	sync_box(b);
	put_lock(lock);
	assert_mails(b, "1:one 2:two");
#ifdef MERPATI_FAULTS
	mbox_fixture_write(&f, "a", FROM "Subject: three\n\nx\n");
	clock_wall_shift(MBOX_STALE_S + 10);
	sync_box(b);
	assert_mails(b, "1:one 2:two 3:three");
	assert_int_equal(access(lock, F_OK), -1);
	clock_wall_shift(0);
#endif
	mbox_box_free(b);
	mbox_fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uids_are_written),
		cmocka_unit_test(a_reader_takes_no_recent),
		cmocka_unit_test(others_change_the_file),
		cmocka_unit_test(headers_of_strangers),
		cmocka_unit_test(another_imap_server),
		cmocka_unit_test(internal_data),
		cmocka_unit_test(flags_in_place),
		cmocka_unit_test(expunge_append_copy),
		cmocka_unit_test(deliveries),
		cmocka_unit_test(a_part_of_a_mail),
		cmocka_unit_test(what_is_no_mailbox),
	};
	return cmocka_run_group_tests_name("mbox_box", tests, NULL, NULL);
}
