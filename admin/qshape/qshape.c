/* admin/qshape/qshape.c - qshape(1): arguments, and the way through the queue. */
#include <stdarg.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/qshape/qshape_table.h"
#include "lib/base/num.h"
#include "lib/config/params.h"
#include "lib/queue/queue_list.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

enum { MAIL_MAX = 64 * 1024 * 1024 };

static void fatal(int code, const char *fmt, ...) PRINTF_LIKE(2, 3) NORETURN;
static void fatal(int code, const char *fmt, ...)
{
	va_list ap;
	fputs("qshape: fatal: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(code);
}

static void usage(void) NORETURN;
static void usage(void)
{
	fatal(EX_USAGE, "usage: qshape [-lps] [-b buckets] [-c config_dir] [-m subdomains] [-t minutes] [-w width] "
			"[queue ...]");
}

/* The domain of an address in external form. */
static struct sv domain_of(struct sv address)
{
	for (size_t at = address.len; at > 0; at--)
		if (address.p[at - 1] == '@')
			return sv_from(address, at);
	return SV_NONE;
}

struct walk {
	struct qshape *table;
	bool senders;
	int64_t now;
};

/* OCTETS of one mail (queue_list.h). */
static void count_mail(const struct walk *w, struct sv octets)
{
	struct sv name, value;
	uint64_t arrival = 0;
	while (queue_list_take(&octets, &name) == 1 && name.len > 0 && queue_list_take(&octets, &value) == 1) {
		bool sender = sv_eqz(name, "sender");
		if (sv_eqz(name, "time"))
			(void)!num_u64(value, &arrival);
		else if (sender ? w->senders : !w->senders && sv_eqz(name, "recipient"))
			qshape_count(w->table, domain_of(value), w->now - (int64_t)arrival);
	}
}

static void walk_queue(struct queue *q, enum queue_name n, const struct walk *w)
{
	struct queue_scan scan;
	char id[QUEUE_ID_MAX + 1];
	struct err e = ERR_INIT;
	struct buf b;
	int rc;
	buf_init(&b, MAIL_MAX);
	queue_scan_start(&scan, q, n);
	while ((rc = queue_scan_next(&scan, id, &e)) == 1) {
		struct err unreadable = ERR_INIT;
		buf_reset(&b);
		if (queue_list_mail(q, n, sv_z(id), &b, &unreadable) == 1)
			count_mail(w, buf_sv(&b));
		else if (unreadable.sys_errno != 0)
			fprintf(stderr, "qshape: warning: %s: %s\n", id, unreadable.text);
	}
	queue_scan_end(&scan);
	buf_free(&b);
	if (rc < 0)
		fatal(EX_NOPERM, "%s", e.text);
}

static bool is_queue(const char *name, enum queue_name *out)
{
	static const enum queue_name queues[] = { QUEUE_DIR_MAILDROP, QUEUE_DIR_INCOMING, QUEUE_DIR_ACTIVE,
		QUEUE_DIR_DEFERRED, QUEUE_DIR_HOLD };
	for (size_t i = 0; i < ARRAY_LEN(queues); i++)
		if (strcmp(queue_dir_name(queues[i]), name) == 0) {
			*out = queues[i];
			return true;
		}
	return false;
}

static unsigned number(const char *text, unsigned least, unsigned most)
{
	uint32_t n;
	if (num_u32(sv_z(text), &n) < 0 || n < least || n > most)
		fatal(EX_USAGE, "%s: give a number from %u to %u", text, least, most);
	return n;
}

int main(int argc, char **argv)
{
	struct qshape_options o = { .buckets = 9, .minutes = 5, .min_subdomains = 5, .width = 80 };
	struct params_core core;
	struct err e = ERR_INIT;
	struct qshape table;
	struct walk w = { .table = &table };
	struct queue q;
	const char *dir = NULL;
	int c;
	log_init("merpati/qshape");
	while ((c = getopt(argc, argv, "b:c:lm:pst:w:")) >= 0) {
		switch (c) {
		case 'b': o.buckets = number(optarg, 2, QSHAPE_BUCKETS_MAX) - 1; break;
		case 'c': dir = optarg; break;
		case 'l': o.linear = true; break;
		case 'm': o.min_subdomains = number(optarg, 1, 1000000); break;
		case 'p': o.parents = true; break;
		case 's': w.senders = true; break;
		case 't': o.minutes = number(optarg, 1, 1000000); break;
		case 'w': o.width = number(optarg, 40, 10000); break;
		default: usage();
		}
	}
	enum queue_name n;
	for (int i = optind; i < argc; i++)
		if (!is_queue(argv[i], &n))
			fatal(EX_USAGE, "%s: the queues are maildrop, incoming, active, deferred, hold", argv[i]);
	struct config *cfg = config_open(dir, &e);
	if (!cfg || params_core_load(cfg, &core, &e) < 0)
		fatal(EX_CONFIG, "%s", e.text);
	if (queue_open(&q, core.queue_directory, &e) < 0)
		fatal(EX_NOPERM, "%s", e.text);
	qshape_init(&table, &o);
	w.now = clock_wall_s();
	if (optind == argc) {
		walk_queue(&q, QUEUE_DIR_INCOMING, &w);
		walk_queue(&q, QUEUE_DIR_ACTIVE, &w);
	}
	for (int i = optind; i < argc; i++)
		if (is_queue(argv[i], &n))
			walk_queue(&q, n, &w);
	qshape_print(&table, stdout);
	qshape_free(&table);
	config_free(cfg);
	if (fflush(stdout) != 0)
		fatal(EX_IOERR, "cannot write to standard output");
	return EX_OK;
}
