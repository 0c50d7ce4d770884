#include "lib/wire/imap_frame.h"

void imap_frame_init(struct imap_frame *f, const struct imap_frame_limits *lim)
{
	*f = (struct imap_frame){ .lim = *lim };
}

/* "{123}", "{123+}", "~{123}" at the end of LINE. */
struct announcement {
	uint64_t size; /* UINT64_MAX: more digits than fit */
	bool sync, literal8;
	size_t at; /* offset of its first octet in the line */
};

static bool announced(struct sv line, struct announcement *a)
{
	size_t i = line.len;
	if (i == 0 || line.p[--i] != '}')
		return false;
	a->sync = i == 0 || line.p[i - 1] != '+';
	if (!a->sync)
		i--;
	size_t end = i;
	while (i > 0 && ascii_is_digit(line.p[i - 1]))
		i--;
	if (i == end || i == 0 || line.p[i - 1] != '{')
		return false;
	a->size = 0;
	for (size_t k = i; k < end; k++) {
		uint64_t digit = (uint64_t)(line.p[k] - '0');
		if (a->size > (INT64_MAX - digit) / 10) {
			a->size = UINT64_MAX;
			break;
		}
		a->size = a->size * 10 + digit;
	}
	a->at = i - 1;
	a->literal8 = a->at > 0 && line.p[a->at - 1] == '~';
	if (a->literal8)
		a->at--;
	return true;
}

/* The literal that ends LINE is the message of an APPEND, unless it stands where the mailbox
 * name does: directly behind the verb. */
static bool is_append(const struct imap_frame *f, struct sv bytes, const struct announcement *a)
{
	struct sv first = bytes;
	struct sv rest = sv_take_until(&first, '\n');
	sv_take_word(&rest);
	if (!sv_ieqz(sv_take_word(&rest), "APPEND"))
		return false;
	const char *brace = bytes.p + f->line_start + a->at;
	return f->literals > 1 || brace > rest.p;
}

static enum imap_frame_result announce(struct imap_frame *f, struct sv bytes,
	const struct announcement *a, size_t next)
{
	f->literals++;
	f->literal = a->size;
	f->sync = a->sync;
	f->literal8 = a->literal8;
	f->append = is_append(f, bytes, a);
	/* also where a refused command ends: its literal does not come, or is the end of the session */
	f->end = f->pos = f->line_start = next;
	uint64_t max = f->append ? f->lim.append : f->lim.literal;
	if (!a->sync && !f->append && max > f->lim.nonsync)
		max = f->lim.nonsync;
	bool over_total = next > f->lim.total || a->size > f->lim.total - next;
	f->end = f->pos = f->line_start = next;
	if (a->size > max || (!f->append && over_total))
		return IMAP_FRAME_LITERAL_TOO_BIG;
	f->skip = (size_t)a->size;
	return IMAP_FRAME_LITERAL;
}

enum imap_frame_result imap_frame_scan(struct imap_frame *f, struct sv bytes)
{
	if (f->skip) {
		size_t have = bytes.len - f->pos;
		size_t n = have < f->skip ? have : f->skip;
		f->pos += n;
		f->skip -= n;
		f->line_start = f->pos;
		if (f->skip)
			return IMAP_FRAME_MORE;
	}
	struct sv rest = sv_from(bytes, f->pos);
	ptrdiff_t lf = sv_chr(rest, '\n');
	size_t end = lf < 0 ? bytes.len : f->pos + (size_t)lf;
	if (end - f->line_start > f->lim.line + 1 || end > f->lim.total)
		return IMAP_FRAME_LINE_TOO_LONG;
	f->pos = end;
	if (lf < 0)
		return IMAP_FRAME_MORE;
	struct sv line = sv_sub(bytes, f->line_start, end - f->line_start);
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	if (line.len > f->lim.line)
		return IMAP_FRAME_LINE_TOO_LONG;
	struct announcement a;
	if (announced(line, &a))
		return announce(f, bytes, &a, end + 1);
	f->end = f->pos = end + 1;
	return IMAP_FRAME_DONE;
}

void imap_frame_literal_elsewhere(struct imap_frame *f)
{
	f->skip = 0;
}
