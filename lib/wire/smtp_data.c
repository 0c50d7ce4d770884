/*
 * One octet decides at most one step:
 *
 *   BOL      at the start of a line         '.' -> DOT   CR -> CR      LF: lone LF, BOL
 *   DOT      "." at its start               CR -> DOTCR  LF: see below, other: dot dropped, MID
 *   DOTCR    ".\r" at its start             LF: the end, if the line before ended in CRLF
 *   MID      inside a line                  CR -> CR     LF: lone LF, BOL
 *   CR       a CR that is still to be judged  LF: CRLF, BOL    other: the CR was stray, MID
 *
 * Nothing is written for DOT, DOTCR and CR until the next octet decides, so the cut between two
 * segments cannot matter. A line of any length stays one line.
 */
#include "lib/wire/smtp_data.h"

enum { BOL, DOT, DOTCR, MID, CR };

void smtp_data_init(struct smtp_data *d, enum smtp_bare_newline mode, bool command_crlf)
{
	*d = (struct smtp_data){ .mode = mode, .state = BOL, .prev_crlf = command_crlf };
}

/* Where output goes: room for everything is made before. */
struct sink {
	struct smtp_data *d;
	char *o;
};

static void put(struct sink *s, char c)
{
	if (s->d->cur_line == 0 && c == '.')
		s->d->leading_dots = true;
	*s->o++ = c;
	s->d->cur_line++;
}

static void end_line(struct sink *s, bool crlf)
{
	struct smtp_data *d = s->d;
	*s->o++ = '\n';
	if (d->cur_line > d->longest)
		d->longest = d->cur_line;
	d->cur_line = 0;
	d->lines++;
	d->prev_crlf = crlf;
	d->bare_lf += !crlf;
	d->state = BOL;
}

static void stray_cr(struct sink *s)
{
	s->d->bare_cr++;
	put(s, ' ');
}

static bool any_8bit(const char *p, size_t n)
{
	unsigned char acc = 0;
	for (size_t i = 0; i < n; i++)
		acc |= (unsigned char)p[i];
	return acc & 0x80;
}

/* A stretch of ordinary octets inside a line. */
static void put_run(struct sink *s, const char *p, size_t n)
{
	struct smtp_data *d = s->d;
	if (n == 0)
		return;
	if (d->cur_line == 0 && p[0] == '.')
		d->leading_dots = true;
	memcpy(s->o, p, n);
	s->o += n;
	d->cur_line += n;
	if (!d->eightbit)
		d->eightbit = any_8bit(p, n);
}

/* From state MID: up to the next CR, the line's LF or the end of input. Returns octets taken. */
static size_t mid_line(struct sink *s, const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);
	size_t len = lf ? (size_t)(lf - p) : n;
	const char *cr = memchr(p, '\r', len);
	if (cr)
		len = (size_t)(cr - p);
	size_t done = 0;
	for (const char *nul; (nul = memchr(p + done, '\0', len - done)) != NULL;) {
		put_run(s, p + done, (size_t)(nul - p) - done);
		s->d->nul++;
		done = (size_t)(nul - p) + 1;
	}
	put_run(s, p + done, len - done);
	if (cr) {
		s->d->state = CR;
		return len + 1;
	}
	if (lf) {
		end_line(s, false);
		return len + 1;
	}
	return len;
}

/* A lone "." line ended. True: it was the end of the message; else it is content. */
static bool dot_line(struct sink *s, bool crlf)
{
	struct smtp_data *d = s->d;
	if (d->mode == SMTP_BARE_NL_NO || (crlf && d->prev_crlf)) {
		d->bare_lf += !crlf;
		return true;
	}
	put(s, '.');
	end_line(s, crlf);
	return false;
}

/* Octet C in a state other than MID. Returns 1 at the end of the message; *again asks that C be
 * looked at once more in the new state. */
static int special(struct sink *s, char c, bool *again)
{
	struct smtp_data *d = s->d;
	*again = false;
	switch (d->state) {
	case BOL:
		if (c == '.') {
			d->state = DOT;
			return 0;
		}
		break;
	case DOT:
		if (c == '\n')
			return dot_line(s, false);
		if (c == '\r') {
			d->state = DOTCR;
			return 0;
		}
		break; /* the dot was stuffed */
	case DOTCR:
		if (c == '\n')
			return dot_line(s, true);
		stray_cr(s);
		break;
	case CR:
		if (c == '\n') {
			end_line(s, true);
			return 0;
		}
		stray_cr(s);
		break;
	default:
		break;
	}
	d->state = MID;
	*again = true;
	return 0;
}

int smtp_data_feed(struct smtp_data *d, struct sv *in, struct buf *out)
{
	char *start = buf_room(out, in->len + 2);
	if (!start)
		return -1;
	struct sink s = { .d = d, .o = start };
	size_t i = 0;
	int rc = 0;
	while (i < in->len && rc == 0) {
		if (d->state == MID) {
			i += mid_line(&s, in->p + i, in->len - i);
			continue;
		}
		bool again;
		rc = special(&s, in->p[i], &again);
		if (!again)
			i++;
	}
	size_t n = (size_t)(s.o - start);
	buf_added(out, n);
	d->size += n;
	d->crlf_size = d->size + d->lines;
	*in = sv_from(*in, i);
	return rc;
}
