/*
 * bounce/bounce.h - private types of bounce, defer and trace.
 *
 * Layer:     bounce.
 * Errors:    1 done; -1 with E (TEMP): qmgr tries again; nothing was lost.
 */
#ifndef BOUNCE_BOUNCE_H
#define BOUNCE_BOUNCE_H

#include "bounce/bounce_report.h"
#include "lib/base/arena.h"
#include "lib/clnt/clnt_rewrite.h"
#include "lib/config/notify_classes.h"
#include "lib/config/params.h"
#include "lib/ipc/msg.h"
#include "lib/queue/bounce_log.h"
#include "lib/queue/queue_file.h"
#include "lib/server/server.h"

#define BOUNCE_RCPTS_MAX  5000         /* listed in one notification */
#define BOUNCE_HEADER_MAX (256 * 1024) /* of a mail's header that is returned */
#define BOUNCE_TIMEOUT_MS (100 * 1000) /* a step of cleanup */

struct bounce {
	struct params_core core;
	struct params_bounce p;
	long queue_lifetime; /* maximal_queue_lifetime: Will-Retry-Until */
	unsigned notify_classes;
	struct bouncecf templates; /* their texts expanded */
	struct queue q;
	struct ipc_pool *cleanup;
};

void bounce_serve(struct server_conn *c);

/* Read the log of the mail, tell who is to be told, remove the log. QUEUE_FD: the mail's file. */
MUST_USE int bounce_flush(struct bounce *b, const struct msg_bounce_flush *m, int queue_fd,
        struct arena *a, struct err *e);

/* The mail or its header into OUT. 1; -1 with E. Blocks. */
MUST_USE int bounce_read_original(
        int fd, uint64_t offset, uint64_t size, bool header_only, struct buf *out, struct err *e);

#endif
