/*
 * Unit test of lib/store/mbox_journal.c: whatever state a crash left the file in, and whatever others appended or wrote
 * since, what is found is the new content, the old one, or theirs.
 */
#include "tests/support/t.h"

#include "lib/store/mbox_journal.h"
#include "tests/unit/store/mbox_fixture.h"

#define KEPT "From kept\n"
#define MORE "From more\nmail\n\n"

struct journals {
	struct mbox_fixture f;
	int dir, mbox;
};

static void make(struct journals *j, const char *text)
{
	mbox_fixture_make(&j->f);
	mbox_fixture_write(&j->f, "w", text);
	j->dir = open(j->f.tmp, O_RDONLY | O_DIRECTORY);
	j->mbox = open(j->f.path, O_RDWR);
}

static void end(struct journals *j)
{
	close(j->dir);
	close(j->mbox);
	mbox_fixture_free(&j->f);
}

/* KEPT stays, behind it shall be NEW: written down, not yet done. */
static void seal(struct journals *j, const char *new)
{
	struct mbox_journal k;
	struct err e = ERR_INIT;
	assert_int_equal(mbox_journal_begin(&k, j->dir, j->f.tmp, "j", j->mbox, strlen(KEPT), &e), 0);
	assert_int_equal(mbox_journal_put(&k, sv_z(new), &e), 0);
	assert_int_equal(mbox_journal_seal(&k, &e), 0);
	mbox_journal_end(&k);
}

static void assert_recovers(struct journals *j, const char *text)
{
	struct err e = ERR_INIT;
	assert_int_equal(mbox_journal_recover(j->dir, j->f.tmp, "j", j->mbox, &e), 0);
	assert_int_equal(mbox_journal_exists(j->dir, j->f.tmp, "j", &e), 0);
	char *now = mbox_fixture_text(&j->f);
	assert_string_equal(now, text);
	free(now);
}

static const struct {
	const char *old, *new;
} changes[] = {
	{ "From old\nlonger text\n\n", "From new\nx\n\n" },
	{ "From old\nx\n\n", "From new\nlonger text\n\n" },
	{ "From old\nx\n\n", "From new\nx\n\n" },
	{ "From old\nx\n\n", "" },
	{ "", "From new\nx\n\n" },
};

/* Every number of octets written, before and after the change of length, with and without a mail behind. */
static void torn_writes(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		size_t old = strlen(changes[i].old), new = strlen(changes[i].new);
		for (size_t done = 0; done <= new; done++)
			for (int more = 0; more < 4; more++) {
				char text[200], want[200];
				struct journals j;
				(void)snprintf(text, sizeof(text), "%s%s", KEPT, changes[i].old);
				make(&j, text);
				seal(&j, changes[i].new);
				/* 1, 3: its length is the new one already, as that of a file that grows is first */
				bool longer = new > old && (done > 0 || (more & 1));
				bool shorter = new < old && done == new && (more & 1);
				if (longer || shorter)
					assert_int_equal(ftruncate(j.mbox, (off_t)(strlen(KEPT) + new)), 0);
				assert_int_equal(pwrite(j.mbox, changes[i].new, done, (off_t)strlen(KEPT)), done);
				if (more & 2)
					mbox_fixture_write(&j.f, "a", MORE);
				(void)snprintf(want, sizeof(want), "%s%s%s", KEPT, changes[i].new,
					more & 2 ? MORE : "");
				assert_recovers(&j, want);
				end(&j);
			}
	}
}

static void others_wrote(UNUSED void **state)
{
	struct journals j;
	make(&j, KEPT "From old\nx\n\n");
	seal(&j, "From new\nlonger\n\n");
	mbox_fixture_write(&j.f, "r+", KEPT "From theirs\n\n");
	assert_recovers(&j, KEPT "From theirs\n\n");
	assert_int_equal(faccessat(j.dir, "j.old", F_OK, 0), 0);
	end(&j);
	/* shortened, replaced, and a journal that is damaged */
	make(&j, KEPT "From old\nx\n\n");
	seal(&j, "From new\nx\n\n");
	assert_int_equal(ftruncate(j.mbox, 5), 0);
	assert_recovers(&j, "From ");
	end(&j);
	make(&j, KEPT "From old\nx\n\n");
	seal(&j, "From new\nx\n\n");
	assert_int_equal(unlink(j.f.path), 0);
	close(j.mbox);
	mbox_fixture_write(&j.f, "w", KEPT "From old\nx\n\n");
	j.mbox = open(j.f.path, O_RDWR);
	struct stat st;
	assert_int_equal(fstat(j.mbox, &st), 0);
	struct err e = ERR_INIT;
	assert_int_equal(mbox_journal_recover(j.dir, j.f.tmp, "j", j.mbox, &e), 0);
	end(&j);
	for (off_t at = 0; at < 60; at += 7) {
		make(&j, KEPT "From old\nx\n\n");
		seal(&j, "From new\nx\n\n");
		int fd = openat(j.dir, "j", O_RDWR);
		char c;
		assert_int_equal(pread(fd, &c, 1, at), 1);
		c ^= 0x40;
		assert_int_equal(pwrite(fd, &c, 1, at), 1);
		close(fd);
		assert_recovers(&j, KEPT "From old\nx\n\n");
		end(&j);
	}
}

static void nothing_is_there(UNUSED void **state)
{
	struct journals j;
	make(&j, KEPT);
	assert_recovers(&j, KEPT);
	/* one that was not sealed is no journal */
	struct mbox_journal k;
	struct err e = ERR_INIT;
	assert_int_equal(mbox_journal_begin(&k, j.dir, j.f.tmp, "j", j.mbox, 0, &e), 0);
	assert_int_equal(mbox_journal_put(&k, SV("x"), &e), 0);
	mbox_journal_end(&k);
	assert_recovers(&j, KEPT);
	end(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(torn_writes),
		cmocka_unit_test(others_wrote),
		cmocka_unit_test(nothing_is_there),
	};
	return cmocka_run_group_tests_name("mbox_journal", tests, NULL, NULL);
}
