/*
 * trivial-rewrite/resolve_tables.h - the resolver's rules, as main.cf has them, and its look-ups.
 *
 * Layer:     trivial-rewrite (reads files and tables).
 * Ownership: resolve_tables_open() .. resolve_tables_close(). The configuration must outlive it.
 * Errors:    a list or table that is wrong in main.cf does not stop the process: every look-up that
 *            needs it fails with the reason, so that mail waits and the log tells why.
 */
#ifndef RESOLVE_TABLES_H
#define RESOLVE_TABLES_H

#include "lib/config/params.h"
#include "lib/map/matchlist.h"
#include "lib/server/own_addresses.h"
#include "trivial-rewrite/resolve_core.h"

struct resolve_tables {
	struct resolve_rules rules;
	struct rewrite_context remote;
	struct params_core core;
	struct params_rewrite rewrite;
	struct maps_env env;
	struct matchlist *lists[RESOLVE_LIST_COUNT];
	struct err list_err[RESOLVE_LIST_COUNT];
	struct maps *transports;
	struct err transport_err;
	struct maps *by_sender[RESOLVE_SENDER_COUNT];
	struct err by_sender_err[RESOLVE_SENDER_COUNT];
	struct maps *relocated;
	struct err relocated_err;
	struct own_addresses *own;
};

/* Read parameters and open the lists. 0, or -1: a parameter cannot be read at all. */
MUST_USE int resolve_tables_open(struct resolve_tables *t, struct config *cfg, struct err *e);
void resolve_tables_close(struct resolve_tables *t);

#endif
