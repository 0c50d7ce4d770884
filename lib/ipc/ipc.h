/*
 * lib/ipc/ipc.h - frames between merpati's processes, and file descriptors with them.
 *
 * Layer:     ipc.
 * Ownership: ipc_conn_new() takes the fd. A received frame and all views decoded from it live until
 *            the next ipc_recv() on that connection. Passed fds belong to the connection until
 *            ipc_take_fd(); what nobody took is closed at the next receive.
 * Errors:    1 done; 0 the peer closed in order (receive only); -1 with E: broken frame, wrong
 *            protocol or version, over the ceiling, deadline. The connection is then of no use; only a
 *            receive that reached its deadline or was cancelled may be tried again.
 * Fibers:    one may receive while others send; sends do not mix.
 * Security:  every peer is mistrusted: length checked before memory is taken, unknown tags skipped,
 *            a malformed frame is an error for that peer and never an exit.
 * Format:    u32 length of the rest, u16 protocol, u8 version, u8 number of fds, u16 type, u16 zero,
 *            u32 request id; then fields u16 tag, u8 kind, u8 zero, u32 length, octets. Little-endian.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

struct ipc_conn;

#define IPC_FRAME_MAX (1024 * 1024) /* largest frame */
#define IPC_HEAD      16            /* octets before the fields */
#define IPC_BODY_MAX  (IPC_FRAME_MAX - IPC_HEAD)
#define IPC_FDS_MAX   4

struct ipc_frame {
	uint16_t protocol;
	uint8_t version;
	uint16_t type;
	uint32_t request_id;
	struct sv body; /* encoded fields */
	unsigned nfds;
	int fds[IPC_FDS_MAX]; /* -1: taken */
	struct ipc_conn *conn; /* that keeps the fds; NULL in a reply of ipc_call() */
};

struct ipc_conn *ipc_conn_new(int fd);
void ipc_conn_free(struct ipc_conn *c); /* closes; NULL allowed */
int ipc_conn_fd(const struct ipc_conn *c);
/* SO_PEERCRED of a unix socket. 0 or -1. */
int ipc_peer(const struct ipc_conn *c, uid_t *uid, gid_t *gid, pid_t *pid);

int ipc_recv(struct ipc_conn *c, struct ipc_frame *out, int64_t deadline, struct err *e);
/* BODY as made by a generated encoder. Fds stay the caller's. */
int ipc_send(struct ipc_conn *c, uint16_t protocol, uint8_t version, uint16_t type, uint32_t request_id,
	struct sv body, const int *fds, unsigned nfds, int64_t deadline, struct err *e);
/*
 * Between the two, small frames without descriptors are kept and go out together: by ipc_uncork(), before
 * the next receive, or when 64 kB are reached. For series that are answered once, at their end.
 */
void ipc_cork(struct ipc_conn *c);
MUST_USE int ipc_uncork(struct ipc_conn *c, int64_t deadline, struct err *e);
/* Move fd number I out of the frame; -1 when there is none. */
int ipc_take_fd(struct ipc_frame *f, unsigned i);
/* A whole frame is here already: the next ipc_recv() will not wait. */
bool ipc_pending(const struct ipc_conn *c);

/* Lists in messages (lib/ipc/msg.h). */
struct sv_list {
	struct sv *v;
	size_t n;
};

struct u32_list {
	uint32_t *v;
	size_t n;
};

struct u64_list {
	uint64_t *v;
	size_t n;
};

/*
 * Client side: a pool of connections to one service. A call takes a free connection (dialling a new one
 * up to the pool's maximum), sends, receives one reply, and gives it back. A connection that broke
 * before any octet of the reply came, on a reused connection, is replaced and the call made once more:
 * requests made by ipc_call() must bear being done twice. Idle connections are closed after 5 s.
 */
struct ipc_pool;
/* How connections are made: master's connect request for jailed daemons, connect(2) for others. */
typedef int (*ipc_dial_fn)(void *ctx, const char *endpoint, int64_t deadline, struct err *e);

/* ENDPOINT is copied; CTX must outlive the pool. */
struct ipc_pool *ipc_pool_new(const char *endpoint, unsigned max, ipc_dial_fn dial, void *ctx);
void ipc_pool_free(struct ipc_pool *p);
/* Keep idle connections, for services where the connection stands for the process (anvil, auth). */
void ipc_pool_keep(struct ipc_pool *p);
/* A connection of one's own for a dialogue of several frames; NULL with E. */
struct ipc_conn *ipc_pool_get(struct ipc_pool *p, int64_t deadline, struct err *e);
/* GOOD: may be reused. */
void ipc_pool_put(struct ipc_pool *p, struct ipc_conn *c, bool good);
/*
 * One request, one reply. REPLY's views live in ARENA (the body is copied). Fds in the reply are the
 * caller's. 1 done, -1 with E (class TEMP).
 */
int ipc_call(struct ipc_pool *p, uint16_t protocol, uint8_t version, uint16_t type, struct sv body,
	struct arena *a, struct ipc_frame *reply, int64_t deadline, struct err *e);

#endif
