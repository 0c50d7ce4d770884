#include "lib/store/mbox_scan.h"

#include <string.h>

#include "lib/base/hash.h"
#include "lib/store/mbox_from.h"

void mbox_scan_init(struct mbox_scan *s, const struct mbox_sink *sink, uint64_t start)
{
	memset(s, 0, offsetof(struct mbox_scan, line));
	s->sink = *sink;
	s->at = start;
}

/* --- what comes out -------------------------------------------------- */

/* The hash is a chain over blocks of one size, so that it does not depend on how the octets came. */
static void hash_block(struct mbox_scan *s)
{
	s->m.hash = hash_sip((struct hash_seed){ s->m.hash, s->nblock }, s->block, s->nblock);
	s->nblock = 0;
}

static void count(struct mbox_scan *s, struct sv octets)
{
	s->m.size += octets.len;
	s->m.vsize += octets.len;
	for (struct sv rest = octets; !sv_empty(rest);) {
		ptrdiff_t lf = sv_chr(rest, '\n');
		if (lf < 0)
			break;
		s->m.vsize += (lf > 0 ? rest.p[lf - 1] : rest.p == octets.p ? s->last : '\n') != '\r';
		rest = sv_from(rest, (size_t)lf + 1);
	}
	s->last = octets.p[octets.len - 1];
	while (!sv_empty(octets)) {
		struct sv part = sv_upto(octets, MBOX_HASH_BLOCK - s->nblock);
		memcpy(s->block + s->nblock, part.p, part.len);
		s->nblock += part.len;
		octets = sv_from(octets, part.len);
		if (s->nblock == MBOX_HASH_BLOCK)
			hash_block(s);
	}
}

static int emit(struct mbox_scan *s, enum mbox_piece kind, struct sv octets)
{
	if (sv_empty(octets))
		return 0;
	if (kind == MBOX_P_SHOWN)
		count(s, octets);
	return s->sink.piece ? s->sink.piece(s->sink.ctx, kind, octets) : 0;
}

static int release_blank(struct mbox_scan *s, enum mbox_piece kind)
{
	size_t n = s->blank;
	s->blank = 0;
	return emit(s, kind, sv_n(s->blank_octets, n));
}

static int end_mail(struct mbox_scan *s, uint64_t next)
{
	if (release_blank(s, MBOX_P_KEPT) < 0)
		return -1;
	hash_block(s);
	s->m.next = next;
	s->begun = false;
	return s->sink.mail ? s->sink.mail(s->sink.ctx, &s->m) : 0;
}

static int begin_mail(struct mbox_scan *s, struct sv line, int64_t date, bool local)
{
	s->m = (struct mbox_found){
		.from = s->at, .head = s->at + line.len, .date = date, .local = local, .plain = true
	};
	s->begun = s->in_header = true;
	s->header_len = 0;
	s->field = MBOX_F_LINES; /* what a first line that begins with a blank continues: not shown */
	s->seen = 0;
	s->last = '\0';
	s->nblock = 0;
	int rc = s->sink.mail_begin ? s->sink.mail_begin(s->sink.ctx) : 0;
	return rc < 0 ? -1 : emit(s, MBOX_P_FROM, line);
}

/* --- lines -------------------------------------------------- */

static struct sv without_end(struct sv line)
{
	if (sv_ends(line, SV("\n")))
		line.len--;
	if (sv_ends(line, SV("\r")))
		line.len--;
	return line;
}

static enum mbox_piece kind_of(enum mbox_field f)
{
	return f == MBOX_F_OTHER ? MBOX_P_SHOWN : mbox_field_is_meta(f) ? MBOX_P_META : MBOX_P_KEPT;
}

static int tell_field(struct mbox_scan *s, struct sv line, size_t value_at)
{
	enum mbox_field f = s->field;
	if (f == MBOX_F_OTHER)
		return 0;
	if (mbox_field_is_meta(f) && ((s->seen & 1u << f) || line.p[line.len - 1] != '\n'))
		s->m.plain = false;
	s->seen |= 1u << f;
	s->m.pseudo |= f == MBOX_F_X_IMAP;
	if (!s->sink.field)
		return 0;
	return s->sink.field(s->sink.ctx, f, sv_from(without_end(line), value_at), s->at + value_at);
}

/* One line of a header, or the first MBOX_LINE_KEEP octets of one. The header ends as header_next() says. */
static int header_line(struct mbox_scan *s, struct sv line, enum mbox_piece *kind)
{
	*kind = MBOX_P_SHOWN;
	bool more = line.p[0] == ' ' || line.p[0] == '\t';
	ptrdiff_t colon = more ? -1 : sv_chr(line, ':');
	struct sv name = colon > 0 ? sv_trim_right(sv_upto(line, (size_t)colon)) : SV_NONE;
	bool field = !sv_empty(name) && sv_chr(name, ' ') < 0 && sv_chr(name, '\t') < 0;
	if ((!more && !field) || s->header_len > MBOX_HEADER_MAX) {
		s->in_header = false;
		return 0;
	}
	if (field)
		s->field = mbox_field_of(name);
	*kind = kind_of(s->field);
	if (*kind != MBOX_P_META)
		s->header_len += line.len;
	else if (more)
		s->m.plain = false;
	size_t value_at = (size_t)colon + 1;
	value_at += field && value_at < line.len && line.p[value_at] == ' ';
	return field ? tell_field(s, line, value_at) : 0;
}

static bool is_blank(struct sv line)
{
	return sv_eq(line, SV("\n")) || sv_eq(line, SV("\r\n"));
}

/* A line, whole when it ends in LF. KIND: what the rest of a longer one is. */
static int take_line(struct mbox_scan *s, struct sv line, bool at_end, enum mbox_piece *kind)
{
	int64_t date;
	bool local, whole = line.p[line.len - 1] == '\n';
	*kind = MBOX_P_SHOWN;
	if (whole && mbox_from_parse(without_end(line), &date, &local) == 1) {
		if (s->begun && end_mail(s, s->at) < 0)
			return -1;
		return begin_mail(s, line, date, local);
	}
	if (!s->begun) {
		s->wrong = !is_blank(line);
		return s->wrong ? -1 : 0;
	}
	if (s->in_header && header_line(s, line, kind) < 0)
		return -1;
	/* a From_ line that somebody has begun to write is not yet there */
	if (at_end && sv_starts(line, SV("From ")))
		*kind = MBOX_P_KEPT;
	if (release_blank(s, *kind) < 0)
		return -1;
	if (!is_blank(line))
		return emit(s, *kind, line);
	memcpy(s->blank_octets, line.p, line.len);
	s->blank = line.len;
	return 0;
}

/* What was gathered in .line. */
static int flush_line(struct mbox_scan *s, bool at_end)
{
	if (s->len == 0)
		return 0;
	struct sv line = sv_n(s->line, s->len);
	s->len = 0;
	bool whole = line.p[line.len - 1] == '\n';
	if (take_line(s, line, at_end, &s->passing_kind) < 0)
		return -1;
	s->passing = !whole;
	s->at += line.len;
	return 0;
}

int mbox_scan_put(struct mbox_scan *s, struct sv octets)
{
	while (!sv_empty(octets)) {
		ptrdiff_t lf = sv_chr(octets, '\n');
		struct sv part = lf < 0 ? octets : sv_upto(octets, (size_t)lf + 1);
		int rc = 0;
		if (s->passing) {
			rc = emit(s, s->passing_kind, part);
			s->at += part.len;
			s->passing = lf < 0;
		} else if (s->len == 0 && lf > 1 && s->begun && !s->in_header && part.p[0] != 'F') {
			rc = release_blank(s, MBOX_P_SHOWN);
			if (rc == 0)
				rc = emit(s, MBOX_P_SHOWN, part);
			s->at += part.len;
		} else {
			part = sv_upto(part, MBOX_LINE_KEEP - s->len);
			memcpy(s->line + s->len, part.p, part.len);
			s->len += part.len;
			if (s->len == MBOX_LINE_KEEP || part.p[part.len - 1] == '\n')
				rc = flush_line(s, false);
		}
		if (rc < 0)
			return -1;
		octets = sv_from(octets, part.len);
	}
	return 0;
}

int mbox_scan_end(struct mbox_scan *s)
{
	if (flush_line(s, true) < 0)
		return -1;
	return s->begun ? end_mail(s, s->at) : 0;
}

int mbox_rewrite_piece(void *ctx, enum mbox_piece kind, struct sv octets)
{
	struct mbox_rewrite *w = ctx;
	if (kind == MBOX_P_META)
		return 0;
	int rc = 0;
	if (kind == MBOX_P_KEPT && w->after_from && (octets.p[0] == ' ' || octets.p[0] == '\t'))
		rc = w->out(w->ctx, SV("X-Merpati-Kept:\n")); /* or it would continue our last field */
	w->after_from = kind == MBOX_P_FROM;
	if (rc == 0)
		rc = w->out(w->ctx, octets);
	return rc == 0 && kind == MBOX_P_FROM ? w->out(w->ctx, w->block) : rc;
}

int mbox_rewrite_content(void *ctx, enum mbox_piece kind, struct sv octets)
{
	struct mbox_rewrite *w = ctx;
	bool begins = w->after_from;
	if (kind == MBOX_P_FROM || kind == MBOX_P_SHOWN)
		return mbox_rewrite_piece(w, kind, octets);
	if (kind == MBOX_P_KEPT && begins && (octets.p[0] == ' ' || octets.p[0] == '\t'))
		return mbox_rewrite_piece(w, kind, octets);
	return 0;
}
