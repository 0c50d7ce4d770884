/* "|command": what it gets to know, and what its end means. */
#include <stdio.h>

#include "lib/clnt/clnt_postman.h"
#include "lib/config/environ.h"
#include "lib/config/expand.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/command.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "local/local.h"

#define HEAD_MAX     (16 * 1024)
#define ENV_MAX      200
#define ANSWER_MS    (60 * 1000) /* beyond the command's own time */
#define ASSIGN_MS    (60 * 1000)
#define TIME_MIN_MS  1000
#define DEFAULT_PATH "/usr/bin:/bin"

struct env {
	struct sv_list list;
	struct arena *a;
};

static int put(void *arg, struct sv name, struct sv value)
{
	struct env *env = arg;
	if (env->list.n == ENV_MAX)
		return -1;
	char *z = arena_printf(env->a, "%.*s=%.*s", SV_ARG(name), SV_ARG(value));
	if (!z)
		return -1;
	env->list.v[env->list.n++] = sv_z(z);
	return 0;
}

/* What strangers wrote holds no character that means something to a shell. */
static int put_clean(struct env *env, const char *name, struct sv value, const char *allowed)
{
	struct buf clean;
	buf_init(&clean, 4096);
	int rc = command_clean(&clean, value, allowed);
	if (rc == 0)
		rc = put(env, sv_z(name), buf_sv(&clean));
	buf_free(&clean);
	return rc;
}

/* PATH is always ours. */
static int put_exported(void *arg, struct sv name, struct sv value)
{
	return sv_eqz(name, "PATH") ? 0 : put(arg, name, value);
}

/* 0, or -1 with E. */
static int environment(const struct local_rcpt *r, const struct local_member *m, struct sv sender,
        struct env *env, struct err *e)
{
	const struct deliver_request *rq = r->rq;
	const struct clnt_auth_identity *user = m->rights.user;
	const char *allowed = r->local->params.command_expansion_filter;
	const struct {
		const char *name;
		struct sv value;
		bool always;
	} facts[] = {
		{ "LOGNAME", r->user, true },
		{ "USER", r->user, true },
		{ "LOCAL", r->name, true },
		{ "EXTENSION", r->ext, false },
		{ "DOMAIN", r->domain, false },
		{ "RECIPIENT", r->address, true },
		{ "ORIGINAL_RECIPIENT", local_original(r), true },
		{ "SENDER", sender, true },
		{ "CLIENT_ADDRESS", rq->client_addr, false },
		{ "CLIENT_HELO", rq->helo_name, false },
		{ "CLIENT_HOSTNAME", rq->client_name, false },
		{ "CLIENT_PROTOCOL", rq->protocol, false },
		{ "SASL_USERNAME", rq->sasl_username, false },
	};
	env->list.v = arena_array(env->a, ENV_MAX, sizeof(*env->list.v));
	if (!env->list.v)
		return err_set(e, ERR_TEMP, "out of memory for an environment");
	if (environ_each(r->local->core.export_environment, environ_own, put_exported, env, e) < 0)
		return err_prefix(e, "export_environment");
	int rc = put(env, SV("PATH"), SV(DEFAULT_PATH));
	if (rc == 0 && user && !sv_empty(user->home))
		rc = put(env, SV("HOME"), user->home);
	if (rc == 0 && user && !sv_empty(user->shell))
		rc = put(env, SV("SHELL"), user->shell);
	for (size_t i = 0; i < ARRAY_LEN(facts) && rc == 0; i++)
		if (facts[i].always || !sv_empty(facts[i].value))
			rc = put_clean(env, facts[i].name, facts[i].value, allowed);
	return rc == 0 ? 0 : err_set(e, ERR_TEMP, "the environment of a command is too large");
}

/* command_execution_directory. 0, or -1 with E. */
static int directory(const struct local_rcpt *r, const struct local_member *m, struct buf *out, struct err *e)
{
	const char *template = r->local->params.command_execution_directory;
	if (!*template)
		return 0;
	return local_expand_text(r, m->rights.user, sv_z(template),
	        r->local->params.execution_directory_expansion_filter, out, e);
}

/* Rights of a file's owner, who has a home, too; root's are those of default_privs. */
static bool owned_by_user(const struct local_rights *rights)
{
	struct stat st;
	return strcmp(rights->whose.kind, "owner") == 0 && sys_fstat(rights->whose.fd, &st) == 0 && st.st_uid != 0;
}

static int run(const struct local_rcpt *r, const struct local_member *m, struct sv sender, int64_t limit,
        struct msg_postman_ended *out, struct err *e)
{
	const struct deliver_request *rq = r->rq;
	struct env env = { .a = rq->arena };
	struct buf text, dir;
	buf_init(&text, HEAD_MAX);
	buf_init(&dir, 4096);
	struct ipc_conn *c = NULL;
	int input = -1;
	int rc = environment(r, m, sender, &env, e);
	if (rc == 0)
		rc = directory(r, m, &dir, e);
	if (rc == 0 && local_head(r, sender, r->local->delivered_to_command, &text) < 0)
		rc = err_set(e, ERR_BUG, "header lines of the delivery are too long");
	if (rc == 0)
		rc = local_input(r, buf_sv(&text), &input, e);
	if (rc == 0) {
		c = clnt_postman_open(r->local->postmen, &m->rights.whose, rq->queue_id,
		        fiber_deadline(ASSIGN_MS), e);
		rc = c ? 0 : -1;
	}
	if (rc == 0) {
		struct msg_postman_command ask = {
			.queue_id = rq->queue_id,
			.command = m->text,
			.shell = sv_z(r->local->params.local_command_shell),
			.dir = buf_sv(&dir),
			.env = env.list,
			.own_home = owned_by_user(&m->rights),
			.limit_ms = limit,
		};
		rc = clnt_postman_command(
		        c, &ask, input, rq->arena, out, fiber_deadline(limit + ANSWER_MS), e);
	}
	ipc_conn_free(c);
	sys_close(input);
	buf_free(&text);
	buf_free(&dir);
	return rc;
}

static void restricted(struct deliver_outcome *out)
{
	*out = (struct deliver_outcome){ .status = DELIVER_BOUNCED, .dsn = DSN(5, 7, 1) };
	(void)snprintf(out->text, sizeof(out->text), "mail to command is restricted");
}

/* How long it may take. Others of the same expansion may have used up the time that qmgr waits. */
static int64_t time_limit(const struct local_rcpt *r, int64_t until)
{
	int64_t limit = r->local->params.command_time_limit * 1000, left = until - clock_mono_ms();
	return limit < left ? limit : left;
}

void local_command(const struct local_rcpt *r, const struct local_member *m, struct sv sender, int64_t until,
        struct deliver_outcome *out)
{
	static const enum deliver_status statuses[] = { [COMMAND_DELIVERED] = DELIVER_SENT,
		[COMMAND_TRY_AGAIN] = DELIVER_DEFERRED,
		[COMMAND_REFUSED] = DELIVER_BOUNCED };
	struct msg_postman_ended ended;
	struct err e = ERR_INIT;
	int64_t limit = time_limit(r, until);
	if (!(r->local->commands_from & m->source)) {
		restricted(out);
		return;
	}
	*out = (struct deliver_outcome){ .status = DELIVER_DEFERRED, .dsn = DSN(4, 3, 0) };
	if (limit < TIME_MIN_MS) {
		(void)snprintf(out->text, sizeof(out->text), "the other parts took too long: this one comes next");
		return;
	}
	if (run(r, m, sender, limit, &ended, &e) < 0) {
		log_warn("%.*s: %s: %s", SV_ARG(r->rq->queue_id), m->where, e.text);
		(void)snprintf(out->text, sizeof(out->text), "cannot run a command: %s", e.text);
		return;
	}
	struct command_verdict v;
	struct buf text;
	buf_init(&text, 16 * 1024);
	command_verdict((enum command_end)ended.end, ended.value, m->text, ended.output, &v, &text);
	if (ended.config)
		log_warn("%.*s: %s: %s", SV_ARG(r->rq->queue_id), m->where, buf_z(&text));
	out->status = statuses[v.result];
	out->dsn = v.dsn;
	(void)snprintf(out->text, sizeof(out->text), "%s", buf_z(&text));
	buf_free(&text);
}
