/*
 * error/error_agent.h - the delivery agent that delivers nothing: it bounces, or it defers.
 *
 * Layer:     error.
 * Security:  the next hop is text of an admin's table (transport_maps) or of our resolver; it reaches
 *            reports and logs as one cleaned line.
 *
 * Under its own name ("error") the next hop is the reason, "5.7.1 text"; a code of class 4 defers. Under
 * any other name ("retry", or a service that does not exist yet) it defers: with error_defer_text when
 * that is set, else with the next hop as text.
 */
#ifndef ERROR_AGENT_H
#define ERROR_AGENT_H

#include "lib/deliver/deliver.h"

struct error_agent {
	bool defer;           /* whatever the text says */
	struct sv defer_text; /* empty: the next hop */
};

/* Result and text for NEXTHOP. *text is a view into NEXTHOP or a constant. */
enum deliver_status error_verdict(
        const struct error_agent *a, struct sv nexthop, struct dsn_code *dsn, struct sv *text);
void error_handle(struct deliver_request *rq, void *ctx);

#endif
