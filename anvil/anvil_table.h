/*
 * anvil/anvil_table.h - how many connections, and how often what, for each (service, client address).
 *
 * Layer:     anvil (pure: the caller gives the time).
 * Ownership: the table owns its entries; a struct anvil_peer belongs to the connection of one client
 *            process and gives back, when it is freed, the connections which that process had counted.
 * Errors:    none: what cannot be counted is not limited (the answer is 1).
 * Security:  the number of entries is bounded; when it is reached, entries without open connections
 *            go, the oldest window first, then new clients are not counted.
 */
#ifndef ANVIL_ANVIL_TABLE_H
#define ANVIL_ANVIL_TABLE_H

#include "lib/base/hash.h"
#include "lib/base/list.h"

/* As FIELD kind of anvil.event. */
enum anvil_kind {
	ANVIL_CONNECT = 1,
	ANVIL_DISCONNECT,
	ANVIL_MESSAGE,
	ANVIL_RECIPIENT,
	ANVIL_NEWTLS,
	ANVIL_AUTH,
	ANVIL_KINDS
};

struct anvil_counts {
	uint32_t concurrency, rate;
};

/* The highest count since the last report, whose it was, and when. */
struct anvil_peak {
	uint32_t value;
	char who[256];
	int64_t at; /* wall clock, seconds */
};

struct anvil_table {
	struct htab entries;
	struct list by_age; /* the oldest window first */
	size_t limit;
	int64_t unit_ms;
	struct anvil_peak rate_peaks[ANVIL_KINDS], concurrency_peak, size_peak;
};

struct anvil_peer {
	struct anvil_table *table;
	struct htab open; /* key -> number of connections counted for this process */
};

void anvil_table_init(struct anvil_table *t, struct hash_seed seed, size_t limit, int64_t unit_ms);
void anvil_table_free(struct anvil_table *t);
/* Remove entries whose window is over and that have no open connection. */
void anvil_table_expire(struct anvil_table *t, int64_t now_ms);
size_t anvil_table_size(const struct anvil_table *t);
void anvil_peaks_clear(struct anvil_table *t);

void anvil_peer_init(struct anvil_peer *p, struct anvil_table *t, struct hash_seed seed);
void anvil_peer_free(struct anvil_peer *p);

/* Count one event. NOW_MS is monotonic, WALL_S for the peaks. */
struct anvil_counts anvil_event(struct anvil_peer *p, enum anvil_kind kind, struct sv service,
	struct sv address, int64_t now_ms, int64_t wall_s);

#endif
