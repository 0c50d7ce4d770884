/* A user of this instance: .forward, mailbox, or nobody. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/config/expand.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/alias_grammar.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "local/local.h"

#define AUTH_TIMEOUT_MS (60 * 1000)

/* Names in the order in which a user is looked for: with the domain first, as accounts are named so; a user
 * whose own name has the delimiter in it comes before the extension is cut off. */
int local_who(const struct local_rcpt *r, struct clnt_auth_identity *out, struct err *e)
{
	struct arena *a = r->rq->arena;
	struct sv names[4];
	size_t n = 0;
	const struct sv locals[] = { r->name, r->user };
	for (size_t i = 0; i < (sv_empty(r->ext) ? 1u : 2u); i++) {
		names[n++] =
		        sv_z(arena_printf(a, "%.*s@%.*s", SV_ARG(locals[i]), SV_ARG(r->domain)));
		names[n++] = locals[i];
	}
	for (size_t i = 0; i < n; i++) {
		int rc = clnt_auth_who(
		        r->local->auth, names[i], a, out, fiber_deadline(AUTH_TIMEOUT_MS), e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* --- mailbox -------------------------------------------------- */

/* mailbox_size_limit bounds each file of a Maildir. */
static int size_limit(void *ctx, const struct deliver_request *rq, size_t rcpt,
        struct deliver_decision *out, struct err *e)
{
	const struct local *l = ctx;
	(void)rcpt;
	(void)e;
	if (l->core.mailbox_size_limit > 0 &&
	        rq->content_size > (uint64_t)l->core.mailbox_size_limit) {
		out->verdict = DELIVER_REJECT;
		out->dsn = DSN(5, 2, 3);
		out->text = SV("message is larger than mailbox_size_limit");
	}
	return 0;
}

void local_mailbox(struct local_rcpt *r, const struct clnt_auth_identity *who, bool maybe_before,
        struct deliver_outcome *out)
{
	struct local *l = r->local;
	if (who->uid != getuid()) {
		/* no process of that user can be asked for: the admin must know */
		log_warn("%.*s: <%.*s>: this process has uid %u, the mailbox belongs to uid %u",
		        SV_ARG(r->rq->queue_id), SV_ARG(r->address), (unsigned)getuid(),
		        (unsigned)who->uid);
		*out = (struct deliver_outcome){ .status = DELIVER_DEFERRED,
			.dsn = DSN(4, 3, 5),
			.text = "the mailbox belongs to another system user" };
		return;
	}
	struct sv mail = who->mail;
	if (sv_empty(mail))
		mail = sv_z(arena_printf(r->rq->arena, "maildir:%s",
		        *l->params.home_mailbox ? l->params.home_mailbox : "Maildir/"));
	const struct deliver_decider deciders[] = { { "mailbox_size_limit", size_limit, l } };
	struct deliver_mailbox m = {
		.store = l->store,
		.account = { .owner = who->name,
		        .home = who->home,
		        .mail = mail,
		        .uid = who->uid,
		        .create = true },
		.delivered_to = l->delivered_to_file ? r->address : SV_NONE,
		.deciders = deciders,
		.ndeciders = ARRAY_LEN(deciders),
		.maybe_before = maybe_before,
	};
	struct sv redirect;
	if (deliver_mailbox(r->rq, r->i, &m, out, &redirect) == 0)
		*out = (struct deliver_outcome){
			.status = DELIVER_DEFERRED,
			.dsn = DSN(4, 3, 0),
			.text = "a filter wants to redirect the mail, which nothing here asks for"
		};
}

/* --- .forward -------------------------------------------------- */

struct path_vars {
	const struct local_rcpt *r;
	const struct clnt_auth_identity *who;
	bool used_ext;
};

static int lookup(void *arg, struct sv name, struct sv *out, struct err *e)
{
	struct path_vars *v = arg;
	const struct local_rcpt *r = v->r;
	(void)e;
	*out = SV_NONE;
	if (sv_eqz(name, "home"))
		*out = v->who ? v->who->home : SV_NONE;
	else if (sv_eqz(name, "user"))
		*out = r->user;
	else if (sv_eqz(name, "local"))
		*out = r->name;
	else if (sv_eqz(name, "domain"))
		*out = r->domain;
	else if (sv_eqz(name, "recipient"))
		*out = r->address;
	else if (sv_eqz(name, "extension"))
		*out = r->ext;
	else if (sv_eqz(name, "recipient_delimiter"))
		*out = sv_empty(r->ext) ? SV_NONE : sv_sub(r->name, r->user.len, 1);
	else
		return 0;
	return 1;
}

int local_forward_path(const struct local_rcpt *r, const struct clnt_auth_identity *who,
        struct sv template, struct buf *out, struct err *e)
{
	struct path_vars v = { .r = r, .who = who };
	/* what a stranger wrote in the address can never lead out of the directory */
	struct expand x = { .lookup = lookup, .arg = &v };
	if (sv_chr(r->name, '/') >= 0 || sv_chr(r->name, '\0') >= 0)
		return 0;
	return expand_text(&x, template, out, e) < 0 ? -1 : 1;
}

int local_forward_read(const char *path, uid_t uid, struct buf *text, struct err *e)
{
	int fd = sys_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return err_sys(e, errno, "open %s", path);
	}
	struct stat st;
	int rc = 1;
	if (sys_fstat(fd, &st) < 0)
		rc = err_sys(e, errno, "stat %s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(e, ERR_CONFIG, "%s: not a regular file", path);
	else if (st.st_uid != uid && st.st_uid != 0)
		rc = err_set(e, ERR_CONFIG, "%s: owned by uid %u, must belong to uid %u or root",
		        path, (unsigned)st.st_uid, (unsigned)uid);
	else if (st.st_mode & 022)
		rc = err_set(e, ERR_CONFIG,
		        "%s: writable by group or others (mode %04o): chmod go-w %s", path,
		        (unsigned)(st.st_mode & 07777), path);
	else if (st.st_size > (off_t)LOCAL_FORWARD_MAX)
		rc = err_set(e, ERR_CONFIG, "%s: larger than %u octets", path, LOCAL_FORWARD_MAX);
	while (rc == 1) {
		char *room = buf_room(text, 4096);
		ssize_t n = room ? sys_read(fd, room, 4096) : -1;
		if (n > 0)
			buf_added(text, (size_t)n);
		else if (n < 0)
			rc = err_sys(e, room ? errno : EFBIG, "read %s", path);
		else
			break;
	}
	sys_close(fd);
	return rc;
}

#define FORWARD_PATHS_MAX 8

struct forward_job {
	const char *paths[FORWARD_PATHS_MAX];
	size_t n;
	uid_t uid;
	struct buf *text;
	size_t which;
	int rc;
	struct err err;
};

static void forward_run(void *rec)
{
	struct forward_job *j = rec;
	for (j->which = 0; j->which < j->n && j->rc == 0; j->which++)
		j->rc = local_forward_read(j->paths[j->which], j->uid, j->text, &j->err);
}

/* forward_path expanded, without doubles: one that differs by the extension only is the same without it.
 * 0, or -1 with E. */
static int forward_paths(const struct local_rcpt *r, const struct clnt_auth_identity *who,
        struct forward_job *j, struct err *e)
{
	struct sv list = sv_z(r->local->params.forward_path);
	while (!sv_empty(list)) {
		struct sv word = sv_trim(sv_take_until(&list, ','));
		struct buf path;
		buf_init(&path, 4000);
		int rc = sv_empty(word) ? 0 : local_forward_path(r, who, word, &path, e);
		bool known = path.len == 0;
		for (size_t i = 0; i < j->n; i++)
			known |= sv_eqz(buf_sv(&path), j->paths[i]);
		if (rc == 1 && !known && j->n == FORWARD_PATHS_MAX)
			rc = err_set(e, ERR_CONFIG, "forward_path: more than %d files",
			        FORWARD_PATHS_MAX);
		if (rc == 1 && !known) {
			j->paths[j->n] = arena_strdup(r->rq->arena, buf_sv(&path));
			rc = j->paths[j->n++]
			             ? 1
			             : err_set(e, ERR_TEMP, "out of memory for forward_path");
		}
		buf_free(&path);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* The first file of forward_path that exists. 1 with text and name, 0, -1. */
static int find_forward(const struct local_rcpt *r, const struct clnt_auth_identity *who,
        struct buf *text, const char **name, struct err *e)
{
	struct forward_job j = { .uid = who->uid, .text = text };
	if (forward_paths(r, who, &j, e) < 0)
		return -1;
	if (j.n > 0)
		fiber_offload(FIBER_POOL_LOOKUP, forward_run, &j);
	if (j.rc < 0)
		*e = j.err;
	if (j.rc == 1)
		*name = j.paths[j.which - 1];
	return j.rc;
}

/* 1 there is a .forward that says something else than "keep it", and X tells what; 0; -1 with E. */
static int forward(struct local_rcpt *r, const struct clnt_auth_identity *who,
        struct local_expansion *x, struct err *e)
{
	struct buf text;
	buf_init(&text, LOCAL_FORWARD_MAX + 8192);
	const char *name = NULL;
	struct alias_list list;
	int rc = find_forward(r, who, &text, &name, e);
	if (rc == 1) {
		x->written = arena_sv(r->rq->arena, buf_sv(&text));
		x->sender = r->rq->sender;
		if (!name || !x->written.p)
			rc = err_set(e, ERR_TEMP, ".forward is too large");
		else
			rc = alias_parse(x->written, ALIAS_LINES, name, 1, LOCAL_ITEMS_MAX,
			        r->rq->arena, &list, e);
	}
	if (rc == 1)
		rc = list.count == 0 ? 0 : local_expand(r, &list, r->user, name, x, e) < 0 ? -1 : 1;
	buf_free(&text);
	return rc;
}

/* --- nobody -------------------------------------------------- */

static void unknown(struct local_rcpt *r)
{
	const char *relay = r->local->params.luser_relay;
	struct err e = ERR_INIT;
	struct buf to;
	buf_init(&to, 1000);
	if (*relay && local_forward_path(r, NULL, sv_z(relay), &to, &e) == 1 && to.len > 0) {
		struct sv address = arena_sv(r->rq->arena, buf_sv(&to));
		if (sv_chr(address, '@') < 0)
			address = sv_z(arena_printf(
			        r->rq->arena, "%.*s@%.*s", SV_ARG(address), SV_ARG(r->domain)));
		struct local_expansion x = {
			.addresses = &address, .n = 1, .written = address, .sender = r->rq->sender
		};
		local_fan_out(r, NULL, &x);
	} else if (e.cls != ERR_NONE) {
		deliver_failed(r->rq, r->i, DSN(4, 3, 5), "luser_relay", &e);
	} else {
		deliver_done(r->rq, r->i, DELIVER_BOUNCED, DSN(5, 1, 1), "unknown user: \"%.*s\"",
		        SV_ARG(r->user));
	}
	buf_free(&to);
}

void local_user(struct local_rcpt *r)
{
	struct err e = ERR_INIT;
	struct clnt_auth_identity who;
	int rc = local_who(r, &who, &e);
	if (rc < 0) {
		deliver_failed(r->rq, r->i, DSN(4, 3, 0), "user directory unavailable", &e);
		return;
	}
	if (rc == 0) {
		unknown(r);
		return;
	}
	struct local_expansion x = { .self = true };
	if (!r->plain) {
		struct local_expansion f = { 0 };
		rc = forward(r, &who, &f, &e);
		if (rc < 0) {
			deliver_failed(r->rq, r->i, DSN(4, 3, 5), "mail forwarding", &e);
			return;
		}
		if (rc == 1)
			x = f;
	}
	local_fan_out(r, &who, &x);
}
