/*
 * lib/ipc/msg.h - the messages between merpati's processes, generated from lib/ipc/msg/<protocol>.def.
 *
 * Layer:     ipc (the codec is pure; send uses a connection).
 * Ownership: a decoded STR is a view into the body, lists live in the arena; both are needed as long as
 *            the struct is used. Encoders copy into BODY.
 * Errors:    encode 0, -1 when BODY's ceiling is reached; decode 1, -1 with E (class TEMP); see below.
 * Security:  decoders take any octets: lengths are checked before use, a field that comes twice or with
 *            the wrong kind is an error, unknown tags are skipped.
 *
 * For MESSAGE(P, NAME, TYPE) there are
 *
 *     struct msg_P_NAME { ... };           one member a FIELD
 *     MSG_P_PROTOCOL, MSG_P_VERSION        of the protocol; MSG_P_NAME: the frame's type
 *     int msg_P_NAME_encode(const struct msg_P_NAME *m, struct buf *body);
 *     int msg_P_NAME_decode(struct sv body, struct arena *a, struct msg_P_NAME *out, struct err *e);
 *     void msg_P_NAME_dump(const struct msg_P_NAME *m, struct buf *out);
 *     int msg_P_NAME_send(struct ipc_conn *c, const struct msg_P_NAME *m, uint32_t request_id,
 *                         const int *fds, unsigned nfds, int64_t deadline, struct err *e);
 *     int msg_P_NAME_from(const struct ipc_frame *f, struct arena *a, struct msg_P_NAME *out,
 *                         struct err *e);
 *
 * _send is encode and ipc_send(); _from checks protocol, version and type of a frame, then decodes: 1 or -1.
 */
#ifndef IPC_MSG_H
#define IPC_MSG_H

#include "lib/ipc/ipc.h"

#define MSG_TYPE_U32  uint32_t
#define MSG_TYPE_U64  uint64_t
#define MSG_TYPE_I64  int64_t
#define MSG_TYPE_BOOL bool
#define MSG_TYPE_STR  struct sv
#define MSG_TYPE_STRS struct sv_list
#define MSG_TYPE_U32S struct u32_list
#define MSG_TYPE_U64S struct u64_list

#define PROTOCOL(p, id, version) enum { MSG_##p##_PROTOCOL = (id), MSG_##p##_VERSION = (version) };
#define MESSAGE(p, m, type)      \
	enum { MSG_##p##_##m = (type) }; \
	struct msg_##p##_##m {
#define FIELD(tag, kind, name) MSG_TYPE_##kind name;
#define END(p, m)                                                                                        \
	}                                                                                                \
	;                                                                                                \
	MUST_USE int msg_##p##_##m##_encode(const struct msg_##p##_##m *m, struct buf *body);            \
	MUST_USE int msg_##p##_##m##_decode(struct sv body, struct arena *a, struct msg_##p##_##m *out,  \
		struct err *e);                                                                          \
	void msg_##p##_##m##_dump(const struct msg_##p##_##m *m, struct buf *out);                       \
	MUST_USE int msg_##p##_##m##_send(struct ipc_conn *c, const struct msg_##p##_##m *m,             \
		uint32_t request_id, const int *fds, unsigned nfds, int64_t deadline, struct err *e);    \
	MUST_USE int msg_##p##_##m##_from(const struct ipc_frame *f, struct arena *a,                    \
		struct msg_##p##_##m *out, struct err *e);

#include "lib/ipc/msg/all.h"

#undef PROTOCOL
#undef MESSAGE
#undef FIELD
#undef END

#endif
