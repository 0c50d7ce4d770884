/* One request is one run of the program: its end is the result of all recipients. */
#include <stdio.h>

#include "lib/clnt/clnt_postman.h"
#include "lib/config/environ.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/command.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "pipe/pipe.h"

#define ENV_MAX      200
#define ASSIGN_MS    (60 * 1000)
#define ANSWER_MS    (60 * 1000) /* beyond the program's own time */
#define DEFAULT_PATH "/usr/bin:/bin:/usr/sbin:/sbin"

struct env {
	struct sv_list list;
	struct arena *a;
};

static int put(void *arg, struct sv name, struct sv value)
{
	struct env *env = arg;
	char *z = env->list.n < ENV_MAX && !sv_eqz(name, "PATH")
	                  ? arena_printf(env->a, "%.*s=%.*s", SV_ARG(name), SV_ARG(value))
	                  : NULL;
	if (z)
		env->list.v[env->list.n++] = sv_z(z);
	return z || sv_eqz(name, "PATH") ? 0 : -1;
}

/* PATH is always ours. 0, or -1 with E. */
static int environment(const struct pipe_agent *p, struct env *env, struct err *e)
{
	env->list.v = arena_array(env->a, ENV_MAX, sizeof(*env->list.v));
	if (!env->list.v)
		return err_set(e, ERR_TEMP, "out of memory for an environment");
	env->list.v[env->list.n++] = SV("PATH=" DEFAULT_PATH);
	return environ_each(p->core.export_environment, environ_own, put, env, e) < 0
	               ? err_prefix(e, "export_environment")
	               : 0;
}

static int run(struct pipe_agent *p, struct deliver_request *rq, struct sv_list argv, int input,
        struct msg_postman_ended *out, struct err *e)
{
	const struct clnt_auth_whose whose = { .kind = p->def.has_user ? "service" : "default",
		.name = sv_z(p->service), .fd = -1 };
	struct env env = { .a = rq->arena };
	if (environment(p, &env, e) < 0)
		return -1;
	struct ipc_conn *c = clnt_postman_open(p->postmen, &whose, rq->queue_id, fiber_deadline(ASSIGN_MS), e);
	if (!c)
		return -1;
	const struct msg_postman_command ask = { .queue_id = rq->queue_id,
		.command = argv.v[0],
		.dir = sv_z(p->def.directory ? p->def.directory : ""),
		.env = env.list,
		.limit_ms = p->limit_ms,
		.argv = argv };
	int rc = clnt_postman_command(c, &ask, input, rq->arena, out, fiber_deadline(p->limit_ms + ANSWER_MS), e);
	ipc_conn_free(c);
	return rc < 0 ? -1 : 0;
}

static void judge(struct pipe_agent *p, const struct deliver_request *rq, const struct msg_postman_ended *ended,
        struct deliver_outcome *out)
{
	static const enum deliver_status statuses[] = { [COMMAND_DELIVERED] = DELIVER_SENT,
		[COMMAND_TRY_AGAIN] = DELIVER_DEFERRED,
		[COMMAND_REFUSED] = DELIVER_BOUNCED };
	struct command_verdict v;
	struct buf text;
	struct sv said = sv_trim(ended->output);
	buf_init(&text, 16 * 1024);
	command_verdict((enum command_end)ended->end, ended->value, sv_z(p->def.argv[0]), ended->output, &v, &text);
	if (v.result == COMMAND_DELIVERED) {
		buf_reset(&text);
		(void)buf_printf(&text, "delivered via %s service", p->service);
		if (!sv_empty(said))
			(void)buf_printf(&text, " (%.*s)", SV_ARG(said));
	}
	if (ended->config)
		log_warn("%.*s: service %s: %s", SV_ARG(rq->queue_id), p->service, buf_z(&text));
	*out = (struct deliver_outcome){ .status = statuses[v.result], .dsn = v.dsn };
	(void)snprintf(out->text, sizeof(out->text), "%s", buf_z(&text));
	buf_free(&text);
}

/* What the flags and limits say before anything is run. 1 go on, 0 *OUT is the result, -1 with E. */
static int admit(const struct pipe_agent *p, const struct deliver_request *rq, struct deliver_outcome *out,
        struct err *e)
{
	int loops = p->def.flags & PIPE_DELIVERED_TO ? pipe_loops(rq, rq->rcpts[0].recipient, e) : 0;
	if (loops < 0)
		return -1;
	if (loops) {
		*out = (struct deliver_outcome){ .status = DELIVER_BOUNCED, .dsn = DSN(5, 4, 6) };
		(void)snprintf(out->text, sizeof(out->text), "mail forwarding loop for %.*s",
		        SV_ARG(rq->rcpts[0].recipient));
		return 0;
	}
	if (p->def.size_limit > 0 && rq->content_size > (uint64_t)p->def.size_limit) {
		*out = (struct deliver_outcome){ .status = DELIVER_BOUNCED, .dsn = DSN(5, 2, 3) };
		(void)snprintf(out->text, sizeof(out->text), "message size %llu exceeds size limit %lld of service %s",
		        (unsigned long long)rq->content_size, (long long)p->def.size_limit, p->service);
		return 0;
	}
	return 1;
}

static int deliver(struct pipe_agent *p, struct deliver_request *rq, struct deliver_outcome *out, struct err *e)
{
	const struct pipe_rules rules = { p->core.recipient_delimiter, p->core.owner_request_special };
	struct msg_postman_ended ended;
	struct sv_list argv;
	int input = -1;
	int rc = admit(p, rq, out, e);
	if (rc <= 0)
		return rc;
	if (pipe_expand(&p->def, rq, &rules, rq->arena, &argv, e) < 0 || pipe_input(&p->def, rq, &input, e) < 0)
		return -1;
	rc = run(p, rq, argv, input, &ended, e);
	sys_close(input);
	if (rc == 0)
		judge(p, rq, &ended, out);
	return rc;
}

void pipe_handle(struct deliver_request *rq, void *ctx)
{
	struct pipe_agent *p = ctx;
	struct deliver_outcome out;
	struct err e = ERR_INIT;
	deliver_relay(rq, p->service);
	deliver_begin(rq);
	if ((p->def.flags & (PIPE_DELIVERED_TO | PIPE_ORIGINAL_TO)) && rq->nrcpts > 1)
		err_set(&e, ERR_CONFIG, "flags D and O need %s_destination_recipient_limit = 1", p->service);
	if (e.cls != ERR_NONE || deliver(p, rq, &out, &e) < 0) {
		log_warn("%.*s: service %s: %s", SV_ARG(rq->queue_id), p->service, e.text);
		out = (struct deliver_outcome){ .status = DELIVER_DEFERRED,
			.dsn = e.cls == ERR_CONFIG ? DSN(4, 3, 5) : DSN(4, 3, 0) };
		(void)snprintf(out.text, sizeof(out.text), "cannot run the program: %s", e.text);
	}
	for (size_t i = 0; i < rq->nrcpts; i++) {
		rq->rcpts[i].action = p->def.flags & PIPE_FINAL ? QUEUE_ACTION_DELIVERED : QUEUE_ACTION_RELAYED;
		deliver_settled(rq, i, &out);
	}
}
