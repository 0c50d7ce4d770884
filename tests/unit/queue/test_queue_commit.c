/* Unit test of lib/queue/queue_commit.c: on fibers, so results are checked after the loop. */
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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
	int64_t arrival_us;
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
	queue_writer_init(&w, q, p->arrival_us);
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
		struct queue_rcpt r = { .address = sv_n(a, (size_t)n),
			.cell = i % 3 == 1 ? QUEUE_CELL_EXPANDED : QUEUE_CELL_PENDING };
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

/* Of commits that are made durable together each has its own result. */
static void one_bad_directory_fails_its_own_mails(UNUSED void **state)
{
	char *dir = tmpdir_new(), path[400];
	struct run r;
	struct err e = ERR_INIT;
	struct plan plans[150];
	size_t failed = 0;
	assert_int_equal(queue_open(&r.q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&r.q, &e), 0);
	snprintf(path, sizeof(path), "%s/incoming/7", dir);
	assert_int_equal(rmdir(path), 0);
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) /* a quarter of a second has one directory */
		plans[i] = (struct plan){ .lines = i % 3, .rcpts = 1,
			.arrival_us = 1795420800000000 + (int64_t)(i % 48) * 250000 };
	r.plans = plans;
	r.n = r.left = ARRAY_LEN(plans);
	assert_int_equal(fiber_main(start_all, &r), 0);
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		bool bad = queue_id_hash(sv_z(plans[i].id)) == '7';
		failed += bad;
		assert_int_equal(plans[i].rc, bad ? -1 : 0);
		if (bad)
			assert_non_null(strstr(plans[i].e.text, "incoming/7"));
		else
			check_mail(&r.q, &plans[i]);
	}
	assert_in_range(failed, 6, 12);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(count_files(&r.q, QUEUE_DIR_INCOMING), ARRAY_LEN(plans) - failed);
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

/* All turns are taken by batches that do not end: those who wait are refused in time, and nothing is left. */
static void a_turn_that_does_not_come_is_temporary(UNUSED void **state)
{
	char *dir = tmpdir_new();
	struct run r;
	struct err e = ERR_INIT;
	/* the large one is in the queue already when it asks for its turn */
	struct plan plans[] = { { .lines = 1, .rcpts = 1 },
		{ .lines = 5000, .rcpts = 1 },
		{ .lines = 2, .rcpts = 1 } };
	assert_int_equal(queue_open(&r.q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&r.q, &e), 0);
	r.q.turns = fiber_sem_new(0);
	r.q.nturns = 4;
	r.q.turn_ms = 50;
	r.plans = plans;
	r.n = r.left = ARRAY_LEN(plans);
	assert_int_equal(fiber_main(start_all, &r), 0);
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		assert_int_equal(plans[i].rc, -1);
		assert_int_equal(plans[i].e.cls, ERR_TEMP);
		assert_non_null(strstr(plans[i].e.text, "the disk has been busy"));
	}
	assert_int_equal(count_files(&r.q, QUEUE_DIR_INCOMING), 0);
	/* the next one has its turn */
	fiber_sem_give(r.q.turns);
	r.n = r.left = 1;
	assert_int_equal(fiber_main(start_all, &r), 0);
	assert_int_equal(plans[0].rc, 0);
	assert_int_equal(count_files(&r.q, QUEUE_DIR_INCOMING), 1);
	queue_close(&r.q);
	tmpdir_remove(dir);
}

#ifdef MERPATI_FAULTS
/* --- a failed fsync of the directory: FAULT below is the plan of this program ------------------------- */

#define FAULT "*:fsync:*/failing/incoming/?:2:EIO"

struct shared {
	struct queue q;
	struct queue_writer w[8];
	struct err e[8];
	int begun[8], rc[8];
	size_t left;
};

/* A mail whose file is there before its end has come, in the directory of H (0: any). */
static int begin_large(struct shared *s, size_t i, char h)
{
	struct queue_writer *w = &s->w[i];
	static const char block[QUEUE_SMALL];
	/* each quarter of a second has its directory */
	for (int64_t us = 1700000000000000;; us += 250000) {
		queue_writer_init(w, &s->q, us + (int64_t)i * 4000000);
		if (h == 0 || queue_id_hash(sv_z(w->h.id)) == h)
			break;
		queue_writer_fini(w);
	}
	for (size_t n = 0; n < 3; n++)
		if (queue_writer_put(w, sv_n(block, sizeof(block)), &s->e[i]) < 0)
			return -1;
	return w->fd >= 0 ? 0 : -1;
}

static int end_large(struct shared *s, size_t i)
{
	struct queue_facts f = facts();
	struct queue_rcpt r = { .address = SV("u@example.test") };
	if (queue_writer_facts(&s->w[i], &f, &s->e[i]) < 0 || queue_writer_rcpt(&s->w[i], &r, &s->e[i]) < 0)
		return -2;
	return queue_commit(&s->w[i], &s->e[i]);
}

struct end {
	struct shared *s;
	size_t i;
};

static void end_one(void *arg)
{
	struct end *x = arg;
	struct shared *s = x->s;
	s->rc[x->i] = end_large(s, x->i);
	free(x);
	if (--s->left > 0)
		return;
	/* whoever begins after the failure is not concerned */
	char h = queue_id_hash(sv_z(s->w[0].h.id));
	for (size_t i = 0; i < ARRAY_LEN(s->w); i++)
		queue_writer_fini(&s->w[i]);
	s->begun[0] = begin_large(s, 0, h);
	s->rc[0] = s->rc[0] == -1 ? end_large(s, 0) : -3;
	queue_writer_fini(&s->w[0]);
	fiber_stop(0);
}

/* One mail is committed; six are being written when the fsync of the seventh's directory fails. */
static void failing_main(void *arg)
{
	struct shared *s = arg;
	s->begun[7] = begin_large(s, 7, 0);
	char h = queue_id_hash(sv_z(s->w[7].h.id));
	s->rc[7] = end_large(s, 7);
	for (size_t i = 0; i < 7; i++)
		s->begun[i] = begin_large(s, i, h);
	s->rc[6] = end_large(s, 6);
	s->left = 6;
	for (size_t i = 0; i < 6; i++) {
		struct end *x = mem_alloc(sizeof(*x));
		*x = (struct end){ s, i };
		if (!fiber_spawn("end", 0, end_one, x))
			abort();
	}
}

static void a_failed_fsync_fails_all_that_are_older(UNUSED void **state)
{
	char *dir = tmpdir_new(), spool[300];
	struct err e = ERR_INIT;
	struct shared *s = mem_alloc(sizeof(*s));
	(void)snprintf(spool, sizeof(spool), "%s/failing", dir);
	assert_int_equal(mkdir(spool, 0700), 0);
	assert_int_equal(queue_open(&s->q, spool, &e), 0);
	assert_int_equal(queue_create_dirs(&s->q, &e), 0);
	assert_int_equal(fiber_main(failing_main, s), 0);
	for (size_t i = 0; i < ARRAY_LEN(s->w); i++) {
		assert_int_equal(s->begun[i], 0);
		assert_int_equal(s->rc[i], i == 0 || i == 7 ? 0 : -1);
		if (i == 0 || i == 7)
			continue;
		assert_int_equal(s->e[i].cls, ERR_TEMP);
		assert_int_equal(s->e[i].sys_errno, EIO);
		assert_non_null(strstr(s->e[i].text, "fsync queue directory incoming/"));
	}
	assert_int_equal(count_files(&s->q, QUEUE_DIR_INCOMING), 2);
	queue_close(&s->q);
	free(s);
	tmpdir_remove(dir);
}
#endif

int main(void)
{
#ifdef MERPATI_FAULTS
	setenv("MERPATI_FAULT", FAULT, 1);
#endif
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commits_small_large_and_none),
		cmocka_unit_test(two_hundred_at_once),
		cmocka_unit_test(one_bad_directory_fails_its_own_mails),
		cmocka_unit_test(a_missing_directory_is_temporary),
		cmocka_unit_test(a_turn_that_does_not_come_is_temporary),
#ifdef MERPATI_FAULTS
		cmocka_unit_test(a_failed_fsync_fails_all_that_are_older),
#endif
	};
	return cmocka_run_group_tests_name("queue_commit", tests, NULL, NULL);
}
