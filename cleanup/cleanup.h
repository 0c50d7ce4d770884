/*
 * cleanup/cleanup.h - the process's tables and the state of one mail on its way into the queue.
 *
 * Ownership: everything of a mail lives in its arena or its queue_writer and ends with cleanup_mail_reset().
 * Errors:    functions on a mail return 0, or -1 after cleanup_fail() has noted the verdict; what comes
 *            after the first failure is read and thrown away until "end".
 */
#ifndef CLEANUP_CLEANUP_H
#define CLEANUP_CLEANUP_H

#include "lib/base/hash.h"
#include "lib/clnt/clnt_cleanup.h"
#include "lib/clnt/clnt_qmgr.h"
#include "lib/clnt/clnt_rewrite.h"
#include "lib/config/params.h"
#include "lib/ipc/msg.h"
#include "lib/mail/header.h"
#include "lib/map/maps.h"
#include "lib/map/matchlist.h"
#include "lib/queue/queue_commit.h"

struct server;
struct server_conn;

#define CLEANUP_MAIL_MEMORY ((size_t)64 * 1024 * 1024) /* recipients and header of one mail */
#define CLEANUP_RCPTS_MAX   100000u                    /* before expansion, of one mail */

/* Bits of canonical_classes and its two relatives. */
enum cleanup_class {
	CLASS_ENV_SENDER = 1,
	CLASS_ENV_RCPT = 2,
	CLASS_HDR_SENDER = 4,
	CLASS_HDR_RCPT = 8,
};

struct cleanup_canon {
	struct maps *maps;
	unsigned classes; /* enum cleanup_class */
};

struct cleanup {
	struct params_core core;
	struct params_cleanup p;
	struct maps_env env;
	struct cleanup_canon sender_canon, rcpt_canon, both_canon;
	struct maps *virtual_alias, *sender_bcc, *rcpt_bcc;
	struct matchlist *mydestination, *masquerade_exceptions;
	unsigned masquerade_classes; /* enum cleanup_class */
	bool propagate_canonical, propagate_virtual; /* unmatched extensions */
	struct queue queue;
	struct clnt_rewrite *rewrite;
	struct clnt_qmgr *qmgr;
};

/* A recipient as the client gave it. */
struct cleanup_rcpt {
	struct sv address, original, orcpt;
	uint32_t notify;
	bool expanded; /* before this mail was requeued: only to be reported */
};

/* What the client will be told. status 0: nothing failed yet. */
struct cleanup_verdict {
	enum clnt_cleanup_status status;
	uint32_t code;
	const char *dsn;
	struct sv text;
};

enum cleanup_part { PART_HEADER, PART_BODY };

struct cleanup_mail {
	struct cleanup *c;
	struct arena arena;
	struct msg_cleanup_open o; /* views in the arena */
	const char *context;       /* for header addresses; NULL: leave them alone */
	bool add_missing;          /* headers */
	bool privileged;           /* fields marked Q are believed */
	struct cleanup_verdict verdict;
	struct queue_writer w;
	/* content */
	enum cleanup_part part;
	uint64_t octets;
	struct buf line;           /* an unfinished header line */
	struct buf field;          /* the header field that is being read, folds inside */
	struct buf scratch;
	unsigned fields;           /* header fields so far */
	unsigned hops;
	bool resent;
	uint64_t seen;             /* 1 << enum header_id */
	struct sv message_id;
	/* envelope */
	struct cleanup_rcpt *rcpts;
	size_t nrcpts, rcpts_cap;
	struct htab dups;
};

/* cleanup_init.c */
int cleanup_paths(struct server *s, struct err *e);
int cleanup_pre_jail(struct server *s, struct err *e);
int cleanup_post_jail(struct server *s, struct err *e);
/* Tables and lists out of the parameters; for tests too. 0 or -1. */
int cleanup_tables(struct cleanup *c, const struct config *cfg, struct err *e);
void cleanup_tables_free(struct cleanup *c);

/* cleanup_serve.c */
void cleanup_serve(struct server_conn *conn);

/* cleanup_mail.c: one mail from open to verdict */
void cleanup_mail_init(struct cleanup_mail *m, struct cleanup *c);
void cleanup_mail_reset(struct cleanup_mail *m);
/* Copies O; PRIVILEGED: the client came by the socket of class queue. 0, or -1 with E: do not open. */
MUST_USE int cleanup_mail_open(
	struct cleanup_mail *m, const struct msg_cleanup_open *o, bool privileged, struct err *e);
void cleanup_mail_rcpt(struct cleanup_mail *m, const struct msg_cleanup_rcpt *r);
/* End of content: envelope, commit; the verdict is final afterwards. */
void cleanup_mail_end(struct cleanup_mail *m);
/* Note a failure; the first one counts. Always -1. */
int cleanup_fail(struct cleanup_mail *m, enum clnt_cleanup_status status, uint32_t code, const char *dsn,
	const char *text);
/* A failure of ours: 451 4.3.0 for the client, E in the log. Always -1. */
int cleanup_fail_temp(struct cleanup_mail *m, const struct err *e);
int cleanup_fail_memory(struct cleanup_mail *m);

/* cleanup_content.c: octets of the content, cut into header fields and the rest */
void cleanup_content(struct cleanup_mail *m, struct sv octets);
void cleanup_content_end(struct cleanup_mail *m);
/* Put into the queue file; a failure becomes the verdict. 0 or -1. */
int cleanup_put(struct cleanup_mail *m, struct sv octets);

/* cleanup_header.c */
int cleanup_header_field(struct cleanup_mail *m, struct sv raw); /* whole field with its last LF */
int cleanup_header_done(struct cleanup_mail *m);                 /* adds what is missing */

/* cleanup_addr.c: one address through rewriting, canonical maps, masquerade_domains */
/* In and out: internal form; *addr is replaced. CLS: enum cleanup_class. 0 or -1. */
int cleanup_addr_canonical(struct cleanup_mail *m, unsigned cls, struct sv *addr);
/* All N through trivial-rewrite; an empty one stays. */
int cleanup_addr_rewrite(struct cleanup_mail *m, const char *context, struct sv *addrs, size_t n);
/* Addresses that text from a table names ("a, b"), in internal form, "@domain" completed from FOR and the
 * extension EXT added, rewritten. *out, *n in the mail's arena. */
int cleanup_addr_result(struct cleanup_mail *m, struct sv text, struct sv for_addr, struct sv ext,
	struct sv **out, size_t *n);
/* Keys of ADDR for a table of type canonical(5). 0 or -1 (mydestination could not be asked). */
int cleanup_addr_keys(struct cleanup_mail *m, struct sv addr, struct map_keys *keys);

/* cleanup_virtual.c: virtual_alias_maps. *out, *n in the mail's arena, in order. */
int cleanup_virtual_expand(struct cleanup_mail *m, struct sv addr, struct sv **out, size_t *n);

/* cleanup_envelope.c: sender, recipients and BCC into the queue file. 0 or -1. */
int cleanup_envelope(struct cleanup_mail *m);

#endif
