#include "lib/reader/reader.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/clnt/clnt_maillock.h"
#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/server/server_handed.h"
#include "lib/store/spool.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

struct reader {
	struct server *server;
	struct reader_def def;
	struct store *store;
	struct server_handed *handed;
	struct maillock *lock; /* NULL: not needed */
	struct store_spool spool;
};

/*
 * The jail leaves no way to connect, and maillock believes what the kernel says of whoever connected: both are made
 * between the change of the uid and the jail. Requests go over .fd; .alive is only looked at: when it ends, so did the
 * other one.
 */
struct maillock {
	char *dir;
	int fd, alive;
};

/* A directory of mail, made where it is missing, because nothing above it will be reachable. */
static int own_dir(struct server *s, const char *dir, struct err *e)
{
	if (sys_mkdir(dir, 0700) < 0 && errno != EEXIST && errno != EACCES)
		return err_sys(e, errno, "make %s", dir);
	/* auth's connection is all that it has, and it makes no other one */
	server_give_up(s, JAIL_UNIX);
	return server_allow_write(s, dir);
}

/* The directory that FILE lies in. */
static int dir_of(struct server *s, struct sv file, struct err *e)
{
	char dir[4096];
	ptrdiff_t slash = sv_rchr(file, '/');

	if (sv_copyz(sv_upto(file, slash > 0 ? (size_t)slash : 1), dir, sizeof(dir)) < 0)
		return err_set(e, ERR_CONFIG, "the name of a mailbox is too long");
	return server_allow_write(s, dir);
}

/* INBOX lies where its user may not write: maillock does that for him. */
static int connect_maillock(struct server *s, struct sv inbox, struct err *e)
{
	struct params_local local;
	if (params_local_load(server_config(s), &local, e) < 0)
		return -1;
	struct sv dir = sv_z(local.mail_spool_directory);
	ptrdiff_t slash = sv_rchr(inbox, '/');

	while (dir.len > 1 && sv_ends(dir, SV("/")))
		dir = sv_upto(dir, dir.len - 1);
	char *spool = mem_svdup(dir);
	int fd = sys_open(spool, O_RDONLY | O_DIRECTORY, 0);
	bool there = slash > 0 && sv_eq(sv_upto(inbox, (size_t)slash), dir);

	if (!there || fd < 0 || !spool_needed(&(struct store_spool){ .dir = spool }, fd, spool)) {
		sys_close(fd);
		free(spool);
		return 0; /* what is wrong with the directory is told by whoever opens the mailbox */
	}
	sys_close(fd);
	struct maillock *l = mem_alloc(sizeof(*l));

	l->dir = spool;
	l->fd = clnt_maillock_connect(CLNT_MAILLOCK_SOCKET, e);
	l->alive = l->fd < 0 ? -1 : clnt_maillock_connect(CLNT_MAILLOCK_SOCKET, e);
	server_set_state(s, l);
	return l->alive < 0 ? -1 : 0;
}

/* The mailboxes of the one user whose process this is, with his rights. */
static int own_mailbox(struct server *s, const struct clnt_auth_identity *who, struct err *e)
{
	struct store_location l;
	int rc = store_location(who->mail, who->home, &l, e);

	if (rc >= 0)
		rc = own_dir(s, buf_z(&l.path), e);
	if (rc >= 0 && l.inbox.len > 0)
		rc = dir_of(s, buf_sv(&l.inbox), e);
	if (rc >= 0 && l.inbox.len > 0)
		rc = connect_maillock(s, buf_sv(&l.inbox), e);
	if (rc >= 0 && l.index.len > 0)
		rc = own_dir(s, buf_z(&l.index), e);
	store_location_free(&l);
	return rc;
}

/* Directories that mail_location names, up to the first part that depends on the user. */
static int named_dirs(struct server *s, struct sv location, struct err *e)
{
	int rc = 0;
	while (rc >= 0 && !sv_empty(location)) {
		struct sv part = sv_take_until(&location, ':'), rest = part;
		struct sv path = sv_upto(rest, SIZE_MAX);
		if (sv_chr(part, '=') >= 0) {
			(void)sv_take_until(&rest, '=');
			path = rest;
		}
		path = sv_take_until(&path, '%');
		if (path.len > 0 && path.p[0] == '/')
			rc = dir_of(s, path, e);
	}
	return rc;
}

/* A private instance: the users' homes are below its folder, and all its owner's. */
static int all_mailboxes(struct server *s, struct err *e)
{
	struct buf mail;

	buf_init(&mail, 4096);
	int rc = buf_printf(&mail, "%s/mail", config_dir(server_config(s)));

	rc = rc < 0 ? err_set(e, ERR_CONFIG, "the name of the configuration directory is too long")
	            : server_allow_write(s, buf_z(&mail));
	buf_free(&mail);
	return rc;
}

int reader_paths(struct server *s, struct err *e)
{
	const struct clnt_auth_identity *who = server_identity(s);
	struct params_store p;

	if (params_store_load(server_config(s), &p, e) < 0)
		return -1;
	int rc = who ? own_mailbox(s, who, e) : all_mailboxes(s, e);

	if (rc >= 0 && !who)
		rc = named_dirs(s, sv_z(p.mail_location), e);
	if (rc >= 0 && p.mail_index_dir[0])
		rc = server_allow_write(s, p.mail_index_dir);
	return rc;
}

static void serve(void *ctx, const struct clnt_auth_session *session)
{
	const struct reader *r = ctx;

	r->def.serve(r->store, r->def.settings, session);
}

/* Sessions that are there cannot lock the mailbox any more; whoever signs in gets a fresh process. */
static void watch_maillock(void *arg)
{
	struct reader *r = arg;
	if (fiber_wait_fd(r->lock->alive, FIBER_READ, FIBER_FOREVER) == 1)
		server_drain(r->server, "maillock has ended");
}

static int use_maillock(struct reader *r, struct store_options *o, struct err *e)
{
	if (!r->lock)
		return 0;
	r->spool = (struct store_spool){ .dir = r->lock->dir,
		.lock = clnt_maillock_lock,
		.unlock = clnt_maillock_unlock,
		.make = clnt_maillock_make,
		.note = clnt_maillock_note,
		.ctx = clnt_maillock_new_fixed(r->lock->fd) };
	o->spool = &r->spool;
	return fiber_spawn("maillock", 0, watch_maillock, r) ? 0 : err_set(e, ERR_TEMP, "no memory for a fiber");
}

int reader_start(struct server *s, const struct reader_def *def, struct err *e)
{
	struct reader *r = mem_alloc(sizeof(*r));
	struct params_core core;
	struct params_store store;
	struct params_login login;
	struct params_local local;

	if (params_core_load(server_config(s), &core, e) < 0 ||
	        params_local_load(server_config(s), &local, e) < 0 ||
	        params_store_load(server_config(s), &store, e) < 0 ||
	        params_login_load(server_config(s), &login, e) < 0)
		return -1; /* the process ends */
	log_set_tag(login.login_syslog_name);
	struct store_options options = { .host = core.myhostname,
		.index_dir = store.mail_index_dir,
		.any_owner = !local.strict_mailbox_ownership };

	r->server = s;
	r->def = *def;
	r->lock = server_state(s);
	if (use_maillock(r, &options, e) < 0)
		return -1;
	r->store = store_new(&options);
	struct server_handed_def handed = {
		.stack = def->stack,
		.serve = serve,
		.ctx = r,
	};

	server_set_state(s, r);
	r->handed = server_handed_start(s, &handed, e);
	return r->handed ? 0 : -1;
}
