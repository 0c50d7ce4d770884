#include "lib/mail/alias_grammar.h"

#include "lib/mail/addr.h"
#include "lib/mail/addr_list.h"

/* Items chain up first, because their number is known only at the end. */
struct node {
	struct node *next;
	struct alias_item item;
};

struct reader {
	const char *file;
	unsigned line;
	size_t max, count;
	struct arena *a;
	struct node *first, **tail;
	struct err *e;
};

static int out_of_room(struct reader *r)
{
	return err_set(r->e, ERR_TEMP, "%s, line %u: more text than can be held", r->file, r->line);
}

static int add(struct reader *r, enum alias_kind kind, struct sv text, bool plain)
{
	if (r->count >= r->max)
		return err_set(r->e, ERR_CONFIG, "%s, line %u: more than %zu items", r->file, r->line,
			r->max);
	struct node *n = arena_alloc(r->a, sizeof(*n));
	if (!n)
		return out_of_room(r);
	n->item = (struct alias_item){ .kind = kind, .plain = plain, .line = r->line };
	n->item.text = arena_sv(r->a, text);
	if (!n->item.text.p)
		return out_of_room(r);
	*r->tail = n;
	r->tail = &n->next;
	r->count++;
	return 1;
}

/* Length of the quoted string at the start of S with both quotes; 0: it does not end. */
static size_t quoted_length(struct sv s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

/* Length of the item at the start of S: up to a comma outside quotes, comments and <>.
 * -1: a quoted string does not end. */
static ptrdiff_t item_length(struct sv s)
{
	unsigned depth = 0;
	bool angle = false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (c == '\\') {
			i++;
		} else if (c == '"' && !depth) {
			size_t n = quoted_length(sv_from(s, i));
			if (n == 0)
				return -1;
			i += n - 1;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && depth) {
			depth--;
		} else if (!depth && (c == '<' || c == '>')) {
			angle = c == '<';
		} else if (c == ',' && !depth && !angle) {
			return (ptrdiff_t)i;
		}
	}
	return (ptrdiff_t)s.len;
}

/* Text that is a command, a file or an include; 0: none of them. */
static int add_special(struct reader *r, struct sv s)
{
	if (s.p[0] == '|') {
		struct sv command = sv_trim(sv_from(s, 1));
		if (command.len == 0)
			return err_set(r->e, ERR_CONFIG, "%s, line %u: empty command", r->file, r->line);
		return add(r, ALIAS_COMMAND, command, false);
	}
	if (s.p[0] == '/')
		return add(r, ALIAS_FILE, s, false);
	if (sv_istarts(s, SV(":include:"))) {
		struct sv path = sv_trim(sv_from(s, 9));
		if (path.len == 0 || path.p[0] != '/')
			return err_set(r->e, ERR_CONFIG, "%s, line %u: :include: needs an absolute path",
				r->file, r->line);
		return add(r, ALIAS_INCLUDE, path, false);
	}
	return 0;
}

/* A quoted string that is the whole item. 0: it is the start of an address. */
static int add_quoted(struct reader *r, struct sv s)
{
	struct buf b;
	int rc = 0;
	if (quoted_length(s) != s.len)
		return 0;
	buf_init(&b, s.len);
	for (size_t i = 1; i + 1 < s.len; i++) {
		if (s.p[i] == '\\' && i + 2 < s.len)
			i++;
		buf_putc(&b, s.p[i]);
	}
	if (b.len)
		rc = add_special(r, buf_sv(&b));
	buf_free(&b);
	return rc;
}

static int add_addresses(struct reader *r, struct sv s)
{
	struct addr_list l;
	bool plain = s.p[0] == '\\' && s.len > 1;
	if (plain)
		s = sv_from(s, 1);
	if (addr_list_parse(s, r->max < SIZE_MAX / 8 ? r->max * 8 + 64 : SIZE_MAX, r->a, &l) < 0)
		return out_of_room(r);
	if (l.truncated)
		return err_set(r->e, ERR_CONFIG, "%s, line %u: too many words", r->file, r->line);
	/* "error:5.1.1 text" and the like: one odd address, not a group */
	bool group = sv_chr(s, ';') >= 0;
	for (size_t i = 0; i < l.count && !group; i++)
		if (l.items[i].kind == ADDR_ITEM_GROUP_START)
			return add(r, ALIAS_ADDRESS, s, plain);
	for (size_t i = 0; i < l.count; i++)
		if (l.items[i].kind == ADDR_ITEM_MAILBOX && l.items[i].internal.len &&
			add(r, ALIAS_ADDRESS, l.items[i].internal, plain) < 0)
			return -1;
	return 1;
}

/* Where does a list "name: a, b;" end that starts in S? 0: S starts none. LAST is the last ';' of
 * the whole text, so that nobody looks for one again and again in vain. */
static size_t group_length(struct sv s, const char *last)
{
	size_t i = 0;
	if (!last || last < s.p)
		return 0;
	while (i < s.len && (ascii_is_alnum(s.p[i]) || (s.p[i] && strchr(" -_.", s.p[i]))))
		i++;
	if (i == 0 || i == s.len || s.p[i] != ':')
		return 0;
	return (size_t)sv_chr(s, ';') + 1;
}

static int read_items(struct reader *r, struct sv s)
{
	int rc = 1;
	ptrdiff_t semi = sv_rchr(s, ';');
	const char *last = semi < 0 ? NULL : s.p + semi;
	while (rc >= 0 && (s = sv_trim(s)).len) {
		if (s.p[0] == ',') {
			s = sv_from(s, 1);
			continue;
		}
		/* a quoted special ends at its quote, whatever follows */
		size_t n = s.p[0] == '"' ? quoted_length(s) : 0;
		if (n && (rc = add_quoted(r, sv_upto(s, n))) != 0) {
			s = sv_from(s, n);
			continue;
		}
		ptrdiff_t len = s.p[0] == '"' && !n ? -1 : (ptrdiff_t)group_length(s, last);
		if (len == 0)
			len = item_length(s);
		if (len < 0)
			return err_set(r->e, ERR_CONFIG, "%s, line %u: quoted string without end", r->file,
				r->line);
		struct sv item = sv_trim(sv_upto(s, (size_t)len));
		s = sv_from(s, (size_t)len);
		if (item.len && (rc = add_special(r, item)) == 0)
			rc = add_addresses(r, item);
	}
	return rc < 0 ? -1 : 1;
}

static int finish(struct reader *r, struct alias_list *out)
{
	size_t i = 0;
	out->count = r->count;
	out->items = arena_array(r->a, r->count, sizeof(*out->items));
	if (!out->items)
		return out_of_room(r);
	for (struct node *n = r->first; n; n = n->next)
		out->items[i++] = n->item;
	return 1;
}

int alias_parse(struct sv text, enum alias_source source, const char *file, unsigned first_line,
	size_t max_items, struct arena *a, struct alias_list *out, struct err *e)
{
	struct reader r = { .file = file, .line = first_line, .max = max_items, .a = a, .e = e };
	struct sv line;
	r.tail = &r.first;
	if (sv_chr(text, '\0') >= 0)
		return err_set(e, ERR_CONFIG, "%s, line %u: NUL octet in text", file, first_line);
	if (source == ALIAS_RHS)
		return read_items(&r, text) < 0 ? -1 : finish(&r, out);
	for (; sv_take_line(&text, &line); r.line++) {
		line = sv_trim(line);
		if (line.len && line.p[0] != '#' && read_items(&r, line) < 0)
			return -1;
	}
	return finish(&r, out);
}

int alias_store_form(struct buf *out, struct sv value)
{
	int rc = 0;
	value = sv_trim(value);
	for (bool more = value.len > 0, first = true; more; first = false) {
		ptrdiff_t n = item_length(value);
		more = n >= 0 && (size_t)n < value.len;
		struct sv item = n < 0 ? value : sv_trim(sv_upto(value, (size_t)n));
		if (!first)
			rc |= buf_puts(out, ", ");
		if (item.len > 1 && item.p[0] == '\\')
			item = sv_from(item, 1);
		rc |= buf_put_sv(out, item);
		if (more)
			value = sv_trim_left(sv_from(value, (size_t)n + 1));
	}
	return rc;
}
