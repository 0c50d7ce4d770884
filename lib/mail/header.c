#include "lib/mail/header.h"

struct known {
	const char *name;
	size_t len;
	unsigned classes;
};

static const struct known known[HDR_ID_COUNT] = {
	[HDR_OTHER] = { "", 0, 0 },
#define X(id, text, classes) [HDR_##id] = { text, sizeof(text) - 1, classes },
	HEADER_FIELDS(X)
#undef X
};

enum header_id header_id_of(struct sv name)
{
	for (size_t i = 1; i < ARRAY_LEN(known); i++)
		if (known[i].len == name.len && ascii_lower(known[i].name[0]) == ascii_lower(name.p[0]) &&
			sv_ieq(name, sv_n(known[i].name, known[i].len)))
			return (enum header_id)i;
	return HDR_OTHER;
}

const char *header_name(enum header_id id)
{
	return (size_t)id < ARRAY_LEN(known) ? known[id].name : "";
}

unsigned header_classes(enum header_id id)
{
	return (size_t)id < ARRAY_LEN(known) ? known[id].classes : 0;
}

static struct sv drop_line_end(struct sv s)
{
	if (s.len && s.p[s.len - 1] == '\n') {
		s.len--;
		if (s.len && s.p[s.len - 1] == '\r')
			s.len--;
	}
	return s;
}

int header_line(struct sv line, struct sv *name, struct sv *body)
{
	size_t i = 0;
	while (i < line.len && line.p[i] > ' ' && line.p[i] < 0x7f && line.p[i] != ':')
		i++;
	size_t name_len = i;
	while (i < line.len && (line.p[i] == ' ' || line.p[i] == '\t'))
		i++;
	if (name_len == 0 || i == line.len || line.p[i] != ':')
		return 0;
	*name = sv_upto(line, name_len);
	*body = drop_line_end(sv_from(line, i + 1));
	return 1;
}

/* Length of the first line of S with its line end. */
static size_t line_length(struct sv s)
{
	const char *lf = s.len ? memchr(s.p, '\n', s.len) : NULL;
	return lf ? (size_t)(lf - s.p) + 1 : s.len;
}

int header_next(struct sv *rest, struct header_field *f)
{
	size_t n = line_length(*rest);
	struct sv line = sv_upto(*rest, n);
	if (n && drop_line_end(line).len == 0) {
		*rest = sv_from(*rest, n);
		return 0;
	}
	struct sv ignored;
	if (header_line(line, &f->name, &ignored) == 0)
		return 0;
	while (n < rest->len && (rest->p[n] == ' ' || rest->p[n] == '\t'))
		n += line_length(sv_from(*rest, n));
	f->raw = sv_upto(*rest, n);
	size_t body = (size_t)(ignored.p - rest->p);
	f->body = drop_line_end(sv_from(f->raw, body));
	f->id = header_id_of(f->name);
	*rest = sv_from(*rest, n);
	return 1;
}

bool header_split(struct sv message, struct sv *head, struct sv *body)
{
	struct sv rest = message;
	struct sv before = message;
	struct header_field f;
	while (header_next(&rest, &f) == 1)
		before = rest;
	*head = sv_upto(message, message.len - before.len);
	*body = rest;
	return rest.len != before.len;
}

int header_find(struct sv head, struct sv name, struct header_field *f)
{
	while (header_next(&head, f) == 1)
		if (sv_ieq(f->name, name))
			return 1;
	return 0;
}

int header_unfold(struct buf *out, struct sv body)
{
	int rc = 0;
	body = sv_trim(body);
	while (body.len) {
		size_t n = line_length(body);
		rc |= buf_put_sv(out, drop_line_end(sv_upto(body, n)));
		body = sv_from(body, n);
	}
	return rc;
}

static char clean(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f ? ' ' : c;
}

int header_clean(struct buf *out, struct sv s)
{
	char *o = buf_room(out, s.len);
	if (!o)
		return -1;
	for (size_t i = 0; i < s.len; i++)
		o[i] = clean(s.p[i]);
	buf_added(out, s.len);
	return 0;
}

/* Words, each with the blanks before it, go onto the line while it stays within WIDTH; a fold is
 * a line end before those blanks, so that unfolding gives the value back. */
int header_put(struct buf *out, struct sv name, struct sv value, size_t width)
{
	int rc = header_clean(out, name);
	rc |= buf_puts(out, ": ");
	size_t column = name.len + 2;
	bool first = true;
	value = sv_trim(value);
	while (value.len) {
		size_t blanks = 0;
		while (blanks < value.len && ascii_is_blank(clean(value.p[blanks])))
			blanks++;
		size_t n = blanks;
		while (n < value.len && !ascii_is_blank(clean(value.p[n])))
			n++;
		if (!first && blanks && n > blanks && column + n > width) {
			rc |= buf_putc(out, '\n');
			column = 0;
		}
		rc |= header_clean(out, sv_upto(value, n));
		column += n;
		value = sv_from(value, n);
		first = false;
	}
	return rc | buf_putc(out, '\n');
}
