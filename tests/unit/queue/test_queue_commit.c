/* Unit test of lib/queue/queue_commit.c and queue_dir.c: on fibers, so results are checked after the loop. */
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/buf.h"
#include "lib/fiber/fiber.h"
#include "lib/queue/queue_commit.h"
#include "lib/queue/queue_mail.h"

struct plan {
	size_t lines;          /* of 80 octets */
	size_t rcpts;
	bool no_final_lf;
	bool abort;
	/* results */
	int rc;
	char id[QUEUE_ID_MAX + 1];
	uint32_t crc;
	struct err e;
};

struct run {
	struct queue q;
	struct plan *plans;
	size_t n, left;
};

static struct queue_facts facts(void)
{
	struct queue_facts f = { .uid = -1 };
#define X(field, type) f.field = SV_NONE;
	QUEUE_FACTS(X)
#undef X
	f.sender = SV("a@example.test");
	return f;
}

static int write_mail(struct queue *q, struct plan *p)
{
	struct queue_writer w;
	struct queue_facts f = facts();
	char line[80];
	int rc = 0;
	memset(line, 'x', sizeof(line));
	line[79] = '\n';
	queue_writer_init(&w, q, 0);
	memcpy(p->id, w.h.id, sizeof(p->id));
	rc = queue_writer_put(&w, SV("Subject: t\n\n"), &p->e);
	for (size_t i = 0; i < p->lines && rc == 0; i++)
		rc = queue_writer_put(&w, sv_n(line, sizeof(line)), &p->e);
	if (rc == 0 && p->no_final_lf)
		rc = queue_writer_put(&w, SV("tail"), &p->e);
	if (rc == 0)
		rc = queue_writer_facts(&w, &f, &p->e);
	for (size_t i = 0; i < p->rcpts && rc == 0; i++) {
		char a[40];
		int n = snprintf(a, sizeof(a), "u%zu@example.test", i);
		struct queue_rcpt r = { .address = sv_n(a, (size_t)n), .original = SV_NONE, .orcpt = SV_NONE };
		rc = queue_writer_rcpt(&w, &r, &p->e);
	}
	if (rc == 0 && !p->abort)
		rc = queue_commit(&w, &p->e);
	p->crc = w.h.content_crc;
	queue_writer_fini(&w);
	return rc;
}

struct one {
	struct run *run;
	struct plan *plan;
};

static void one_mail(void *arg)
{
	struct one *o = arg;
	o->plan->rc = write_mail(&o->run->q, o->plan);
	if (--o->run->left == 0)
		fiber_stop(0);
	free(o);
}

static void start_all(void *arg)
{
	struct run *r = arg;
	for (size_t i = 0; i < r->n; i++) {
		struct one *o = mem_alloc(sizeof(*o));
		*o = (struct one){ .run = r, .plan = &r->plans[i] };
		if (!fiber_spawn("mail", 0, one_mail, o))
			abort();
	}
}

static void run_plans(struct run *r, const char *dir, struct plan *plans, size_t n)
{
	struct err e = ERR_INIT;
	assert_int_equal(queue_open(&r->q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&r->q, &e), 0);
	r->plans = plans;
	r->n = r->left = n;
	assert_int_equal(fiber_main(start_all, r), 0);
}

/* The mail is in incoming/, whole. */
static void check_mail(struct queue *q, const struct plan *p)
{
	int fd = -1;
	struct err e = ERR_INIT;
	struct queue_mail m;
	t_case(p->id);
	assert_int_equal(queue_open_mail(q, QUEUE_DIR_INCOMING, sv_z(p->id), O_RDONLY, &fd, &e), 1);
	assert_int_equal(queue_mail_settled(fd, &e), 1);
	assert_int_equal(queue_mail_open(&m, fd, &e), QUEUE_FILE_OK);
	assert_int_equal(queue_mail_check_envelope(&m, &e), QUEUE_FILE_OK);
	assert_int_equal(queue_mail_check_content(&m, &e), QUEUE_FILE_OK);
	uint64_t lines = p->lines + 2 + (p->no_final_lf ? 1 : 0);
	uint64_t size = 12 + p->lines * 80 + (p->no_final_lf ? 5 : 0);
	assert_int_equal(m.h.content_size, size);
	assert_int_equal(m.h.crlf_size, size + lines);
	assert_int_equal(m.h.rcpt_count, p->rcpts);
	assert_int_equal(m.h.longest_line, p->lines ? 79 : 10);
	assert_int_equal(m.h.content_flags, 0);
	assert_string_equal(m.h.id, p->id);
	t_assert_sv(m.facts.sender, "a@example.test");
	queue_mail_close(&m);
	close(fd);
}

static size_t count_files(struct queue *q, enum queue_name n)
{
	struct queue_scan s;
	struct err e = ERR_INIT;
	char id[QUEUE_ID_MAX + 1];
	size_t count = 0;
	queue_scan_start(&s, q, n);
	while (queue_scan_next(&s, id, &e) == 1)
		count++;
	queue_scan_end(&s);
	return count;
}

static void commits_small_large_and_none(UNUSED void **state)
{
	char *dir = tmpdir_new();
	struct run r;
	struct plan plans[] = {
		{ .lines = 1, .rcpts = 1 },
		{ .lines = 0, .rcpts = 3 },
		{ .lines = 5000, .rcpts = 2 },                     /* streamed */
		{ .lines = 10, .rcpts = 1, .no_final_lf = true },
		{ .lines = 5000, .rcpts = 9000, .no_final_lf = true }, /* large envelope */
		{ .lines = 1, .rcpts = 0 },
		{ .lines = 1, .rcpts = 1, .abort = true },
		{ .lines = 5000, .rcpts = 1, .abort = true },      /* its file is removed */
	};
	run_plans(&r, dir, plans, ARRAY_LEN(plans));
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		assert_int_equal(plans[i].rc, 0);
		if (!plans[i].abort)
			check_mail(&r.q, &plans[i]);
	}
	assert_int_equal(count_files(&r.q, QUEUE_DIR_INCOMING), 6);
	queue_close(&r.q);
	tmpdir_remove(dir);
}

static void two_hundred_at_once(UNUSED void **state)
{
	char *dir = tmpdir_new();
	struct run r;
	struct plan plans[200] = { { .lines = 0 } };
	for (size_t i = 0; i < ARRAY_LEN(plans); i++)
		plans[i] = (struct plan){ .lines = i % 7, .rcpts = 1 };
	run_plans(&r, dir, plans, ARRAY_LEN(plans));
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		assert_int_equal(plans[i].rc, 0);
		check_mail(&r.q, &plans[i]);
	}
	assert_int_equal(count_files(&r.q, QUEUE_DIR_INCOMING), 200);
	queue_close(&r.q);
	tmpdir_remove(dir);
}

static void a_missing_directory_is_temporary(UNUSED void **state)
{
	char *dir = tmpdir_new();
	struct run r;
	struct err e = ERR_INIT;
	struct plan plan = { .lines = 1, .rcpts = 1 };
	assert_int_equal(queue_open(&r.q, dir, &e), 0);
	r.plans = &plan;
	r.n = r.left = 1;
	assert_int_equal(fiber_main(start_all, &r), 0);
	assert_int_equal(plan.rc, -1);
	assert_int_equal(plan.e.cls, ERR_TEMP);
	assert_non_null(strstr(plan.e.text, "incoming/"));
	queue_close(&r.q);
	tmpdir_remove(dir);
}

/* --- directories, without fibers ------------------------------------------------------------------------ */

static void touch(const char *dir, const char *path)
{
	char full[4096];
	snprintf(full, sizeof(full), "%s/%s", dir, path);
	int fd = open(full, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void moves_finds_and_removes(UNUSED void **state)
{
	static const char id[] = "4Pt2mN2VXxznjllB";
	char *dir = tmpdir_new(), path[QUEUE_PATH_MAX];
	struct queue q;
	struct err e = ERR_INIT;
	enum queue_name where;
	assert_int_equal(queue_open(&q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0); /* again: nothing to do */
	assert_int_equal(queue_find(&q, sv_z(id), &where, &e), 0);
	assert_int_equal(queue_path(QUEUE_DIR_INCOMING, sv_z(id), path), 0);
	touch(dir, path);
	assert_int_equal(queue_find(&q, sv_z(id), &where, &e), 1);
	assert_int_equal(where, QUEUE_DIR_INCOMING);
	assert_int_equal(queue_move(&q, QUEUE_DIR_INCOMING, QUEUE_DIR_ACTIVE, sv_z(id), &e), 1);
	assert_int_equal(queue_move(&q, QUEUE_DIR_INCOMING, QUEUE_DIR_ACTIVE, sv_z(id), &e), -1);
	assert_int_equal(queue_move(&q, QUEUE_DIR_INCOMING, QUEUE_DIR_DEFERRED, sv_z(id), &e), 0);
	touch(dir, path);
	assert_int_equal(queue_move(&q, QUEUE_DIR_INCOMING, QUEUE_DIR_ACTIVE, sv_z(id), &e), -1);
	assert_int_equal(count_files(&q, QUEUE_DIR_ACTIVE), 1);
	assert_int_equal(queue_sync_dir(&q, QUEUE_DIR_ACTIVE, sv_z(id), &e), 0);
	assert_int_equal(queue_remove(&q, QUEUE_DIR_ACTIVE, sv_z(id), &e), 1);
	assert_int_equal(queue_remove(&q, QUEUE_DIR_ACTIVE, sv_z(id), &e), 0);
	assert_int_equal(queue_remove(&q, QUEUE_DIR_ACTIVE, sv_z("../../x"), &e), -1);
	queue_close(&q);
	tmpdir_remove(dir);
}

static void odd_files_are_not_opened(UNUSED void **state)
{
	static const char id[] = "4Pt2mN2VXxznjllB", other[] = "4Pt2mN2VXxznjllC";
	char *dir = tmpdir_new(), path[QUEUE_PATH_MAX], from[4096], to[4096];
	struct queue q;
	struct err e = ERR_INIT;
	int fd = -1;
	assert_int_equal(queue_open(&q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	assert_int_equal(queue_path(QUEUE_DIR_MAILDROP, sv_z(id), path), 0);
	snprintf(to, sizeof(to), "%s/%s", dir, path);
	assert_int_equal(symlink("/etc/passwd", to), 0);
	assert_int_equal(queue_open_mail(&q, QUEUE_DIR_MAILDROP, sv_z(id), O_RDONLY, &fd, &e), -1);
	assert_int_equal(unlink(to), 0);
	assert_int_equal(mkfifo(to, 0600), 0);
	assert_int_equal(queue_open_mail(&q, QUEUE_DIR_MAILDROP, sv_z(id), O_RDONLY, &fd, &e), -1);
	assert_int_equal(unlink(to), 0);
	touch(dir, path);
	snprintf(from, sizeof(from), "%s", to);
	assert_int_equal(queue_path(QUEUE_DIR_MAILDROP, sv_z(other), path), 0);
	snprintf(to, sizeof(to), "%s/%s", dir, path);
	assert_int_equal(link(from, to), 0);
	assert_int_equal(queue_open_mail(&q, QUEUE_DIR_MAILDROP, sv_z(id), O_RDONLY, &fd, &e), -1);
	queue_close(&q);
	tmpdir_remove(dir);
}

static void scan_skips_what_is_no_mail(UNUSED void **state)
{
	char *dir = tmpdir_new();
	struct queue q;
	struct queue_scan s;
	struct err e = ERR_INIT;
	char id[QUEUE_ID_MAX + 1];
	assert_int_equal(queue_open(&q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	touch(dir, "deferred/0/core");
	touch(dir, "deferred/F/4Pt2mN2VXxznjllB");
	touch(dir, "deferred/3/.hidden");
	queue_scan_start(&s, &q, QUEUE_DIR_DEFERRED);
	assert_int_equal(queue_scan_next(&s, id, &e), 1);
	assert_string_equal(id, "4Pt2mN2VXxznjllB");
	assert_int_equal(queue_scan_next(&s, id, &e), 0);
	assert_int_equal(s.odd, 1);
	queue_scan_end(&s);
	queue_close(&q);
	tmpdir_remove(dir);
}

static void names_of_queues(UNUSED void **state)
{
	enum queue_name n;
	assert_int_equal(queue_dir_by_name(SV("hold"), &n), 1);
	assert_int_equal(n, QUEUE_DIR_HOLD);
	assert_int_equal(queue_dir_by_name(SV("Hold"), &n), 0);
	assert_string_equal(queue_dir_name(QUEUE_DIR_DEFER), "defer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commits_small_large_and_none),
		cmocka_unit_test(two_hundred_at_once),
		cmocka_unit_test(a_missing_directory_is_temporary),
		cmocka_unit_test(moves_finds_and_removes),
		cmocka_unit_test(odd_files_are_not_opened),
		cmocka_unit_test(scan_skips_what_is_no_mail),
		cmocka_unit_test(names_of_queues),
	};
	return cmocka_run_group_tests_name("queue_commit", tests, NULL, NULL);
}
