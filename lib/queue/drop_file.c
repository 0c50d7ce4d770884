#include "lib/queue/drop_file.h"

#include "lib/base/num.h"
#include "lib/queue/queue_file.h"

enum { STAGE_MAGIC, STAGE_FACTS, STAGE_RCPTS, STAGE_CONTENT, STAGE_ENDED };

static const struct {
	enum drop_type type;
	unsigned first, last; /* stages in which it may come */
	size_t max;
	bool once;
} rules[] = {
	{ DROP_SENDER, STAGE_FACTS, STAGE_FACTS, DROP_ADDRESS_MAX, true },
	{ DROP_FULL_NAME, STAGE_FACTS, STAGE_FACTS, 1000, true },
	{ DROP_ID, STAGE_FACTS, STAGE_FACTS, 64, true },
	{ DROP_ENVID, STAGE_FACTS, STAGE_FACTS, 100, true },
	{ DROP_RET, STAGE_FACTS, STAGE_FACTS, 4, true },
	{ DROP_BODY, STAGE_FACTS, STAGE_FACTS, 8, true },
	{ DROP_UTF8, STAGE_FACTS, STAGE_FACTS, 0, true },
	{ DROP_TRACE, STAGE_FACTS, STAGE_FACTS, 4, true },
	{ DROP_ORCPT, STAGE_FACTS, STAGE_RCPTS, DROP_ADDRESS_MAX, false },
	{ DROP_RCPT, STAGE_FACTS, STAGE_RCPTS, 4 + DROP_ADDRESS_MAX, false },
	{ DROP_CONTENT, STAGE_RCPTS, STAGE_CONTENT, DROP_PIECE_MAX, false },
	{ DROP_END, STAGE_RCPTS, STAGE_CONTENT, 4, true },
};

static int refuse(const char **why, const char *text)
{
	*why = text;
	return -1;
}

/* Index in rules of the record whose head is at P; -1. */
static int rule_of(const struct drop_reader *d, const unsigned char *p, size_t len, const char **why)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if ((unsigned char)rules[i].type != p[0])
			continue;
		if (p[1] || p[2] || p[3])
			return refuse(why, "reserved octets of a record are set");
		if (len > rules[i].max)
			return refuse(why, "a record is too long");
		if (d->stage < rules[i].first || d->stage > rules[i].last)
			return refuse(why, "records are out of order");
		if (rules[i].once && (d->seen & 1u << i))
			return refuse(why, "a record comes twice");
		return (int)i;
	}
	return refuse(why, "a record of a type that is not allowed");
}

static bool is_line_text(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
			return false;
	return true;
}

/* Type-specific part of a record with DATA; moves the stage on. */
static int take(struct drop_reader *d, struct drop_record *r, struct sv data, const char **why)
{
	r->data = data;
	r->number = 0;
	if (r->type == DROP_RET || r->type == DROP_TRACE || r->type == DROP_END ||
		r->type == DROP_RCPT) {
		if (data.len < 4)
			return refuse(why, "a record is too short");
		r->number = num_get_le32(data.p);
		r->data = sv_from(data, 4);
	}
	if (d->orcpt && r->type != DROP_RCPT)
		return refuse(why, "an original recipient without its recipient");
	d->orcpt = r->type == DROP_ORCPT;
	if (r->type != DROP_CONTENT && r->type != DROP_END && !is_line_text(r->data))
		return refuse(why, "control octets in the envelope");
	switch (r->type) {
	case DROP_RET:
		if (r->number > QUEUE_RET_HDRS)
			return refuse(why, "bad value for RET");
		break;
	case DROP_TRACE:
		if (r->number != DROP_TRACE_VERIFY && r->number != DROP_TRACE_REPORT)
			return refuse(why, "bad value for trace");
		break;
	case DROP_RCPT:
		if (!(d->seen & 1u))
			return refuse(why, "no sender before the recipients");
		if (++d->rcpts > DROP_RCPTS_MAX)
			return refuse(why, "too many recipients");
		if (r->number > 15)
			return refuse(why, "bad value for NOTIFY");
		d->stage = STAGE_RCPTS;
		break;
	case DROP_CONTENT:
		d->content += r->data.len;
		d->stage = STAGE_CONTENT;
		break;
	case DROP_END:
		if (r->number != d->crc)
			return refuse(why, "checksum does not fit");
		d->stage = STAGE_ENDED;
		break;
	default: break;
	}
	return 1;
}

int drop_next(struct drop_reader *d, struct sv in, struct drop_record *r, size_t *used, const char **why)
{
	*used = 0;
	if (d->stage == STAGE_ENDED)
		return in.len == 0 ? 0 : refuse(why, "octets behind the end record");
	if (in.len < DROP_HEAD)
		return 0;
	if (d->stage == STAGE_MAGIC) {
		if (!sv_starts(in, SV(DROP_MAGIC)))
			return refuse(why, "not a maildrop file");
		d->crc = num_crc32c(0, in.p, DROP_HEAD);
		d->stage = STAGE_FACTS;
		*used = DROP_HEAD;
		/* once: the stage has changed */
		int rc = drop_next(d, sv_from(in, DROP_HEAD), r, used, why);
		*used += DROP_HEAD;
		return rc;
	}
	const unsigned char *p = (const unsigned char *)in.p;
	size_t len = num_get_le32(p + 4);
	int rule = rule_of(d, p, len, why);
	if (rule < 0)
		return -1;
	if (in.len - DROP_HEAD < len)
		return 0;
	r->type = rules[rule].type;
	d->seen |= 1u << rule;
	if (take(d, r, sv_sub(in, DROP_HEAD, len), why) < 0)
		return -1;
	*used = DROP_HEAD + len;
	d->crc = num_crc32c(d->crc, in.p, *used);
	return 1;
}

bool drop_ended(const struct drop_reader *d)
{
	return d->stage == STAGE_ENDED;
}

int drop_put_magic(struct buf *out)
{
	return buf_puts(out, DROP_MAGIC);
}

static int put_head(struct buf *out, enum drop_type type, size_t len)
{
	unsigned char head[DROP_HEAD] = { (unsigned char)type };
	num_put_le32(head + 4, (uint32_t)len);
	return buf_put(out, head, sizeof(head));
}

int drop_put(struct buf *out, enum drop_type type, struct sv data)
{
	return put_head(out, type, data.len) < 0 ? -1 : buf_put_sv(out, data);
}

int drop_put_number(struct buf *out, enum drop_type type, uint32_t number, struct sv data)
{
	unsigned char n[4];
	num_put_le32(n, number);
	if (put_head(out, type, sizeof(n) + data.len) < 0 || buf_put(out, n, sizeof(n)) < 0)
		return -1;
	return buf_put_sv(out, data);
}

int drop_put_content(struct buf *out, struct sv octets)
{
	while (octets.len > 0) {
		struct sv piece = sv_upto(octets, DROP_PIECE_MAX);
		if (drop_put(out, DROP_CONTENT, piece) < 0)
			return -1;
		octets = sv_from(octets, piece.len);
	}
	return 0;
}

int drop_put_end(struct buf *out)
{
	return drop_put_number(out, DROP_END, num_crc32c(0, out->p, out->len), SV_NONE);
}
