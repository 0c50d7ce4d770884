#include "lib/wire/maillock_frame.h"

#include <string.h>

#define OP_AT      4
#define NAME_AT    8
#define NUMBERS_AT (NAME_AT + MAILLOCK_NAME_MAX + 1)
#define ERRNO_AT   8
#define ERRNO_MAX  4095 /* of any system call */

static const unsigned char magic[4] = { 'M', 'L', 'K', '1' };

static void put_number(unsigned char *out, uint64_t n, size_t octets)
{
	for (size_t i = 0; i < octets; i++)
		out[i] = (unsigned char)(n >> (8 * i));
}

static uint64_t get_number(const unsigned char *in, size_t octets)
{
	uint64_t n = 0;
	for (size_t i = 0; i < octets; i++)
		n |= (uint64_t)in[i] << (8 * i);
	return n;
}

static bool all_zero(const unsigned char *in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (in[i] != 0)
			return false;
	return true;
}

bool maillock_name_ok(struct sv name)
{
	if (name.len == 0 || name.len > MAILLOCK_NAME_MAX || name.p[0] == '.' || name.p[0] == '-')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];
		if (c < ' ' || c == 0x7f || c == '/')
			return false;
	}
	return true;
}

int maillock_request_put(const struct maillock_request *r, unsigned char out[MAILLOCK_REQUEST_LEN])
{
	struct sv name = sv_n(r->name, strnlen(r->name, sizeof(r->name)));
	if (!maillock_name_ok(name))
		return -1;
	memset(out, 0, MAILLOCK_REQUEST_LEN);
	memcpy(out, magic, sizeof(magic));
	out[OP_AT] = (unsigned char)r->op;
	memcpy(out + NAME_AT, name.p, name.len);
	for (size_t i = 0; i < MAILLOCK_NUMBERS; i++)
		put_number(out + NUMBERS_AT + 8 * i, r->number[i], 8);
	return 0;
}

int maillock_request_get(const unsigned char in[MAILLOCK_REQUEST_LEN], struct maillock_request *out)
{
	const char *text = (const char *)in + NAME_AT;
	size_t len = strnlen(text, MAILLOCK_NAME_MAX + 1);
	if (memcmp(in, magic, sizeof(magic)) != 0 || !all_zero(in + OP_AT + 1, NAME_AT - OP_AT - 1) ||
	        in[OP_AT] < MAILLOCK_LOCK || in[OP_AT] > MAILLOCK_FORGET || !maillock_name_ok(sv_n(text, len)) ||
	        !all_zero(in + NAME_AT + len, MAILLOCK_NAME_MAX + 1 - len))
		return -1;
	if (in[OP_AT] != MAILLOCK_NOTE && !all_zero(in + NUMBERS_AT, 8 * MAILLOCK_NUMBERS))
		return -1;
	*out = (struct maillock_request){ .op = (enum maillock_op)in[OP_AT] };
	memcpy(out->name, text, len);
	for (size_t i = 0; i < MAILLOCK_NUMBERS; i++)
		out->number[i] = get_number(in + NUMBERS_AT + 8 * i, 8);
	return 1;
}

void maillock_answer_put(const struct maillock_answer *a, unsigned char out[MAILLOCK_ANSWER_LEN])
{
	memset(out, 0, MAILLOCK_ANSWER_LEN);
	memcpy(out, magic, sizeof(magic));
	out[OP_AT] = (unsigned char)a->status;
	put_number(out + ERRNO_AT, (uint32_t)a->sys_errno, 4);
}

int maillock_answer_get(const unsigned char in[MAILLOCK_ANSWER_LEN], struct maillock_answer *out)
{
	uint64_t why = get_number(in + ERRNO_AT, 4);
	unsigned status = in[OP_AT];
	if (memcmp(in, magic, sizeof(magic)) != 0 || !all_zero(in + OP_AT + 1, NAME_AT - OP_AT - 1) ||
	        !all_zero(in + ERRNO_AT + 4, MAILLOCK_ANSWER_LEN - ERRNO_AT - 4) || status < MAILLOCK_DONE ||
	        status > MAILLOCK_TROUBLE || (status == MAILLOCK_TROUBLE ? why == 0 || why > ERRNO_MAX : why != 0))
		return -1;
	*out = (struct maillock_answer){ .status = (enum maillock_status)status, .sys_errno = (int)why };
	return 1;
}
