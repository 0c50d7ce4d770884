/* One recipient after another. */
#include "virtual/virtual.h"

static void deliver_one(struct virtual *v, struct deliver_request *rq, size_t i)
{
	struct sv address = rq->rcpts[i].recipient;
	struct virtual_box box = { 0 };
	struct err e = ERR_INIT;
	struct deliver_outcome out;
	int rc = virtual_find(v, address, rq->arena, &box, &e);
	if (rc == 1 && !v->postmen)
		rc = virtual_check_ids(v, address, &e) < 0 ? -1 : 1;
	if (rc < 0) {
		deliver_failed(rq, i, e.cls == ERR_CONFIG ? DSN(4, 3, 5) : DSN(4, 3, 0), "virtual mailbox", &e);
	} else if (rc == 0) {
		deliver_done(rq, i, DELIVER_BOUNCED, DSN(5, 1, 1), "unknown user: \"%.*s\"", SV_ARG(address));
	} else {
		virtual_mailbox(v, rq, i, &box, &out);
		deliver_settled(rq, i, &out);
	}
}

void virtual_handle(struct deliver_request *rq, void *ctx)
{
	for (size_t i = 0; i < rq->nrcpts; i++) {
		deliver_begin(rq);
		deliver_one(ctx, rq, i);
	}
}
