/*
 * lib/ipc/codec.h - encode, decode and dump any message by the table of its fields.
 *
 * Layer:    ipc (pure). Used by the generated functions of msg.c, the fuzz target and gendoc.
 * Errors:   see msg.h.
 */
#ifndef IPC_CODEC_H
#define IPC_CODEC_H

#include "lib/ipc/ipc.h"

enum msg_kind { MSG_KIND_U32 = 1, MSG_KIND_U64, MSG_KIND_I64, MSG_KIND_BOOL, MSG_KIND_STR, MSG_KIND_STRS,
	MSG_KIND_U32S, MSG_KIND_U64S };

struct msg_field {
	uint16_t tag;
	uint8_t kind;
	size_t offset;
	const char *name;
};

struct msg_desc {
	const char *protocol_name, *name;
	uint16_t protocol;
	uint8_t version;
	uint16_t type;
	size_t size;
	const struct msg_field *(*fields)(size_t *n);
};

int codec_encode(const struct msg_desc *d, const void *m, struct buf *body);
int codec_decode(const struct msg_desc *d, struct sv body, struct arena *a, void *out, struct err *e);
void codec_dump(const struct msg_desc *d, const void *m, struct buf *out);

/* Every message of every protocol. */
const struct msg_desc *msg_table(size_t *n);

#endif
