/*
 * pop3d/pop3d.h - private types of the POP3 server.
 *
 * Layer:     daemon.
 * Ownership: struct pop3_session lives on its fiber's stack from sign-in to the end.
 * Standards: RFC 1939 (all but APOP), RFC 2449 (CAPA, RESP-CODES, PIPELINING).
 */
#ifndef POP3D_POP3D_H
#define POP3D_POP3D_H

#include "lib/clnt/clnt_auth.h"
#include "lib/fiber/stream.h"
#include "lib/store/store_box.h"
#include "lib/wire/pop3_cmd.h"

struct pop3_settings {
	int64_t timeout_ms; /* between commands */
	unsigned max_errors;
};

/* The mailbox as this session sees it: fixed at sign-in, whatever others do. */
struct pop3_maildrop {
	struct store_account *account;
	struct store_box *box;
	size_t count;
	bool *deleted; /* by DELE, until QUIT */
	size_t ndeleted;
	uint64_t octets; /* of what is not deleted */
};

struct pop3_session {
	const struct pop3_settings *set;
	struct stream *out; /* and in */
	struct pop3_maildrop drop;
	const char *user;
	unsigned errors;
	bool done;
	const char *why; /* for the log */
	/* for the log */
	size_t retrieved, topped;
	uint64_t retrieved_octets;
};

/* Serve one signed-in client; takes S->fd. The client is told here that it is signed in. */
void pop3_serve(
        struct store *store, const struct pop3_settings *set, const struct clnt_auth_session *s);

/* --- pop3d_drop.c: the mailbox ---------------------------------------------------------------- */
/* 1, or -1 with E. */
MUST_USE int pop3_drop_open(struct pop3_maildrop *d, struct store *store,
        const struct clnt_auth_identity *who, struct err *e);
void pop3_drop_close(struct pop3_maildrop *d);
/* Remove what DELE marked. 1, or -1: some may be left (E). */
MUST_USE int pop3_drop_update(struct pop3_maildrop *d, struct err *e);
/* Unique and lasting, at most 70 octets of RFC 1939's characters. */
#define POP3_UIDL_SIZE 20
void pop3_drop_uidl(const struct pop3_maildrop *d, size_t index, char out[static POP3_UIDL_SIZE]);

/* --- pop3d_send.c: RETR and TOP ----------------------------------------------------------------
 */
enum pop3_sent {
	POP3_SENT,
	POP3_NO_MAIL, /* gone or unreadable, nothing was sent (E) */
	POP3_BROKEN,  /* half of it went out: the connection has to end (E) */
};
#define POP3_ALL_LINES UINT32_MAX
/* Send "+OK", header and LINES lines of the body, byte-stuffed, and the final dot. */
enum pop3_sent pop3_send(struct pop3_session *s, size_t index, uint32_t lines, struct err *e);

/*
 * Byte-stuffing as a function of octets: IN (LF or CRLF line ends) goes to OUT with CRLF line ends,
 * dots at line starts doubled. STATE is zero at the start of a message. Stops when *LINES_LEFT body
 * lines have gone (header not counted).
 */
struct pop3_stuff {
	bool in_line; /* the last octet sent did not end a line */
	bool last_cr;
	bool in_body;
	bool field_line; /* this header line has an octet: it is not the empty one */
	uint32_t lines_left;
};
/* Octets of IN used. 0 or -1 (STREAM error). *FINISHED: nothing more is to be sent. */
int pop3_stuff(struct pop3_stuff *st, struct stream *out, struct sv in, bool *finished);

#endif
