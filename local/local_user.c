/* A user of this instance, or nobody. */
#include "lib/fiber/fiber.h"
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

/* True: another transport delivers to those who are no users. */
static bool fall_back(struct local_rcpt *r)
{
	struct buf where;
	struct err e = ERR_INIT;
	struct deliver_outcome o;
	buf_init(&where, MAP_VALUE_MAX);
	int rc = local_find(r, r->local->fallback_maps, r->local->params.fallback_transport, &where, &e);
	if (rc == 1) {
		local_pass(r, "fallback_transport", buf_sv(&where), &o);
		deliver_settled(r->rq, r->i, &o);
	} else if (rc < 0) {
		deliver_failed(r->rq, r->i, DSN(4, 3, 0), "fallback_transport_maps", &e);
	}
	buf_free(&where);
	return rc != 0;
}

static void unknown(struct local_rcpt *r)
{
	if (fall_back(r))
		return;
	const char *relay = r->local->params.luser_relay;
	struct err e = ERR_INIT;
	struct buf to;
	buf_init(&to, 1000);
	if (*relay && local_expand_text(r, NULL, sv_z(relay), NULL, &to, &e) == 0 && to.len > 0) {
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
