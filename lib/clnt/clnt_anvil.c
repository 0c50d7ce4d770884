#include "lib/clnt/clnt_anvil.h"
#include "lib/ipc/msg.h"

int clnt_anvil_event(struct ipc_pool *anvil, enum clnt_anvil_kind kind, struct sv service, struct sv address,
	struct clnt_anvil_counts *out, int64_t deadline, struct err *e)
{
	struct msg_anvil_event event = { .kind = kind, .service = service, .address = address };
	struct msg_anvil_counts counts;
	struct ipc_frame reply;
	struct arena a;
	struct buf body;
	int rc = -1;

	arena_init(&a, 64 * 1024);
	buf_init(&body, IPC_FRAME_MAX);
	if (msg_anvil_event_encode(&event, &body) < 0)
		err_set(e, ERR_TEMP, "anvil: request too large");
	else if (ipc_call(anvil, MSG_anvil_PROTOCOL, MSG_anvil_VERSION, MSG_anvil_event, buf_sv(&body), &a,
			 &reply, deadline, e) == 1) {
		if (reply.type != MSG_anvil_counts)
			err_set(e, ERR_TEMP, "anvil: unexpected answer %u", reply.type);
		else if (msg_anvil_counts_decode(reply.body, &a, &counts, e) == 1) {
			*out = (struct clnt_anvil_counts){ counts.concurrency, counts.rate };
			rc = 1;
		}
	}
	buf_free(&body);
	arena_free(&a);
	return rc;
}
