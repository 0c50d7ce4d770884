/* mailbox_transport and fallback_transport: another agent delivers. */
#include <stdio.h>

#include "lib/deliver/deliver_pass.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "local/local.h"

#define DIAL_MS   30000

int local_find(struct local_rcpt *r, struct maps *maps, const char *otherwise, struct buf *out, struct err *e)
{
	int rc = 0;
	if (!maps_empty(maps))
		rc = maps_find(maps, r->user, out, e);
	if (rc == 0)
		(void)buf_puts(out, otherwise);
	return rc < 0 ? -1 : out->len > 0;
}

void local_pass(struct local_rcpt *r, const char *parameter, struct sv where, struct deliver_outcome *out)
{
	struct local *l = r->local;
	struct err e = ERR_INIT;
	struct sv nexthop = where, transport = sv_take_until(&nexthop, ':');
	char *service = arena_strdup(r->rq->arena, transport);
	int fd = -1;
	if (sv_empty(nexthop))
		nexthop = sv_z(l->core.myhostname);
	if (!service)
		err_set(&e, ERR_TEMP, "out of memory");
	else if (sv_eqz(transport, server_service(l->server)) || sv_eq(transport, r->rq->transport))
		err_set(&e, ERR_CONFIG, "%s = %.*s leads back to where the mail is", parameter, SV_ARG(where));
	else
		fd = server_dial(l->server, service, fiber_deadline(DIAL_MS), &e);
	if (fd < 0) {
		log_warn("%.*s: %s: %s", SV_ARG(r->rq->queue_id), parameter, e.text);
		*out = (struct deliver_outcome){ .status = DELIVER_DEFERRED, .dsn = DSN(4, 3, 5) };
		(void)snprintf(out->text, sizeof(out->text), "%s: %s", parameter, e.text);
		return;
	}
	deliver_pass(r->rq, r->i, fd, transport, nexthop, fiber_deadline(local_patience(l)), out);
}
