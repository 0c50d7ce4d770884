/* sendmail/sendmail_read.c - the message and its addresses. */
#include "sendmail/sendmail.h"

#include <errno.h>
#include <pwd.h>

#include "lib/mail/addr.h"
#include "lib/mail/addr_list.h"
#include "lib/mail/header.h"
#include "lib/sys/sys.h"

enum { TOKENS_MAX = 1000000 };

struct reader {
	struct buf *out;
	struct buf line;      /* an unfinished line */
	bool dot_ends, ended;
	bool strip_cr;        /* CR before LF is part of the line end */
	bool strip_decided;   /* sendmail_fix_line_endings = strict: the first line decides */
	bool first;           /* "From " lines at the start are dropped */
	long limit;
};

/* LINE without its LF. */
static void take_line(struct reader *r, struct sv line, bool had_lf)
{
	if (!r->strip_decided) {
		r->strip_cr = line.len > 0 && line.p[line.len - 1] == '\r';
		r->strip_decided = true;
	}
	if (r->strip_cr && had_lf)
		while (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
	if (r->dot_ends && line.len == 1 && line.p[0] == '.') {
		r->ended = true;
		return;
	}
	if (r->first) {
		struct sv rest = line;
		while (rest.len > 0 && rest.p[0] == '>')
			rest = sv_from(rest, 1);
		if (sv_starts(rest, SV("From ")))
			return; /* a mailbox's separator */
		r->first = false;
	}
	if (buf_put_sv(r->out, line) < 0 || buf_putc(r->out, '\n') < 0 ||
		(r->limit > 0 && r->out->len > (size_t)r->limit))
		sm_fatal(EX_UNAVAILABLE, "message file too big");
}

static void take_octets(struct reader *r, struct sv in)
{
	while (in.len > 0 && !r->ended) {
		ptrdiff_t lf = sv_chr(in, '\n');
		if (lf < 0) {
			if (buf_put_sv(&r->line, in) < 0)
				sm_fatal(EX_UNAVAILABLE, "message file too big");
			return;
		}
		if (r->line.len > 0) {
			if (buf_put_sv(&r->line, sv_upto(in, (size_t)lf)) < 0)
				sm_fatal(EX_UNAVAILABLE, "message file too big");
			take_line(r, buf_sv(&r->line), true);
			buf_reset(&r->line);
		} else {
			take_line(r, sv_upto(in, (size_t)lf), true);
		}
		in = sv_from(in, (size_t)lf + 1);
	}
}

void sm_read(struct buf *content, bool dot_ends, const char *fix, long limit)
{
	struct reader r = { .out = content, .dot_ends = dot_ends, .first = true, .limit = limit };
	static char octets[65536];
	ssize_t n = 0;
	r.strip_cr = strcmp(fix, "always") == 0;
	r.strip_decided = strcmp(fix, "strict") != 0;
	buf_init(&r.line, content->max);
	while (!r.ended && (n = sys_read(STDIN_FILENO, octets, sizeof(octets))) > 0)
		take_octets(&r, sv_n(octets, (size_t)n));
	if (n < 0)
		sm_fatal(EX_IOERR, "cannot read the message: %s", strerror(errno));
	if (!r.ended && r.line.len > 0)
		take_line(&r, buf_sv(&r.line), false);
	buf_free(&r.line);
}

void sm_list_add(struct sm_list *list, struct sm_rcpt rcpt)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? 2 * list->cap : 16;
		list->v = mem_realloc(list->v, list->cap * sizeof(*list->v));
	}
	list->v[list->n++] = rcpt;
}

void sm_add_addrs(struct arena *a, struct sm_list *list, struct sv text)
{
	struct addr_list l;
	if (addr_list_parse(text, TOKENS_MAX, a, &l) < 0)
		sm_fatal(EX_DATAERR, "too many addresses");
	for (size_t i = 0; i < l.count; i++)
		if (l.items[i].kind == ADDR_ITEM_MAILBOX && l.items[i].internal.len > 0)
			sm_list_add(list, (struct sm_rcpt){ .address = l.items[i].internal });
}

void sm_extract(struct arena *a, struct sm_list *list, struct sv content)
{
	struct sm_list plain = { 0 }, resent = { 0 };
	struct header_field f;
	bool is_resent = false;
	while (header_next(&content, &f) == 1) {
		unsigned classes = header_classes(f.id);
		is_resent = is_resent || (classes & HDRC_RESENT);
		if (classes & HDRC_EXTRACT)
			sm_add_addrs(a, classes & HDRC_RESENT ? &resent : &plain, f.body);
	}
	const struct sm_list *use = is_resent ? &resent : &plain;
	for (size_t i = 0; i < use->n; i++)
		sm_list_add(list, use->v[i]);
	free(plain.v);
	free(resent.v);
}

struct sv sm_sender(struct arena *a, const char *text)
{
	struct sm_list list = { 0 };
	struct sv t = sv_trim(sv_z(text)), sender = SV_NONE;
	if (t.len == 0 || sv_eqz(t, "<>"))
		return SV_NONE;
	sm_add_addrs(a, &list, t);
	if (list.n != 1)
		sm_fatal(EX_USAGE, "bad sender address: %s", text);
	sender = list.v[0].address;
	free(list.v);
	return sender;
}

struct sv sm_login(struct arena *a)
{
	const struct passwd *pw = getpwuid(getuid());
	if (!pw)
		sm_fatal(EX_OSERR, "unable to find local user database entry for uid %u", (unsigned)getuid());
	return arena_sv(a, sv_z(pw->pw_name));
}

/* The first part of a gecos field, '&' being the capitalised login name. */
static struct sv from_gecos(struct arena *a, const struct passwd *pw)
{
	struct buf b;
	buf_init(&b, 1000);
	for (const char *p = pw->pw_gecos ? pw->pw_gecos : ""; *p && !strchr(",;%", *p); p++) {
		if (*p == '&') {
			buf_putc(&b, ascii_upper(pw->pw_name[0]));
			buf_puts(&b, pw->pw_name[0] ? pw->pw_name + 1 : "");
		} else {
			buf_putc(&b, *p);
		}
	}
	struct sv name = arena_sv(a, buf_sv(&b));
	buf_free(&b);
	return name;
}

struct sv sm_full_name(struct arena *a, const char *option)
{
	const char *name = option ? option : getenv("NAME");
	struct buf b;
	if (!name || !*name) {
		const struct passwd *pw = option ? NULL : getpwuid(getuid());
		return pw ? from_gecos(a, pw) : SV_NONE;
	}
	buf_init(&b, 1000);
	(void)header_clean(&b, sv_upto(sv_z(name), 990));
	struct sv clean = arena_sv(a, buf_sv(&b));
	buf_free(&b);
	return clean;
}
