/*
 * lib/tls/tls_conn.h - one TLS connection: handshake, then a stream like any other.
 *
 * Layer:     tls (event loop).
 * Ownership: tls_new_*() take the socket, also when they fail. tls_stream() is what is read and written; it
 *            owns the connection: stream_free() says close_notify, and closes the socket. The struct tls lives
 *            as long as its stream.
 * Errors:    a failed handshake is one text in E, class TEMP. Reads and writes as in stream.h; an end of the
 *            socket without close_notify is STREAM_ERR, never a clean end (truncation). What OpenSSL had to say
 *            then is in tls_failure().
 * Security:  whoever calls has forgotten everything that was said in clear, and what had been read ahead.
 *            The deadline is that of the whole handshake. Renegotiation is refused; a peer that sends records
 *            without data for long is cut off. Nothing of the peer's certificate is believed but by policy.
 * Standards: RFC 8446, 5246, 3207; 6125 (names).
 *
 *     int fd = stream_detach(io, &unread);          // forget UNREAD
 *     struct tls *t = tls_new_server(ctx, fd);
 *     io = tls_stream(t);
 *     if (tls_handshake(t, fiber_deadline(300000), &e) != 1) ...log e.text, end the session
 */
#ifndef TLS_TLS_CONN_H
#define TLS_TLS_CONN_H

#include "lib/fiber/stream.h"
#include "lib/tls/tls_ctx.h"
#include "lib/tls/tls_facts.h"

struct tls;
struct tls_sessions;

/* How the server of a destination is to be treated. Texts and lists must live until tls_handshake() returns. */
struct tls_client_policy {
	enum tls_level level;          /* MAY and above */
	struct tls_protocols protocols;
	const char *ciphers;           /* NULL: the context's */
	const char *server_name;       /* asked for (SNI); NULL or "": none */
	/* VERIFY, SECURE: one of these is in the certificate: "mail.example.org", ".example.org" (below it) */
	const char *const *match;
	size_t nmatch;
	bool wildcard_many;            /* "*.example.org" stands for several labels, too */
	/* FINGERPRINT: of certificate or public key, "AB:CD:..." */
	const char *const *fingerprint;
	size_t nfingerprint;
	/* Sessions to resume: NULL, none. KEY names destination and policy: other rules, other key. */
	struct tls_sessions *sessions;
	const char *session_key;
};

struct tls *tls_new_server(struct tls_ctx *c, int fd);
struct tls *tls_new_client(struct tls_ctx *c, int fd, const struct tls_client_policy *p);
/* The stream; the same one at each call. */
struct stream *tls_stream(struct tls *t);

/*
 * 1 both sides are ready, and the peer is whom the policy demands; 0 the handshake failed or the deadline
 * passed; -1 the fiber was cancelled. After 0 and -1 the stream gives errors only.
 */
MUST_USE int tls_handshake(struct tls *t, int64_t deadline, struct err *e);
/* After a handshake that came to its end. Of a failed one: what is known so far. */
const struct tls_facts *tls_facts(const struct tls *t);
/* Why a read or write failed: "" when nothing but the socket's end is to be told. */
const char *tls_failure(const struct tls *t);
/* Has the peer sent something to read, as far as it can be known without waiting? */
bool tls_input_waits(struct tls *t);

#endif
