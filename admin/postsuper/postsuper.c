/*
 * admin/postsuper/postsuper.c - the administrator's hand in the queue: delete, hold, release, requeue, check.
 *
 * Every action is one rename or unlink, so that qmgr sees a mail in one place or not at all; a mail that
 * is being delivered at that moment may still be delivered.
 */
#include "admin/postsuper/postsuper.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>

#include "lib/config/params.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define BIT(q) (1u << QUEUE_DIR_##q)

enum { JOBS_MAX = 1000 };

struct action {
	char letter;
	const char *one;       /* "removed" */
	const char *summary;   /* "Deleted" */
	unsigned queues;       /* where to look when no directory is named */
	enum queue_name to;    /* QUEUE_DIR_COUNT: nowhere, remove */
};

static const struct action actions[] = {
	{ 'd', "removed", "Deleted", BIT(HOLD) | BIT(INCOMING) | BIT(ACTIVE) | BIT(DEFERRED),
		QUEUE_DIR_COUNT },
	{ 'h', "placed on hold", "Placed on hold", BIT(INCOMING) | BIT(ACTIVE) | BIT(DEFERRED),
		QUEUE_DIR_HOLD },
	{ 'H', "released from hold", "Released from hold", BIT(HOLD), QUEUE_DIR_DEFERRED },
	{ 'r', "requeued", "Requeued", BIT(HOLD) | BIT(INCOMING) | BIT(ACTIVE) | BIT(DEFERRED),
		QUEUE_DIR_MAILDROP },
};

struct job {
	const struct action *action;
	const char *id; /* "-": ids on stdin; "ALL" */
};

struct state {
	struct params_core core;
	struct queue q;
	struct job jobs[JOBS_MAX];
	size_t njobs;
	unsigned queues;                    /* directories named, 0: none */
	unsigned long done[ARRAY_LEN(actions)];
	bool check, purge;
	int trouble;
};

void ps_say(const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "postsuper: %s\n", text);
	log_info("%s", text);
}

void ps_warn(const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "postsuper: warning: %s\n", text);
	log_warn("%s", text);
}

static void fatal(int code, const char *fmt, ...) PRINTF_LIKE(2, 3) NORETURN;
static void fatal(int code, const char *fmt, ...)
{
	va_list ap;
	fputs("postsuper: fatal: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(code);
}

/* Logs of a mail that goes for good, or starts anew. */
static void remove_logs(struct state *s, struct sv id)
{
	static const enum queue_name logs[] = { QUEUE_DIR_BOUNCE, QUEUE_DIR_DEFER, QUEUE_DIR_TRACE };
	struct err e = ERR_INIT;
	for (size_t i = 0; i < ARRAY_LEN(logs); i++)
		if (queue_remove(&s->q, logs[i], id, &e) < 0)
			ps_warn("%s", e.text);
}

/* pickup takes files that their owner may execute. */
static int make_pickable(struct state *s, enum queue_name n, struct sv id, struct err *e)
{
	int fd = -1;
	int rc = queue_open_mail(&s->q, n, id, O_RDONLY, &fd, e);
	if (rc != 1)
		return rc;
	if (sys_fchmod(fd, 0700) < 0)
		rc = err_sys(e, errno, "chmod");
	sys_close(fd);
	return rc;
}

static int apply(struct state *s, const struct action *a, enum queue_name n, struct sv id, struct err *e)
{
	int rc = 1;
	if (a->to == QUEUE_DIR_COUNT) {
		rc = queue_remove(&s->q, n, id, e);
		if (rc == 1)
			remove_logs(s, id);
		return rc;
	}
	if (a->to == QUEUE_DIR_MAILDROP)
		rc = make_pickable(s, n, id, e);
	if (rc != 1)
		return rc;
	int dir = queue_open_dir(&s->q, a->to, id, e);
	if (dir < 0)
		return -1;
	rc = queue_move(&s->q, n, a->to, id, e);
	if (rc != 1)
		sys_close(dir);
	else if (queue_sync_dir(dir, a->to, id, e) < 0)
		rc = -1;
	if (rc == 1 && a->to == QUEUE_DIR_MAILDROP)
		remove_logs(s, id);
	return rc;
}

/* ID in queue N. True: it was there. */
static bool act_in(struct state *s, const struct action *a, enum queue_name n, struct sv id)
{
	struct err e = ERR_INIT;
	int rc = apply(s, a, n, id, &e);
	if (rc < 0) {
		ps_warn("%.*s: %s", SV_ARG(id), e.text);
		s->trouble = 1;
	} else if (rc == 1) {
		ps_say("%.*s: %s", SV_ARG(id), a->one);
		s->done[a - actions]++;
	}
	return rc == 1;
}

static unsigned queues_of(const struct state *s, const struct action *a)
{
	return s->queues ? s->queues : a->queues;
}

static void act_id(struct state *s, const struct action *a, struct sv id)
{
	if (!queue_id_valid(id)) {
		ps_warn("invalid mail queue id: %.*s", SV_ARG(sv_upto(id, 100)));
		s->trouble = 1;
		return;
	}
	/* twice: a mail that moves between two looks is met at the second */
	for (int look = 0; look < 2; look++)
		for (unsigned n = 0; n < QUEUE_DIR_COUNT; n++)
			if ((queues_of(s, a) & 1u << n) && n != (unsigned)a->to &&
				act_in(s, a, (enum queue_name)n, id))
				return;
}

static void act_all(struct state *s, const struct action *a)
{
	for (unsigned n = 0; n < QUEUE_DIR_COUNT; n++) {
		struct queue_scan scan;
		struct err e = ERR_INIT;
		char id[QUEUE_ID_MAX + 1];
		int rc;
		if (!(queues_of(s, a) & 1u << n) || n == (unsigned)a->to)
			continue;
		queue_scan_start(&scan, &s->q, (enum queue_name)n);
		while ((rc = queue_scan_next(&scan, id, &e)) == 1)
			(void)act_in(s, a, (enum queue_name)n, sv_z(id));
		queue_scan_end(&scan);
		if (rc < 0) {
			ps_warn("%s", e.text);
			s->trouble = 1;
		}
	}
}

static void act_stdin(struct state *s, const struct action *a)
{
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, stdin) >= 0) {
		struct sv id = sv_trim(sv_z(line));
		if (id.len > 0)
			act_id(s, a, id);
	}
	free(line);
}

/* Tell pickup that there is something in maildrop/. */
static void wake_pickup(const struct state *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "public/%.80s", s->core.pickup_service_name);
	if (fd >= 0 && chdir(s->core.queue_directory) == 0)
		(void)sys_connect(fd, (const struct sockaddr *)&sa, sizeof(sa));
	if (fd >= 0)
		sys_close(fd);
}

static NORETURN void usage(void)
{
	fatal(EX_USAGE, "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-h queue_id (hold)] "
			"[-H queue_id (un-hold)] [-p (purge leftovers)] [-r queue_id (requeue)] "
			"[-s (structure fix)] [-S (structure fix)] [-v] [directory...]");
}

static void add_job(struct state *s, char letter, const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (actions[i].letter != letter)
			continue;
		if (s->njobs == JOBS_MAX)
			fatal(EX_USAGE, "more than %d actions: give the ids on standard input", JOBS_MAX);
		s->jobs[s->njobs++] = (struct job){ .action = &actions[i], .id = id };
	}
}

static const char *parse(struct state *s, int argc, char **argv)
{
	const char *dir = NULL;
	int c;
	while ((c = getopt(argc, argv, "c:d:h:H:pr:sSv")) >= 0) {
		switch (c) {
		case 'c': dir = optarg; break;
		case 'd': case 'h': case 'H': case 'r': add_job(s, (char)c, optarg); break;
		case 'p': s->purge = true; break;
		case 's': case 'S': s->check = true; break;
		case 'v': break;
		default: usage();
		}
	}
	for (int i = optind; i < argc; i++) {
		enum queue_name n;
		if (queue_dir_by_name(sv_z(argv[i]), &n) != 1)
			fatal(EX_USAGE, "invalid directory name: %s", argv[i]);
		s->queues |= 1u << n;
	}
	return dir;
}

static void run(struct state *s)
{
	for (size_t i = 0; i < s->njobs; i++) {
		const struct job *j = &s->jobs[i];
		if (strcmp(j->id, "-") == 0)
			act_stdin(s, j->action);
		else if (strcmp(j->id, "ALL") == 0)
			act_all(s, j->action);
		else
			act_id(s, j->action, sv_z(j->id));
	}
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (s->done[i] > 0)
			ps_say("%s: %lu message%s", actions[i].summary, s->done[i],
				s->done[i] == 1 ? "" : "s");
		if (s->done[i] > 0 && actions[i].to == QUEUE_DIR_MAILDROP)
			wake_pickup(s);
	}
}

int main(int argc, char **argv)
{
	static struct state s;
	struct stat st;
	struct err e = ERR_INIT;
	log_init("merpati/postsuper");
	umask(077);
	const char *dir = parse(&s, argc, argv);
	struct config *cfg = config_open(dir, &e);
	if (!cfg || params_core_load(cfg, &s.core, &e) < 0)
		fatal(EX_CONFIG, "%s", e.text);
	(void)log_connect(s.core.queue_directory);
	if (queue_open(&s.q, s.core.queue_directory, &e) < 0)
		fatal(EX_NOPERM, "%s", e.text);
	/* of a system instance queue_directory is root's, what is in it is mail_owner's */
	if (sys_fstatat(s.q.root, "incoming", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		(geteuid() != 0 && geteuid() != st.st_uid))
		fatal(EX_NOPERM, "use of this command is reserved for the superuser and the owner of %s",
			s.core.queue_directory);
	/* what root makes belongs to the instance's owner */
	if (geteuid() == 0 && st.st_uid != 0 &&
		(setgroups(0, NULL) < 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
			setresuid(st.st_uid, st.st_uid, st.st_uid) < 0))
		fatal(EX_NOPERM, "cannot become uid %u: %s", (unsigned)st.st_uid, strerror(errno));
#ifdef MERPATI_SANITIZED /* the leak checker attaches to its own process, which a change of uid forbids */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#endif
	if (s.njobs == 0 && !s.check && !s.purge)
		s.check = s.purge = true;
	if (s.check || s.purge)
		s.trouble |= ps_check(&s.q, s.queues ? s.queues : ~0u, s.purge);
	run(&s);
	queue_close(&s.q);
	config_free(cfg);
	return s.trouble;
}
