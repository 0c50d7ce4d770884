/* A user of this instance, or nobody. */
#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
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
	for (size_t i = 0; i < (r->split ? 2u : 1u); i++) {
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

/* True: the transport that PARAMETER or its MAPS name delivers. */
static bool pass_on(struct local_rcpt *r, const char *parameter, const char *value, struct maps *maps)
{
	struct buf where;
	struct err e = ERR_INIT;
	struct deliver_outcome o;
	buf_init(&where, MAP_VALUE_MAX);
	int rc = local_find(r, maps, value, &where, &e);
	if (rc == 1) {
		local_pass(r, parameter, buf_sv(&where), &o);
		deliver_settled(r->rq, r->i, &o);
	} else if (rc < 0) {
		deliver_failed(r->rq, r->i, DSN(4, 3, 0), parameter, &e);
	}
	buf_free(&where);
	return rc != 0;
}

/* luser_relay. True: RECIPIENT is to have the mail, in TO. */
static bool relayed(struct local_rcpt *r, struct buf *to, struct sv *recipient, struct err *e)
{
	const char *relay = r->local->params.luser_relay;
	if (!*relay || local_expand_text(r, NULL, sv_z(relay), NULL, to, e) < 0 || to->len == 0)
		return false;
	struct arena *a = r->rq->arena;
	*recipient = arena_sv(a, buf_sv(to));
	if (sv_chr(*recipient, '@') < 0)
		*recipient = sv_z(arena_printf(a, "%.*s@%.*s", SV_ARG(*recipient), SV_ARG(r->domain)));
	return !addr_ieq(*recipient, r->address); /* it is itself an unknown user */
}

static void unknown(struct local_rcpt *r)
{
	const struct params_local *p = &r->local->params;
	/* mailbox_transport: "whether or not they are found" */
	if (pass_on(r, "mailbox_transport", p->mailbox_transport, r->local->transport_maps) ||
	        pass_on(r, "fallback_transport", p->fallback_transport, r->local->fallback_maps))
		return;
	struct err e = ERR_INIT;
	struct buf to;
	struct sv recipient;
	buf_init(&to, 1000);
	if (relayed(r, &to, &recipient, &e)) {
		struct local_expansion x = {
			.addresses = &recipient, .n = 1, .written = recipient, .sender = r->rq->sender, .in_place = true
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
		deliver_failed(r->rq, r->i, DSN(4, 3, 0), "user directory", &e);
		return;
	}
	if (rc == 0) {
		unknown(r);
		return;
	}
	struct local_expansion x = { .self = true, .sender = r->rq->sender };
	if (!r->plain) {
		struct local_expansion f = { 0 };
		rc = local_forward(r, &who, &f, &e);
		if (rc < 0) {
			deliver_failed(r->rq, r->i, DSN(4, 3, 5), "mail forwarding", &e);
			local_expansion_close(&f);
			return;
		}
		if (rc == 1)
			x = f;
	}
	local_fan_out(r, &who, &x);
	local_expansion_close(&x);
}
