/* BODY and BODYSTRUCTURE of lib/wire/imap_body.h: a walk over the part tree by its own pointers. */
#include "lib/mail/header.h"
#include "lib/wire/imap_body.h"
#include "lib/wire/imap_write.h"

struct writer {
	struct buf *out;
	struct sv message;
	bool extended;
	struct arena *a;
	int rc;
};

static void put(struct writer *w, const char *z)
{
	w->rc |= buf_puts(w->out, z);
}

static void put_string(struct writer *w, struct sv s)
{
	w->rc |= imap_put_string(w->out, s);
}

/* Text of a header field without its folds; NIL when it is not there. */
static void put_field(struct writer *w, struct sv body)
{
	struct buf b;
	buf_init(&b, body.len + 1);
	w->rc |= header_unfold(&b, body);
	w->rc |= imap_put_nstring(w->out, buf_sv(&b), b.len == 0);
	buf_free(&b);
}

/* A parameter with a charset goes out as RFC 2231 4 has it: name* and charset''percent-encoded. */
static void put_extended_param(struct writer *w, const struct mime_param *p)
{
	struct buf name, value;
	buf_init(&name, p->name.len + 2);
	buf_init(&value, p->charset.len + 3 * p->value.len + 3);
	w->rc |= buf_put_sv(&name, p->name);
	w->rc |= buf_putc(&name, '*');
	w->rc |= buf_put_sv(&value, p->charset);
	w->rc |= buf_puts(&value, "''");
	for (size_t i = 0; i < p->value.len; i++) {
		char c = p->value.p[i];
		if (ascii_is_alnum(c) || (c && strchr("!#$&+-.^_`{|}~", c)))
			w->rc |= buf_putc(&value, c);
		else
			w->rc |= buf_printf(&value, "%%%02X", (unsigned)(unsigned char)c);
	}
	put_string(w, buf_sv(&name));
	put(w, " ");
	put_string(w, buf_sv(&value));
	buf_free(&name);
	buf_free(&value);
}

static void put_params(struct writer *w, const struct mime_value *v, bool default_charset)
{
	if (!v->params) {
		put(w, default_charset ? "(\"charset\" \"us-ascii\")" : "NIL");
		return;
	}
	for (const struct mime_param *p = v->params; p; p = p->next) {
		put(w, p == v->params ? "(" : " ");
		if (p->charset.len) {
			put_extended_param(w, p);
			continue;
		}
		put_string(w, p->name);
		put(w, " ");
		put_string(w, p->value);
	}
	put(w, ")");
}

static void put_disposition(struct writer *w, const struct mime_part *p)
{
	if (p->disposition.type.len == 0) {
		put(w, "NIL");
		return;
	}
	put(w, "(");
	put_string(w, p->disposition.type);
	put(w, " ");
	put_params(w, &p->disposition, false);
	put(w, ")");
}

/* "en, de" is a list, "en" a string. */
static void put_language(struct writer *w, struct sv s)
{
	if (sv_chr(s, ',') < 0) {
		put_field(w, s);
		return;
	}
	const char *sep = "(";
	while (s.len) {
		struct sv tag = sv_trim(sv_take_until(&s, ','));
		if (tag.len == 0)
			continue;
		put(w, sep);
		put_string(w, tag);
		sep = " ";
	}
	put(w, sep[0] == '(' ? "NIL" : ")");
}

static void put_tail(struct writer *w, const struct mime_part *p)
{
	put(w, " ");
	put_disposition(w, p);
	put(w, " ");
	put_language(w, p->language);
	put(w, " ");
	put_field(w, p->location);
}

static void put_encoding(struct writer *w, const struct mime_part *p)
{
	if (p->transfer == TRANSFER_UNKNOWN)
		put_string(w, p->encoding);
	else
		put_string(w, sv_z(transfer_encoding_name(p->transfer)));
}

/* type subtype params id description encoding size [lines] */
static void put_basic(struct writer *w, const struct mime_part *p)
{
	bool text = sv_ieqz(p->type.type, "text");
	put(w, "(");
	put_string(w, p->type.type);
	put(w, " ");
	put_string(w, p->type.subtype);
	put(w, " ");
	put_params(w, &p->type, text && p->type_default);
	put(w, " ");
	put_field(w, p->id);
	put(w, " ");
	put_field(w, p->description);
	put(w, " ");
	put_encoding(w, p);
	w->rc |= buf_printf(w->out, " %zu", p->body.size);
	if (text)
		w->rc |= buf_printf(w->out, " %zu", p->body.lines);
}

static void put_basic_tail(struct writer *w, const struct mime_part *p)
{
	if (w->extended) {
		put(w, " ");
		put_field(w, p->md5);
		put_tail(w, p);
	}
	put(w, ")");
}

static void put_empty_text(struct writer *w)
{
	put(w, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0");
	put(w, w->extended ? " NIL NIL NIL NIL)" : ")");
}

/* What stands before a part's children; a leaf is whole then. */
static void open_part(struct writer *w, const struct mime_part *p)
{
	if (p->kind == MIME_MULTIPART) {
		put(w, "(");
		if (!p->child) /* the grammar wants one part at least */
			put_empty_text(w);
		return;
	}
	put_basic(w, p);
	if (p->kind == MIME_LEAF) {
		put_basic_tail(w, p);
		return;
	}
	const struct mime_range *head = &p->child->head;
	put(w, " ");
	w->rc |= imap_put_envelope(w->out, sv_sub(w->message, head->start, head->end - head->start),
		w->a);
	put(w, " ");
}

static void close_part(struct writer *w, const struct mime_part *p)
{
	if (p->kind == MIME_MESSAGE) {
		w->rc |= buf_printf(w->out, " %zu", p->body.lines);
		put_basic_tail(w, p);
		return;
	}
	put(w, " ");
	put_string(w, p->type.subtype);
	if (w->extended) {
		put(w, " ");
		put_params(w, &p->type, false);
		put_tail(w, p);
	}
	put(w, ")");
}

int imap_put_structure(struct buf *out, struct sv message, const struct mime_part *root,
	bool extended, struct arena *a)
{
	struct writer w = { .out = out, .message = message, .extended = extended, .a = a };
	const struct mime_part *p = root;
	open_part(&w, p);
	for (;;) {
		if (p->child) {
			p = p->child;
			open_part(&w, p);
			continue;
		}
		if (p->kind != MIME_LEAF)
			close_part(&w, p); /* a multipart without parts */
		while (p != root && !p->next) {
			p = p->parent;
			close_part(&w, p);
		}
		if (p == root)
			return w.rc;
		p = p->next;
		open_part(&w, p);
	}
}
