/* The generated half of the codec: a table of fields and five short functions for each message. */
#include "lib/ipc/msg.h"

#include "lib/ipc/codec.h"

static int encode_and_send(const struct msg_desc *d, struct ipc_conn *c, const void *m, uint32_t request_id,
	const int *fds, unsigned nfds, int64_t deadline, struct err *e)
{
	struct buf body;
	buf_init(&body, IPC_BODY_MAX);
	int rc = codec_encode(d, m, &body) < 0 ?
			 err_set(e, ERR_TEMP, "message %s %s: too large", d->protocol_name, d->name) :
			 ipc_send(c, d->protocol, d->version, d->type, request_id, buf_sv(&body), fds, nfds,
				 deadline, e);
	buf_free(&body);
	return rc;
}

static int decode_frame(const struct msg_desc *d, const struct ipc_frame *f, struct arena *a, void *out,
	struct err *e)
{
	if (f->protocol != d->protocol || f->version != d->version || f->type != d->type)
		return err_set(e, ERR_TEMP, "message %u/%u/%u came where %s %s (%u/%u/%u) was expected",
			f->protocol, f->version, f->type, d->protocol_name, d->name, d->protocol, d->version,
			d->type);
	return codec_decode(d, f->body, a, out, e);
}

#define PROTOCOL(p, id, version)
#define MESSAGE(p, m, type)                                                  \
	static const struct msg_field *fields_##p##_##m(size_t *n)           \
	{                                                                    \
		typedef struct msg_##p##_##m this_msg;                       \
		static const struct msg_field f[] = {
#define FIELD(tag, kind, name) { (tag), MSG_KIND_##kind, offsetof(this_msg, name), #name },
#define END(p, m)                                                                                          \
	{ 0, 0, sizeof(this_msg), NULL }                                                                   \
	}                                                                                                  \
	;                                                                                                  \
	*n = ARRAY_LEN(f) - 1;                                                                             \
	return f;                                                                                          \
	}                                                                                                  \
	static const struct msg_desc desc_##p##_##m = { #p, #m, MSG_##p##_PROTOCOL, MSG_##p##_VERSION,     \
		MSG_##p##_##m, sizeof(struct msg_##p##_##m), fields_##p##_##m };                           \
	int msg_##p##_##m##_encode(const struct msg_##p##_##m *m, struct buf *body)                        \
	{                                                                                                  \
		return codec_encode(&desc_##p##_##m, m, body);                                             \
	}                                                                                                  \
	int msg_##p##_##m##_decode(struct sv body, struct arena *a, struct msg_##p##_##m *out,             \
		struct err *e)                                                                             \
	{                                                                                                  \
		return codec_decode(&desc_##p##_##m, body, a, out, e);                                     \
	}                                                                                                  \
	void msg_##p##_##m##_dump(const struct msg_##p##_##m *m, struct buf *out)                          \
	{                                                                                                  \
		codec_dump(&desc_##p##_##m, m, out);                                                       \
	}                                                                                                  \
	int msg_##p##_##m##_send(struct ipc_conn *c, const struct msg_##p##_##m *m, uint32_t request_id,   \
		const int *fds, unsigned nfds, int64_t deadline, struct err *e)                            \
	{                                                                                                  \
		return encode_and_send(&desc_##p##_##m, c, m, request_id, fds, nfds, deadline, e);         \
	}                                                                                                  \
	int msg_##p##_##m##_from(const struct ipc_frame *f, struct arena *a, struct msg_##p##_##m *out,    \
		struct err *e)                                                                             \
	{                                                                                                  \
		return decode_frame(&desc_##p##_##m, f, a, out, e);                                        \
	}

#include "lib/ipc/msg/all.h"

#undef PROTOCOL
#undef MESSAGE
#undef FIELD
#undef END

#define PROTOCOL(p, id, version)
#define MESSAGE(p, m, type)                                                                       \
	{ #p, #m, MSG_##p##_PROTOCOL, MSG_##p##_VERSION, MSG_##p##_##m, sizeof(struct msg_##p##_##m), \
		fields_##p##_##m },
#define FIELD(tag, kind, name)
#define END(p, m)

const struct msg_desc *msg_table(size_t *n)
{
	static const struct msg_desc all[] = {
#include "lib/ipc/msg/all.h"
	};
	*n = ARRAY_LEN(all);
	return all;
}
