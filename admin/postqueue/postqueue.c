/* admin/postqueue/postqueue.c - list the queue (showq), ask for delivery now (qmgr). */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>

#include "admin/postqueue/postqueue.h"
#include "lib/base/buf.h"
#include "lib/clnt/clnt_qmgr.h"
#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/ipc.h"
#include "lib/mail/addr.h"
#include "lib/queue/queue_list.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

enum { GROUP_MAX = 64 * 1024 * 1024, FLUSH_MS = 60 * 1000 };

enum mode { MODE_NONE, MODE_TABLE, MODE_JSON, MODE_FLUSH, MODE_SITE, MODE_ID };

static void fatal(int code, const char *fmt, ...) PRINTF_LIKE(2, 3) NORETURN;
static void fatal(int code, const char *fmt, ...)
{
	va_list ap;
	fputs("postqueue: fatal: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(code);
}

/* Connect to public/NAME of the instance (relative: paths may be longer than a socket address). */
static int dial(const char *spool, const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "public/%.80s", name);
	if (fd >= 0 && (chdir(spool) < 0 || sys_connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)) {
		int saved = errno;
		sys_close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* --- list ------------------------------------------------------------------------------------------ */

/* Octets of the first whole group in IN (up to an empty name), or 0. */
static size_t group_length(struct sv in)
{
	struct sv rest = in, name, value;
	while (queue_list_take(&rest, &name) == 1) {
		if (name.len == 0)
			return in.len - rest.len;
		if (queue_list_take(&rest, &value) != 1)
			return 0;
	}
	return 0;
}

static void list_from(int fd, struct listing *l)
{
	struct buf b;
	ssize_t n = 1;
	size_t len, last = 0;
	buf_init(&b, GROUP_MAX);
	while (n > 0) {
		char *room = buf_room(&b, 65536);
		if (!room)
			fatal(EX_SOFTWARE, "malformed showq server response");
		n = sys_read(fd, room, 65536);
		if (n < 0)
			fatal(EX_IOERR, "read from showq: %s", strerror(errno));
		buf_added(&b, (size_t)n);
		while ((len = group_length(buf_sv(&b))) > 0) {
			if (!listing_group(l, sv_upto(buf_sv(&b), len)))
				fatal(EX_SOFTWARE, "malformed showq server response");
			buf_consume(&b, len);
			last = len;
		}
	}
	/* an answer begins with the protocol's name and ends with a group that is empty */
	if (last == 0 && b.len == 0)
		fatal(EX_NOPERM, "Queue report unavailable - you are not in authorized_mailq_users (or see the log)");
	if (b.len > 0 || last != 1)
		fatal(EX_IOERR, "the report ends too early: see the log");
	buf_free(&b);
}

static bool direct_sink(void *ctx, struct sv octets)
{
	return listing_group(ctx, octets);
}

static void list(const struct params_core *core, enum list_format format)
{
	struct listing l = { .format = format, .out = stdout };
	struct err e = ERR_INIT;
	struct queue q;
	int fd = dial(core->queue_directory, core->showq_service_name);
	if (fd >= 0) {
		list_from(fd, &l);
	} else {
		const char *why = strerror(errno);
		if (queue_open(&q, core->queue_directory, &e) < 0)
			fatal(EX_UNAVAILABLE, "Queue report unavailable - mail system is down");
		fprintf(stderr,
			"postqueue: warning: Mail system is down -- accessing queue directly (%s)\n", why);
		if (queue_list(&q, direct_sink, &l, &e) < 0)
			fatal(EX_UNAVAILABLE, "Queue report unavailable - mail system is down: %s", e.text);
	}
	listing_end(&l);
	if (fflush(stdout) != 0)
		fatal(EX_IOERR, "output write error: %s", strerror(errno));
}

/* --- flush ----------------------------------------------------------------------------------------- */

static int dial_qmgr(void *ctx, UNUSED const char *endpoint, UNUSED int64_t deadline, struct err *e)
{
	const struct params_core *core = ctx;
	int fd = dial(core->queue_directory, core->queue_service_name);
	return fd < 0 ? err_sys(e, errno, "connect to qmgr") : fd;
}

static void flush(struct params_core *core, struct sv site, struct sv id)
{
	struct err e = ERR_INIT;
	struct ipc_pool *pool = ipc_pool_new("qmgr", 1, dial_qmgr, core);
	struct clnt_qmgr *qmgr = clnt_qmgr_new(pool);
	int rc = clnt_qmgr_flush(qmgr, &site, site.len ? 1 : 0, &id, id.len ? 1 : 0,
		fiber_deadline(FLUSH_MS), &e);
	if (rc < 0)
		fatal(EX_UNAVAILABLE, "Cannot flush mail queue - mail system is down (%s)", e.text);
	if (rc == 0)
		fatal(e.cls == ERR_PERM ? EX_NOPERM : EX_UNAVAILABLE, "Cannot flush mail queue - %s", e.text);
	clnt_qmgr_free(qmgr);
	ipc_pool_free(pool);
}

static void usage(void)
{
	fatal(EX_USAGE, "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | "
			"postqueue -s site");
}

static void set_mode(enum mode *mode, enum mode wanted)
{
	if (*mode != MODE_NONE)
		usage();
	*mode = wanted;
}

int main(int argc, char **argv)
{
	struct params_core core;
	struct err e = ERR_INIT;
	enum mode mode = MODE_NONE;
	const char *dir = NULL, *site = "", *id = "";
	int c;
	log_init("merpati/postqueue");
	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt(argc, argv, "c:fi:jps:v")) >= 0) {
		switch (c) {
		case 'c': dir = optarg; break;
		case 'f': set_mode(&mode, MODE_FLUSH); break;
		case 'i': set_mode(&mode, MODE_ID); id = optarg; break;
		case 'j': set_mode(&mode, MODE_JSON); break;
		case 'p': set_mode(&mode, MODE_TABLE); break;
		case 's': set_mode(&mode, MODE_SITE); site = optarg; break;
		case 'v': break;
		default: usage();
		}
	}
	if (mode == MODE_NONE || optind < argc)
		usage();
	if (mode == MODE_ID && !queue_id_valid(sv_z(id)))
		fatal(EX_USAGE, "Cannot flush queue ID - invalid name: \"%.100s\"", id);
	struct sv host = sv_z(site);
	if (mode == MODE_SITE && !addr_domain_valid(host, 0) && !addr_literal_ip(host, &(struct sv){ 0 }, &c))
		fatal(EX_USAGE, "Cannot flush mail queue - invalid destination: \"%.100s\"", site);
	struct config *cfg = config_open(dir, &e);
	if (!cfg || params_core_load(cfg, &core, &e) < 0)
		fatal(EX_CONFIG, "%s", e.text);
	if (mode == MODE_TABLE || mode == MODE_JSON)
		list(&core, mode == MODE_JSON ? LIST_JSON : LIST_TABLE);
	else
		flush(&core, host, sv_z(id));
	config_free(cfg);
	return EX_OK;
}
