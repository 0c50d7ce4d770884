/*
 * sendmail/postdrop.c - write a mail into maildrop/ while nobody takes it on the submit socket.
 *
 * In a system instance this is the one set-gid program: it believes nothing but what drop_next() lets
 * through, uses no path and no environment of the caller (config_dir_default()), and ends without a file
 * when anything is wrong. Exit 0 means: fsynced, file and directory.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>

#include "lib/config/params.h"
#include "lib/map/userlist.h"
#include "lib/queue/drop_file.h"
#include "lib/queue/queue_dir.h"
#include "lib/sys/clock.h"
#include "lib/sys/fault.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

struct drop {
	struct queue q;
	struct params_core core;
	char path[QUEUE_PATH_MAX];
	int fd;            /* -1: no file */
	uid_t owner;       /* of maildrop/ */
	int dir;           /* maildrop/, opened before the file is made: see queue_open_dir(); -1: not readable */
	struct buf in;
	struct drop_reader reader;
};

static void discard(struct drop *d)
{
	if (d->fd >= 0)
		(void)sys_unlinkat(d->q.root, d->path, 0);
}

static void fail(struct drop *d, int code, const char *fmt, ...) PRINTF_LIKE(3, 4) NORETURN;
static void fail(struct drop *d, int code, const char *fmt, ...)
{
	va_list ap;
	discard(d);
	fprintf(stderr, "postdrop: fatal: uid=%u: ", (unsigned)getuid());
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(code);
}

/* authorized_submit_users, by login name. */
static void check_user(struct drop *d, const char *list)
{
	struct maps_env env = { 0 };
	struct err e = ERR_INIT;
	char name[USERLIST_NAME_MAX];
	struct userlist *users;
	int rc = userlist_open("authorized_submit_users", list, &env, &users, &e);
	if (rc == 0)
		rc = userlist_allows(users, getuid(), name, &e);
	if (rc < 0)
		fail(d, EX_TEMPFAIL, "%s", e.text);
	if (rc == 0)
		fail(d, EX_NOPERM, "User %s(%u) is not allowed to submit mail", name, (unsigned)getuid());
	userlist_free(users);
}

static void create(struct drop *d)
{
	char id[QUEUE_ID_MAX + 1];
	struct timespec now = clock_wall();
	struct stat st;
	queue_id_make((int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, id);
	if (queue_path(QUEUE_DIR_MAILDROP, sv_z(id), d->path) < 0)
		fail(d, EX_SOFTWARE, "bad queue id %s", id);
	/* a set-gid process may write, not read there: the file's fsync has to do on such a directory */
	d->dir = sys_openat(d->q.root, queue_dir_name(QUEUE_DIR_MAILDROP), O_RDONLY | O_DIRECTORY, 0);
	if (d->dir < 0 && errno != EACCES)
		fail(d, EX_TEMPFAIL, "cannot open %s/maildrop: %s", d->core.queue_directory, strerror(errno));
	d->fd = sys_openat(d->q.root, d->path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0600);
	if (d->fd < 0)
		fail(d, EX_TEMPFAIL, "cannot create %s/%s: %s", d->core.queue_directory, d->path,
			strerror(errno));
	if (sys_fstatat(d->q.root, "maildrop", &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail(d, EX_TEMPFAIL, "%s/maildrop: %s", d->core.queue_directory, strerror(errno));
	d->owner = st.st_uid;
	/* root may submit in somebody's private instance, whose pickup could not open root's file */
	if (geteuid() == 0 && sys_fstat(d->q.root, &st) == 0 && st.st_uid != 0 &&
		fchown(d->fd, st.st_uid, st.st_gid) < 0)
		fail(d, EX_TEMPFAIL, "cannot give %s to uid %u: %s", d->path, (unsigned)st.st_uid,
			strerror(errno));
	/* of a system instance the file is the caller's, and pickup's account must be able to read it: nobody else
	 * gets through its directory */
	if (geteuid() != d->owner && sys_fchmod(d->fd, 0644) < 0)
		fail(d, EX_TEMPFAIL, "cannot change the mode of %s: %s", d->path, strerror(errno));
}

static void take(struct drop *d, struct sv octets)
{
	long limit = d->core.message_size_limit;
	size_t at = 0;
	int rc = 1;
	if (buf_put_sv(&d->in, octets) < 0)
		fail(d, EX_DATAERR, "a record is too long");
	while (rc == 1) {
		struct drop_record r;
		size_t used = 0;
		const char *why = NULL;
		rc = drop_next(&d->reader, sv_from(buf_sv(&d->in), at), &r, &used, &why);
		if (rc < 0)
			fail(d, EX_DATAERR, "malformed input: %s", why);
		at += used;
	}
	if (limit > 0 && d->reader.content > (uint64_t)limit)
		fail(d, EX_UNAVAILABLE, "message file too big");
	buf_consume(&d->in, at);
	if (sys_write_all(d->fd, octets.p, octets.len) < 0)
		fail(d, EX_TEMPFAIL, "cannot write %s/%s: %s", d->core.queue_directory, d->path,
			strerror(errno));
}

static void finish(struct drop *d)
{
	if (!drop_ended(&d->reader) || d->in.len > 0)
		fail(d, EX_DATAERR, "the input ends too early");
	/* the bit that says "finished", before the sync that makes both last */
	if (sys_fchmod(d->fd, geteuid() == d->owner ? 0700 : 0744) < 0 || sys_fsync(d->fd) < 0)
		fail(d, EX_TEMPFAIL, "cannot sync %s/%s: %s", d->core.queue_directory, d->path,
			strerror(errno));
	if (d->dir >= 0 && sys_fsync(d->dir) < 0)
		fail(d, EX_TEMPFAIL, "cannot sync %s/maildrop: %s", d->core.queue_directory, strerror(errno));
}

/* Tell pickup; without it the mail waits for the next scan. */
static void wake_pickup(const struct drop *d)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "public/%.80s", d->core.pickup_service_name);
	if (fd >= 0 && chdir(d->core.queue_directory) == 0)
		(void)sys_connect(fd, (const struct sockaddr *)&sa, sizeof(sa));
}

int main(int argc, char **argv)
{
	static struct drop d = { .fd = -1 };
	static char octets[65536];
	struct params_sendmail p;
	struct err e = ERR_INIT;
	const char *dir = NULL;
	ssize_t n;
	int c;
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return EX_OSERR;
	if (argc < 1)
		return EX_USAGE;
	log_init("merpati/postdrop");
#ifdef MERPATI_FAULTS
	if (fault_sites_asked(argc, argv))
		return EX_OK;
#endif
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	umask(077);
	while ((c = getopt(argc, argv, "c:rv")) >= 0) {
		if (c == 'c')
			dir = optarg;
		else if (c == '?')
			fail(&d, EX_USAGE, "usage: postdrop [-c config_dir] [-v]");
	}
	if (dir && getegid() != getgid() && !config_dir_allowed(dir))
		fail(&d, EX_NOPERM, "%s is not in alternate_config_directories", dir);
	struct config *cfg = config_open(dir, &e);
	if (!cfg || params_core_load(cfg, &d.core, &e) < 0 || params_sendmail_load(cfg, &p, &e) < 0)
		fail(&d, EX_CONFIG, "%s", e.text);
	log_connect(d.core.queue_directory);
	if (queue_open(&d.q, d.core.queue_directory, &e) < 0)
		fail(&d, EX_TEMPFAIL, "%s", e.text);
	check_user(&d, p.authorized_submit_users);
	buf_init(&d.in, 1024 * 1024);
	create(&d);
	while ((n = sys_read(STDIN_FILENO, octets, sizeof(octets))) > 0)
		take(&d, sv_n(octets, (size_t)n));
	if (n < 0)
		fail(&d, EX_IOERR, "cannot read: %s", strerror(errno));
	finish(&d);
	wake_pickup(&d);
	buf_free(&d.in);
	queue_close(&d.q);
	config_free(cfg);
	return EX_OK;
}
