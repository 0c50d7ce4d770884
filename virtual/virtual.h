/*
 * virtual/virtual.h - private types of this folder.
 *
 * The way of a recipient: virtual_handle() -> virtual_find(): whose mailbox -> virtual_mailbox(): write it.
 */
#ifndef VIRTUAL_VIRTUAL_H
#define VIRTUAL_VIRTUAL_H

#include "lib/config/params.h"
#include "lib/deliver/deliver.h"
#include "lib/map/maps.h"
#include "lib/server/server.h"

#define VIRTUAL_PATH_MAX 4000 /* octets of virtual_mailbox_base/VALUE */

/* The process. */
struct virtual {
	struct params_core core;
	struct params_virtual params;
	struct params_store store_params;
	struct maps_env env;
	struct maps *mailboxes, *uids, *gids;
	struct ipc_pool *postmen; /* auth's switchboard; NULL in a private instance: this process writes */
	struct store *store;
	unsigned locks; /* enum mbox_lock: virtual_mailbox_lock */
};

/* Where the mail of one recipient goes. */
struct virtual_box {
	const char *path; /* without a '/' at its end */
	bool maildir;
};

/* Every function that ends a recipient calls deliver_done() itself. */
void virtual_handle(struct deliver_request *rq, void *ctx);

/* --- virtual_lookup.c ---------------------------------------------------------------------------- */
/* The mailbox of recipient ADDRESS. 1 *OUT (path in A), 0 there is none, -1 with E: the mail waits. */
MUST_USE int virtual_find(struct virtual *v, struct sv address, struct arena *a, struct virtual_box *out,
	struct err *e);
/* Append the path that VALUE of virtual_mailbox_maps means below BASE. 0, or -1 with E (CONFIG). */
MUST_USE int virtual_path(struct sv base, struct sv value, struct buf *out, bool *maildir, struct err *e);
/* A private instance: may this process write ADDRESS's mailbox? 0, or -1 with E. */
MUST_USE int virtual_check_ids(struct virtual *v, struct sv address, struct err *e);
/* VALUE of a table of ids, at least LEAST. 0, or -1 with E (CONFIG) that names TABLE. */
MUST_USE int virtual_id(const char *table, struct sv value, uint32_t least, uint32_t *out, struct err *e);

/* Write recipient I's mail into BOX. */
void virtual_mailbox(struct virtual *v, struct deliver_request *rq, size_t i, const struct virtual_box *box,
	struct deliver_outcome *out);

#endif
