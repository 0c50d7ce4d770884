/*
 * pickup/pickup_scan.c - maildrop/: what postdrop and postsuper -r left there goes to cleanup, then away.
 *
 * A file counts when its owner may execute it: postdrop sets that bit last. A kill between cleanup's
 * commit and the unlink makes the mail come again; its nonce is made from the file's name, so that both
 * have the same delivery key and a Maildir gets it once.
 */
#include <errno.h>

#include "lib/fiber/fiber.h"
#include "lib/server/server.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "pickup/pickup.h"

enum {
	SCAN_MS = 60 * 1000,
	STALE_S = 24 * 3600, /* an unfinished file older than that is nobody's any more */
	READ_MAX = 64 * 1024,
};

/* What becomes of a file. */
enum fate { FATE_KEEP, FATE_REMOVE, FATE_CORRUPT };

static int feed_file(struct pickup_mail *m, int fd, struct err *e)
{
	char *octets = mem_alloc(READ_MAX);
	int rc = 0;
	ssize_t n;
	off_t at = 0;
	do {
		n = sys_pread(fd, octets, READ_MAX, at);
		if (n < 0)
			rc = err_sys(e, errno, "read");
		else if (n > 0)
			rc = pickup_mail_feed(m, sv_n(octets, (size_t)n), e);
		at += n;
	} while (n > 0 && rc == 0);
	free(octets);
	return rc;
}

static enum fate refused(struct pickup *p, const char *id, struct pickup_mail *m, const char *text)
{
	struct err e = ERR_INIT;
	if (m->o.sender.len == 0) {
		log_warn("maildrop/%s: refused: %s; it has no sender to tell: kept in corrupt/", id, text);
		return FATE_CORRUPT;
	}
	if (pickup_notice(p, sv_z(id), m->o.sender, text, buf_sv(&m->head), &e) < 0) {
		log_warn("maildrop/%s: refused: %s; its sender cannot be told now: %s", id, text, e.text);
		return FATE_KEEP;
	}
	log_warn("maildrop/%s: from=<%.*s>, refused: %s; sender was told", id, SV_ARG(m->o.sender), text);
	return FATE_REMOVE;
}

static enum fate take_drop(struct pickup *p, const char *id, int fd, const struct stat *st)
{
	struct pickup_mail m;
	struct clnt_cleanup_result r;
	struct err e = ERR_INIT;
	enum fate fate = FATE_KEEP;
	pickup_mail_init(&m, p, (int64_t)st->st_uid);
	m.o.parent_nonce = PICKUP_OF_FILE;
	m.o.expansion = sv_z(id);
	int rc = feed_file(&m, fd, &e);
	if (rc == 0)
		rc = pickup_mail_end(&m, &r, &e);
	if (rc < 0 && m.malformed) {
		log_warn("maildrop/%s: uid=%u, not a mail: %s", id, (unsigned)st->st_uid, m.why);
		fate = FATE_CORRUPT;
	} else if (rc < 0) {
		log_warn("maildrop/%s: %s; will be tried again", id, e.text);
	} else if (r.status == CLEANUP_COMMITTED) {
		fate = FATE_REMOVE;
	} else if (r.status == CLEANUP_TEMP) {
		log_warn("maildrop/%s: %s; will be tried again", id, r.text);
	} else {
		fate = refused(p, id, &m, r.text);
	}
	pickup_mail_fini(&m);
	return fate;
}

static enum fate take_requeued(struct pickup *p, const char *id, int fd)
{
	struct err e = ERR_INIT;
	int rc = pickup_requeue(p, fd, &e);
	if (rc == 1)
		return FATE_REMOVE;
	log_warn("maildrop/%s: cannot be requeued: %s", id, e.text);
	return rc == 0 ? FATE_CORRUPT : FATE_KEEP;
}

static enum fate take_file(struct pickup *p, const char *id, int fd)
{
	struct stat st;
	char magic[8] = { 0 };
	if (sys_fstat(fd, &st) < 0)
		return FATE_KEEP;
	if (!(st.st_mode & S_IXUSR)) {
		if (clock_wall_s() - (int64_t)st.st_mtime < STALE_S)
			return FATE_KEEP;
		log_warn("maildrop/%s: uid=%u, never finished: removed", id, (unsigned)st.st_uid);
		return FATE_REMOVE;
	}
	if (sys_pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && memcmp(magic, "MERPATIQ", 8) == 0 &&
		st.st_uid == geteuid())
		return take_requeued(p, id, fd);
	return take_drop(p, id, fd, &st);
}

/* What maildrop/NAME, which could not be taken, is; NULL: a file like any other, this is trouble of ours. */
static const char *odd_kind(struct pickup *p, const char *name, int sys_errno)
{
	char path[300];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/%s", queue_dir_name(QUEUE_DIR_MAILDROP), name);
	if (sys_fstatat(p->queue.root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	if (S_ISDIR(st.st_mode))
		return "a directory";
	if (S_ISLNK(st.st_mode))
		return "a symbolic link";
	if (!S_ISREG(st.st_mode))
		return "no regular file";
	if (st.st_nlink > 1)
		return "a file with more than one name";
	if (!queue_id_valid(sv_z(name)))
		return "a file whose name is no queue id of merpati";
	return sys_errno == EACCES ? "a file that mail_owner may not read" : NULL;
}

/* Every name once, not at each scan. False: there is nothing odd about it. */
static bool tell_odd(struct pickup *p, const char *name, int sys_errno)
{
	const char *kind = odd_kind(p, name, sys_errno);
	if (kind && pickup_odd_note(&p->odd, sv_z(name)))
		log_warn("maildrop/%s: %s: never taken, it stays; look at it, then move it away or remove it", name,
			kind);
	return kind != NULL;
}

static void odd_name(void *ctx, const char *name)
{
	(void)tell_odd(ctx, name, 0);
}

static void take_one(struct pickup *p, const char *id)
{
	struct sv name = sv_z(id);
	struct err e = ERR_INIT;
	int fd = -1;
	int rc = queue_open_mail(&p->queue, QUEUE_DIR_MAILDROP, name, O_RDONLY, &fd, &e);
	if (rc < 0 && tell_odd(p, id, e.sys_errno))
		return;
	if (rc == 1) {
		enum fate fate = take_file(p, id, fd);
		sys_close(fd);
		if (fate == FATE_REMOVE)
			rc = queue_remove(&p->queue, QUEUE_DIR_MAILDROP, name, &e);
		else if (fate == FATE_CORRUPT)
			rc = queue_move(&p->queue, QUEUE_DIR_MAILDROP, QUEUE_DIR_CORRUPT, name, &e);
	}
	if (rc < 0)
		log_warn("maildrop/%s: %s", id, e.text);
}

void pickup_scan(void *arg)
{
	struct pickup *p = arg;
	while (!server_is_stopping(p->server)) {
		struct queue_scan scan;
		char id[QUEUE_ID_MAX + 1];
		struct err e = ERR_INIT;
		fiber_event_clear(p->wake);
		queue_scan_start(&scan, &p->queue, QUEUE_DIR_MAILDROP);
		scan.odd_name = odd_name;
		scan.odd_ctx = p;
		int rc;
		while ((rc = queue_scan_next(&scan, id, &e)) == 1 && !server_is_stopping(p->server))
			take_one(p, id);
		queue_scan_end(&scan);
		if (rc < 0)
			log_warn("maildrop: %s", e.text);
		size_t more = pickup_odd_end(&p->odd, rc == 0);
		if (more > 0)
			log_warn("maildrop/ holds %zu more names like the %d before, which are not listed", more,
				PICKUP_ODD_MAX);
		if (fiber_event_wait(p->wake, fiber_deadline(SCAN_MS)) < 0)
			return;
	}
}
