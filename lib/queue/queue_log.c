#include "lib/queue/queue_log.h"

#include "lib/queue/queue_id.h"

static struct sv take_blank_word(struct sv *rest)
{
	struct sv word = sv_take_until(rest, ' ');
	*rest = sv_trim_left(*rest);
	return word;
}

static bool all_digits(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len > 0;
}

/* "Nov 29 19:34:58 " or "2026-11-29T19:34:58.123456+00:00 ". */
static bool take_stamp(struct sv *rest, struct sv *stamp)
{
	struct sv in = *rest, first = take_blank_word(&in);
	size_t len = first.len;
	if (first.len < 19 || first.p[4] != '-' || first.p[10] != 'T') {
		struct sv day = take_blank_word(&in), clock = take_blank_word(&in);
		if (first.len != 3 || !all_digits(day) || clock.len < 8 || clock.p[2] != ':')
			return false;
		len = (size_t)(clock.p + clock.len - rest->p);
	}
	*stamp = sv_upto(*rest, len);
	*rest = sv_trim_left(sv_from(*rest, len));
	return true;
}

bool queue_log_parse(struct sv line, struct queue_log_line *out)
{
	struct sv rest = line;
	*out = (struct queue_log_line){ .stamp = SV_NONE, .program = SV_NONE, .id = SV_NONE, .text = SV_NONE };
	if (!take_stamp(&rest, &out->stamp))
		return false;
	(void)take_blank_word(&rest); /* host */
	ptrdiff_t end = sv_find(rest, SV(": "));
	if (end < 0)
		return false;
	struct sv tag = sv_upto(rest, (size_t)end);
	out->text = sv_from(rest, (size_t)end + 2);
	ptrdiff_t pid = sv_chr(tag, '[');
	if (pid < 0 || !sv_ends(tag, SV("]")))
		return false;
	tag = sv_upto(tag, (size_t)pid);
	ptrdiff_t slash = sv_rchr(tag, '/');
	out->program = sv_from(tag, slash < 0 ? 0 : (size_t)slash + 1);
	end = sv_find(out->text, SV(": "));
	struct sv id = end < 0 ? SV_NONE : sv_upto(out->text, (size_t)end);
	/* words of a program ("warning", "fatal") are not ids: those hold a digit */
	bool digit = false;
	for (size_t i = 0; i < id.len; i++)
		digit = digit || (id.p[i] >= '0' && id.p[i] <= '9');
	if (sv_eqz(id, "NOQUEUE") || (digit && queue_id_valid(id))) {
		out->id = id;
		out->text = sv_from(out->text, id.len + 2);
	}
	return true;
}

bool queue_log_value(struct sv text, const char *name, struct sv *out)
{
	size_t n = strlen(name);
	for (struct sv rest = text;;) {
		ptrdiff_t at = sv_find(rest, sv_n(name, n));
		if (at < 0)
			return false;
		struct sv value = sv_from(rest, (size_t)at + n);
		bool starts = (size_t)(rest.p - text.p) + (size_t)at == 0 || rest.p[at - 1] == ' ';
		rest = sv_from(rest, (size_t)at + 1);
		if (!starts || value.len == 0 || value.p[0] != '=')
			continue;
		value = sv_from(value, 1);
		if (value.len > 0 && value.p[0] == '<') {
			ptrdiff_t close = sv_find(value, SV(">, "));
			if (close < 0)
				close = sv_find(value, SV("> "));
			if (close < 0)
				close = sv_rchr(value, '>');
			*out = sv_sub(value, 1, close > 0 ? (size_t)close - 1 : value.len);
			return true;
		}
		ptrdiff_t comma = sv_find(value, SV(", ")), blank = sv_chr(value, ' ');
		ptrdiff_t end = comma >= 0 ? comma : blank;
		*out = end >= 0 ? sv_upto(value, (size_t)end) : value;
		return true;
	}
}

/* The id behind WORDS. */
static bool id_behind(struct sv text, struct sv words, struct sv *id)
{
	ptrdiff_t at = sv_find(text, words);
	if (at < 0)
		return false;
	struct sv rest = sv_from(text, (size_t)at + words.len);
	size_t n = 0;
	while (n < rest.len && ascii_is_alnum(rest.p[n]))
		n++;
	*id = sv_upto(rest, n);
	return queue_id_valid(*id);
}

bool queue_log_child(struct sv text, struct sv *id)
{
	return id_behind(text, SV("forwarded as "), id) || id_behind(text, SV("queued as "), id) ||
	       id_behind(text, SV("notification: "), id);
}
