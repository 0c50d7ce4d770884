/*
 * trivial-rewrite/resolve_core.h - where a recipient goes: (transport, nexthop, recipient).
 *
 * Layer:     trivial-rewrite (pure; look-ups come in as callbacks).
 * Ownership: answers live in the caller's arena.
 * Errors:    1 resolved (a malformed address is resolved to the error transport); -1 a look-up or
 *            a setting failed, E says which: the recipient is deferred, never bounced.
 * Security:  the relay decision of the whole system stands on this: domains that are ours are
 *            stripped until a foreign one, or no routing operator (@ % !), is left. The caller
 *            sees the final recipient and REWRITE_ROUTED when a foreign host might still be led
 *            on by the local part. The loop is bounded.
 * Standards: RFC 5321 3.6, 5.1, appendix C and F.2; postconf(5), transport(5).
 */
#ifndef RESOLVE_CORE_H
#define RESOLVE_CORE_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/clnt/clnt_rewrite.h"
#include "trivial-rewrite/rewrite_addr.h"

/* Lists of domains in main.cf that make the address classes. */
enum resolve_list {
	RESOLVE_MYDESTINATION,
	RESOLVE_VIRTUAL_ALIAS_DOMAINS,
	RESOLVE_VIRTUAL_MAILBOX_DOMAINS,
	RESOLVE_RELAY_DOMAINS,
	RESOLVE_LIST_COUNT
};

/* Tables by the sender of a mail. */
enum resolve_by_sender { RESOLVE_SENDER_TRANSPORT, RESOLVE_SENDER_RELAYHOST, RESOLVE_SENDER_COUNT };

struct resolve_ops {
	/* Is DOMAIN (lower case) on the list? 1, 0, -1 with E. */
	int (*list)(void *ctx, enum resolve_list which, struct sv domain, struct err *e);
	/* Is the address text IP (without brackets) one of inet_interfaces or proxy_interfaces? */
	bool (*own_address)(void *ctx, struct sv ip);
	/* transport_maps for RECIPIENT (internal form): 1 and the entry appended to VALUE, 0, -1.
	 */
	int (*transport)(void *ctx, struct sv recipient, struct buf *value, struct err *e);
	/* sender_dependent_default_transport_maps, sender_dependent_relayhost_maps for SENDER (internal form,
	 * empty for <>): as above. NULL: there are no such tables. */
	int (*by_sender)(void *ctx, enum resolve_by_sender which, struct sv sender, struct buf *value,
	        struct err *e);
	/* relocated_maps for RECIPIENT; LOCAL: its domain is ours. As above. */
	int (*relocated)(void *ctx, struct sv recipient, bool local, struct buf *value, struct err *e);
	void *ctx;
};

struct resolve_rules {
	struct rewrite_rules rewrite;
	struct rewrite_context local; /* myorigin, mydomain */
	bool dequoted;                /* resolve_dequoted_address */
	bool null_domain;             /* resolve_null_domain */
	bool numeric_domain;          /* resolve_numeric_domain */
	bool allow_min_user;
	bool smtputf8;             /* U-labels are domains too */
	bool show_table_name;      /* show_user_unknown_table_name */
	struct sv empty_recipient; /* empty_address_recipient */
	struct sv myhostname;
	struct sv local_transport; /* "transport" or "transport:nexthop" */
	struct sv virtual_transport;
	struct sv relay_transport;
	struct sv default_transport;
	struct sv relayhost;
	struct resolve_ops ops;
};

/* Where ADDR goes in a mail of SENDER, who matters only to the tables by sender. */
MUST_USE int resolve_addr(const struct resolve_rules *r, struct sv sender, struct sv addr,
        struct arena *a, struct clnt_resolved *out, struct err *e);

/*
 * Apply a transport_maps entry ("transport:nexthop") to *TRANSPORT and *NEXTHOP: an empty part
 * means "as it was", but a transport without nexthop starts again from the recipient's DOMAIN.
 */
void resolve_transport_entry(
        struct sv entry, struct sv domain, struct sv *transport, struct sv *nexthop);

#endif
