/* lib/config/mastercf_format.c - a service as text: columns, braces where blanks need them. */
#include "lib/config/mastercf.h"

#define LINE_MAX_COLUMNS 80

/* Where each of the eight fields starts, as far as the one before leaves room. */
static const size_t column[] = { 0, 11, 17, 25, 33, 41, 49, 57 };

static size_t columns_since(const struct buf *out, size_t start)
{
	size_t n = 0;
	for (size_t i = out->len; i > start && out->p[i - 1] != '\n'; i--)
		n++;
	return n;
}

static void put_field(struct buf *out, size_t start, size_t i, const char *text)
{
	if (i > 0)
		buf_putc(out, ' ');
	while (out->len - start < column[i])
		buf_putc(out, ' ');
	buf_puts(out, text);
}

/* Blanks ask for braces; a word that could not be closed again had its blanks in inner ones. */
static bool needs_braces(const char *word)
{
	bool blank = *word == '\0' || *word == '{';
	int level = 0;
	for (const char *c = word; *c && level >= 0; c++) {
		level += (*c == '{') - (*c == '}');
		blank = blank || ascii_is_blank(*c);
	}
	return blank && level == 0;
}

static void put_word(struct buf *out, const char *word)
{
	if (needs_braces(word))
		buf_printf(out, "{%s}", word);
	else
		buf_puts(out, word);
}

static void new_line(struct buf *out)
{
	buf_puts(out, "\n    ");
}

static void put_arguments(const struct service *s, bool fold, struct buf *out, size_t start)
{
	bool options = true, own_line = false;
	for (size_t i = 0; i < s->raw_argc; i++) {
		const char *word = s->raw_argv[i];
		bool pair = options && strcmp(word, "-o") == 0 && i + 1 < s->raw_argc;
		if (word[0] != '-')
			options = false;
		size_t width = strlen(word) + (needs_braces(word) ? 2 : 0) + 1;
		if (fold && (pair || own_line ||
			     columns_since(out, start) + width > LINE_MAX_COLUMNS))
			new_line(out);
		else
			buf_putc(out, ' ');
		own_line = pair;
		put_word(out, word);
		if (pair) {
			buf_putc(out, ' ');
			put_word(out, s->raw_argv[++i]);
		}
	}
}

int mastercf_format(const struct service *s, bool fold, struct buf *out)
{
	size_t start = out->len;
	for (size_t i = 0; i < ARRAY_LEN(s->field); i++)
		put_field(out, start, i, s->field[i]);
	put_field(out, start, ARRAY_LEN(s->field), s->command);
	put_arguments(s, fold, out, start);
	return out->overflow ? -1 : 0;
}
