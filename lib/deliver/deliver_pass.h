/*
 * lib/deliver/deliver_pass.h - pass one recipient on to another delivery agent, as qmgr would.
 *
 * Layer:     deliver (event loop).
 * Ownership: the connection is closed here; all else is borrowed during the call.
 * Errors:    whatever keeps the other agent from answering defers the recipient.
 *
 * The other agent logs the recipient itself; it gets no done-log, so that the result is written down by the
 * one that qmgr asked.
 */
#ifndef DELIVER_DELIVER_PASS_H
#define DELIVER_DELIVER_PASS_H

#include "lib/deliver/deliver.h"

/*
 * Have recipient I delivered by the agent at FD, a connection to the service TRANSPORT; it is taken. *OUT
 * tells how it went; remote MTA and diagnostic of the recipient are filled in.
 */
void deliver_pass(struct deliver_request *rq, size_t i, int fd, struct sv transport, struct sv nexthop,
	int64_t deadline, struct deliver_outcome *out);

#endif
