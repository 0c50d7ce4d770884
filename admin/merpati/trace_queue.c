/* admin/merpati/trace_queue.c - mails that are in the queue now. */
#include <fcntl.h>
#include <time.h>

#include "admin/merpati/trace.h"
#include "lib/base/num.h"
#include "lib/queue/queue_list.h"
#include "lib/queue/queue_mail.h"
#include "lib/sys/sys.h"

#define MAIL_MAX (64 * 1024 * 1024)

static const enum queue_name queues[] = { QUEUE_DIR_INCOMING, QUEUE_DIR_ACTIVE, QUEUE_DIR_DEFERRED, QUEUE_DIR_HOLD };

/* Message-ids are kept with their brackets. */
static struct sv without_brackets(struct sv s)
{
	return s.len > 1 && s.p[0] == '<' && s.p[s.len - 1] == '>' ? sv_sub(s, 1, s.len - 2) : s;
}

static bool mail_matches(const struct trace *t, const struct queue_mail *m)
{
	struct queue_rcpt_cursor c;
	struct queue_rcpt r;
	struct err e = ERR_INIT;
	bool found = false;
	if (t->kind == TRACE_MESSAGE_ID)
		return trace_matches(t, without_brackets(m->facts.message_id));
	if (trace_matches(t, m->facts.sender))
		return true;
	queue_rcpt_start(&c, m, 0);
	while (!found && queue_rcpt_next(&c, &r, &e) == 1)
		found = trace_matches(t, r.address) || trace_matches(t, r.original);
	queue_rcpt_end(&c);
	return found;
}

static void look_at(struct trace *t, struct queue *q, enum queue_name n, const char *id)
{
	struct queue_mail m;
	struct err e = ERR_INIT;
	int fd = -1;
	if (queue_open_mail(q, n, sv_z(id), O_RDONLY, &fd, &e) != 1)
		return;
	if (queue_mail_open(&m, fd, &e) == QUEUE_FILE_OK) {
		if (mail_matches(t, &m))
			(void)trace_mail(t, sv_z(id));
		queue_mail_close(&m);
	}
	sys_close(fd);
}

int trace_queue(struct trace *t, struct queue *q, struct err *e)
{
	enum queue_name n;
	char id[QUEUE_ID_MAX + 1];
	if (t->kind == TRACE_ID) {
		int rc = queue_find(q, sv_z(t->asked), &n, e);
		if (rc == 1)
			(void)trace_mail(t, sv_z(t->asked));
		return rc < 0 ? -1 : 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(queues); i++) {
		struct queue_scan scan;
		int rc;
		queue_scan_start(&scan, q, queues[i]);
		while ((rc = queue_scan_next(&scan, id, e)) == 1)
			look_at(t, q, queues[i], id);
		queue_scan_end(&scan);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static void print_time(const char *what, int64_t when)
{
	char stamp[64];
	time_t t = (time_t)when;
	struct tm tm;
	localtime_r(&t, &tm);
	strftime(stamp, sizeof(stamp), "%a %b %e %H:%M:%S", &tm);
	printf("%s%s", what, stamp);
}

int trace_queue_print(struct queue *q, const char *id, struct err *e)
{
	enum queue_name n;
	struct buf b;
	struct sv rest, name, value;
	int rc = queue_find(q, sv_z(id), &n, e);
	if (rc != 1)
		return rc;
	if (n == QUEUE_DIR_CORRUPT) {
		printf("  %s is in corrupt/: its file is damaged\n", id);
		return 1;
	}
	buf_init(&b, MAIL_MAX);
	rc = queue_list_mail(q, n, sv_z(id), &b, e);
	if (rc == 1)
		printf("  %s is in %s/", id, queue_dir_name(n));
	for (rest = buf_sv(&b); rc == 1 && queue_list_take(&rest, &name) == 1 && name.len > 0 &&
		queue_list_take(&rest, &value) == 1;) {
		uint64_t when;
		if (sv_eqz(name, "next_attempt") && num_u64(value, &when) == 1)
			print_time(", next attempt ", (int64_t)when);
		else if (sv_eqz(name, "recipient"))
			printf("\n    waits: %.*s", SV_ARG(value));
		else if (sv_eqz(name, "reason") && value.len > 0)
			printf(" (%.*s)", SV_ARG(value));
	}
	if (rc == 1)
		putchar('\n');
	buf_free(&b);
	return rc;
}
