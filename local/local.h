/*
 * local/local.h - private types of this folder.
 *
 * The way of a recipient: local_deliver() (loop check) -> local_alias() -> local_user() (.forward) ->
 * local_fan_out(): mailbox, commands, files, and all addresses as one mail that goes back into the queue
 * (local_inject.c).
 */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include "lib/clnt/clnt_auth.h"
#include "lib/config/params.h"
#include "lib/deliver/deliver_mailbox.h"
#include "lib/deliver/text_file.h"
#include "lib/mail/alias_grammar.h"
#include "lib/map/matchlist.h"
#include "lib/server/server.h"
#include "lib/store/mbox_append.h"

#define LOCAL_FORWARD_MAX (1u << 20) /* octets of a .forward file */
#define LOCAL_ITEMS_MAX   100000     /* members of one alias */
#define LOCAL_INCLUDE_MAX  (16u << 20) /* octets of an :include: file */
#define LOCAL_INCLUDES_MAX 100 /* of one alias */
#define LOCAL_DEPTH_MAX    20  /* :include: in :include: */
#define LOCAL_HEADER_MAX  (256 * 1024) /* how far Delivered-To is looked for */

/* The process. */
struct local {
	struct params_core core;
	struct params_local params;
	struct params_store store_params;
	struct server *server;
	struct maps_env env;
	struct maps *aliases;
	struct maps *command_maps, *transport_maps, *fallback_maps; /* mailbox_command_maps and so on */
	struct matchlist *mydestination;
	struct ipc_pool *auth, *cleanup;
	struct ipc_pool *postmen; /* auth again: hand-overs may wait for a process, look-ups do not */
	struct store *store;
	bool delivered_to_file, delivered_to_forward, delivered_to_command; /* prepend_delivered_header */
	unsigned commands_from, files_from; /* enum local_source: allow_mail_to_commands, _files */
	unsigned locks;                     /* enum mbox_lock: mailbox_delivery_lock */
	unsigned propagate_from;            /* enum local_source: propagate_unmatched_extensions */
	bool is_system;                     /* users are the machine's: one name in all of our domains */
};

/* Where a text that names destinations stands. */
enum local_source {
	LOCAL_FROM_ALIAS = 1,
	LOCAL_FROM_FORWARD = 2,
	LOCAL_FROM_INCLUDE = 4,
	LOCAL_FROM_CONFIG = 8, /* main.cf: mailbox_command */
};

/* With whose rights something is done. */
struct local_rights {
	struct clnt_auth_whose whose;
	const struct clnt_auth_identity *user; /* has HOME and SHELL; NULL: nobody has */
};

/* A text that names destinations, while it is expanded. */
struct local_text {
	const char *name; /* for messages */
	struct sv own;    /* this name in it means the user's own mailbox */
	enum local_source source;
	struct local_rights rights; /* of its commands and files */
	unsigned depth;             /* of :include:, of aliases in aliases */
	const struct local_text *parent; /* of an alias in an alias */
	struct sv ext;              /* propagate_unmatched_extensions: what was not looked up, with its delimiter */
};

/* A destination that is no address. */
struct local_member {
	enum alias_kind kind; /* ALIAS_COMMAND, ALIAS_FILE */
	struct sv text;
	enum local_source source;
	struct local_rights rights;
	const char *where; /* for messages: "hash:/etc/aliases: alias "x", line 1" */
};

/* One recipient on its way. */
struct local_rcpt {
	struct local *local;
	struct deliver_request *rq;
	size_t i;
	struct sv address; /* final recipient as qmgr gave it: Delivered-To */
	struct sv name;    /* its local part, folded, with extension */
	struct sv user;    /* without */
	struct sv ext;     /* may be empty, also when there is a delimiter ("anna+") */
	bool split;        /* there is one */
	struct sv domain;  /* folded */
	bool plain;        /* "\user": neither alias nor .forward */
	const struct local_loop *loop;
};

/* What an alias or a .forward file turned out to mean. */
struct local_expansion {
	struct sv *addresses; /* internal form, without doubles */
	size_t n;
	struct local_member *members;
	size_t nmembers;
	int fds[LOCAL_INCLUDES_MAX]; /* of :include: files, for "owner FD" */
	size_t nfds;
	bool self;            /* also, or only, the user himself */
	bool self_plain;      /* ... as "\user": the mailbox, whatever .forward says */
	struct sv written;    /* as written: goes into the nonce */
	struct sv sender;     /* of the new mail */
	bool in_place;        /* an alias without owner or :include: file: frozen_delivered_to counts */
	bool member;          /* an alias below a list: its members are the list's */
	bool list;            /* the sender is a list's owner: NOTIFY and ENVID stay behind */
	bool again;           /* the same recipient once more, with that sender */
};

/* Every function that ends a recipient calls deliver_done() itself. */
void local_handle(struct deliver_request *rq, void *ctx);

/* What the header of a mail tells of its way here: Delivered-To addresses, and the owners of lists that
 * became its sender (local_inject.c says so in Received). */
struct local_step {
	struct sv address;
	bool list; /* it has an owner, or (reset_owner_alias) is a member of such a one */
};
struct local_loop {
	struct sv *v;
	size_t n;
	struct sv *owners;
	size_t nowners;
	struct local_step *steps; /* aliases that led here since the mail came in, the first one last */
	size_t nsteps;
};
/* Of RQ's mail. 0, or -1 with E. */
MUST_USE int local_loop_read(const struct deliver_request *rq, struct local_loop *out, struct err *e);
bool local_loop_has(const struct local_loop *l, struct sv address);
bool local_loop_owner(const struct local_loop *l, struct sv address);
#define LOCAL_OWNER_MARK "(sender replaced by <"
#define LOCAL_STEP_MARK  "for <" /* in a Received field of local's own: it begins with "by" */
#define LOCAL_LIST_MARK  " (list)"
/* What goes into Delivered-To where R's mail is delivered; empty: its header says so already. */
struct sv local_delivered_to(const struct local_rcpt *r);
/* The same from a header in memory (tests). */
MUST_USE int local_loop_parse(struct sv head, struct arena *a, struct local_loop *out);

/* The value of the alias NAME. 1 with VALUE, 0, -1 with E. */
MUST_USE int local_alias_find(struct local *l, struct sv name, struct buf *value, struct err *e);
/* 1 it was an alias (done), 0 there is none. */
int local_alias(struct local_rcpt *r);
void local_user(struct local_rcpt *r);

/* Append TEMPLATE with $user, $home and so on filled in (WHO may be NULL); FILTER: characters that what comes
 * from the address may hold, NULL: all. 0 or -1 with E. */
MUST_USE int local_expand_text(const struct local_rcpt *r, const struct clnt_auth_identity *who,
	struct sv template, const char *filter, struct buf *out, struct err *e);

/* The part of R's name that was not needed, with its delimiter; empty: all of it was. */
struct sv local_unmatched(const struct local_rcpt *r);

/* 1 the user has a .forward that says something else than "keep it", and X tells what; 0; -1 with E. */
MUST_USE int local_forward(struct local_rcpt *r, const struct clnt_auth_identity *who,
	struct local_expansion *x, struct err *e);
/* One of its files: TEMPLATE is an entry of forward_path. 1, 0 it does not apply, -1 with E. */
MUST_USE int local_forward_path(const struct local_rcpt *r, const struct clnt_auth_identity *who,
	struct sv template, struct buf *out, struct err *e);

/*
 * Sort the items of T, an alias (.own: its name) or .forward (.own: the user's), into addresses, "self" and
 * members. 0, or -1 with E: the mail waits.
 */
MUST_USE int local_expand(const struct local_rcpt *r, const struct local_text *t, const struct alias_list *l,
	struct local_expansion *out, struct err *e);

void local_expansion_close(struct local_expansion *x);

/* --- local_include.c ----------------------------------------------------------------------------- */
/* Read WHAT with these rights: as text_file_read(). */
MUST_USE int local_read_text(const struct local_rcpt *r, const struct local_rights *rights,
	const struct text_file *what, struct buf *text, size_t *which, int *fd, struct err *e);
/* That WHAT said TEXT goes into the nonce of what is re-injected. 0, -1 no memory. */
MUST_USE int local_note_text(const struct local_rcpt *r, struct local_expansion *x, struct sv what, struct sv text);
/* The :include: file that IT in FROM names: *OUT and *LIST; X keeps its descriptor. 0, or -1 with E. */
MUST_USE int local_include(const struct local_rcpt *r, const struct local_text *from, const struct alias_item *it,
	struct local_expansion *x, struct local_text *out, struct alias_list *list, struct err *e);

/* --- local_nested.c ------------------------------------------------------------------------------ */
/* An alias that the member IT of the alias T names, when it is to be expanded with T: it has no owner, and addresses
 * only. 1 with *OUT and *LIST, 0 it is an address like others, -1 with E. */
MUST_USE int local_nested(const struct local_rcpt *r, const struct local_text *t, const struct alias_item *it,
	struct local_expansion *x, struct local_text *out, struct alias_list *list, struct err *e);

/* Deliver an expansion: own mailbox (WHO may be NULL: no such user), members, addresses as one mail. */
void local_fan_out(
	struct local_rcpt *r, const struct clnt_auth_identity *who, const struct local_expansion *x);

/* Run a command, as a postman with its rights, until UNTIL at most. SENDER: of the mail as the command
 * sees it. */
void local_command(const struct local_rcpt *r, const struct local_member *m, struct sv sender, int64_t until,
	struct deliver_outcome *out);

/* --- local_file.c -------------------------------------------------------------------------------- */
/* Append to a file, or deliver into a Maildir if its name ends in '/'. IN_PARTS: one part of several. */
void local_file(const struct local_rcpt *r, const struct local_member *m, struct sv sender, bool in_parts,
	struct deliver_outcome *out);
/* Locks and limit of mbox files, as main.cf says. */
struct mbox_rules local_mbox_rules(const struct local *l);
/* Have a postman with these rights deliver into the mailbox MAIL. 0, or -1 with E: it may have been done. */
MUST_USE int local_ask_mailbox(const struct local_rcpt *r, struct sv sender, const struct local_rights *rights,
	struct sv mail, bool in_parts, struct deliver_outcome *out, struct err *e);
/* What stands in front of the mail in files and for commands: From_ line, fields. 0, -1. */
int local_head(const struct local_rcpt *r, struct sv sender, bool delivered_to, struct buf *out);
/* The recipient as it was first given. */
struct sv local_original(const struct local_rcpt *r);

/* --- local_input.c: a file without a name that holds HEAD and the mail. 0 with *FD at its start, -1 with E. */
MUST_USE int local_input(const struct local_rcpt *r, struct sv head, int *fd, struct err *e);

#define LOCAL_PARTIAL "partial" /* directory below the queue directory */

/* --- local_parts.c: what has been done of an expansion ------------------------------------------ */
struct local_parts;
uint64_t local_part_key(const char *kind, struct sv text);
/* NULL with E. */
MUST_USE struct local_parts *local_parts_open(const struct local_rcpt *r, struct err *e);
bool local_parts_find(const struct local_parts *p, uint64_t key, struct deliver_outcome *out);
void local_parts_add(struct local_parts *p, uint64_t key, const struct deliver_outcome *o);
/* NULL allowed. KEEP: for another try. */
void local_parts_close(struct local_parts *p, bool keep);
/* A mark that R may have been delivered, for a recipient that has no parts. */
bool local_parts_marked(const struct local_rcpt *r);
void local_parts_mark(const struct local_rcpt *r);
void local_parts_unmark(const struct local_rcpt *r);
/* Remove what no mail can have left any more. */
void local_parts_clean(int64_t lifetime_s);

/* How long one recipient may take, milliseconds: qmgr waits ipc_timeout for the answer. */
int64_t local_patience(const struct local *l);

/* --- local_pass.c: other transports -------------------------------------------------------------- */
/* The value for R's user in MAPS, else OTHERWISE, into OUT. 1, 0 there is none, -1 with E. */
MUST_USE int local_find(
	struct local_rcpt *r, struct maps *maps, const char *otherwise, struct buf *out, struct err *e);
/* Have WHERE ("transport:nexthop"), the value of PARAMETER, deliver. */
void local_pass(struct local_rcpt *r, const char *parameter, struct sv where, struct deliver_outcome *out);

/* Give the addresses of an expansion back to the queue. 1 with the new id in ID, 0 refused for good, -1 try again;
 * the text in E, the code in DSN. */
#define LOCAL_ID_MAX 64
MUST_USE int local_inject(const struct local_rcpt *r, const struct local_expansion *x,
	char id[LOCAL_ID_MAX], struct dsn_code *dsn, struct err *e);

/* Write to the user's mailbox, or what mailbox_transport and mailbox_command have instead. SENDER and UNTIL:
 * as local_command(). */
void local_mailbox(struct local_rcpt *r, const struct clnt_auth_identity *who, struct sv sender,
	int64_t until, bool in_parts, struct deliver_outcome *out);

/* Who is it? 1, 0, -1 with E. */
MUST_USE int local_who(const struct local_rcpt *r, struct clnt_auth_identity *out, struct err *e);

#endif
