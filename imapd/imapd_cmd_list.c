/*
 * LIST and LSUB (RFC 3501 6.3.8, 6.3.9; RFC 3348 CHILDREN; RFC 6154 SPECIAL-USE).
 *
 * Names and patterns are compared in modified UTF-7, which both sides use on the wire.
 */
#include "imapd/imapd.h"
#include "lib/fiber/fiber.h"
#include "lib/wire/imap_pattern.h"
#include "lib/wire/imap_write.h"

static void put_line(
        struct imap_session *s, const char *verb, const char *attributes, struct sv name)
{
	buf_reset(&s->out);
	buf_printf(&s->out, "* %s (%s) \"%c\" ", verb, attributes, STORE_SEPARATOR);
	imap_put_astring(&s->out, name);
	buf_puts(&s->out, "\r\n");
	imapd_send_out(s);
}

/* RFC 6154: what a mailbox of a usual name is for. */
static const char *special_use(struct sv name)
{
	static const struct {
		const char *name, *attribute;
	} uses[] = {
		{ "Archive", " \\Archive" },
		{ "Drafts", " \\Drafts" },
		{ "Junk", " \\Junk" },
		{ "Sent", " \\Sent" },
		{ "Trash", " \\Trash" },
	};

	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		if (sv_eqz(name, uses[i].name))
			return uses[i].attribute;
	return "";
}

static void list_one(struct imap_session *s, const struct store_folder *f)
{
	char attributes[64];

	/* a name that is only subscribed, or was never a mailbox, is none */
	if (!(f->flags & (STORE_FOLDER_EXISTS | STORE_FOLDER_HAS_CHILDREN)))
		return;
	snprintf(attributes, sizeof(attributes), "%s%s%s",
	        f->flags & STORE_FOLDER_EXISTS ? "" : "\\Noselect ",
	        f->flags & STORE_FOLDER_HAS_CHILDREN ? "\\HasChildren" : "\\HasNoChildren",
	        f->flags & STORE_FOLDER_EXISTS ? special_use(f->name) : "");
	put_line(s, "LIST", attributes, f->name);
}

/* The part of NAME that PATTERN matches, when not NAME itself but a parent of it matches. */
static bool parent_match(struct sv pattern, struct sv name, struct sv *parent)
{
	for (ptrdiff_t dot = sv_rchr(name, STORE_SEPARATOR); dot > 0;
	        dot = sv_rchr(name, STORE_SEPARATOR)) {
		name = sv_upto(name, (size_t)dot);
		if (imap_pattern_match(pattern, name, STORE_SEPARATOR) & IMAP_MATCH_YES) {
			*parent = name;
			return true;
		}
	}
	return false;
}

/*
 * "%" with only "a.b" subscribed: "a" is returned with \Noselect (6.3.9). The folders are in order,
 * so the same parent comes several times in a row at most: LAST avoids that.
 */
static void lsub_one(struct imap_session *s, struct sv pattern, size_t index,
        const struct store_folders *all, struct sv *last)
{
	const struct store_folder *f = &all->v[index];
	struct sv parent;

	if (!(f->flags & STORE_FOLDER_SUBSCRIBED))
		return;
	if (imap_pattern_match(pattern, f->name, STORE_SEPARATOR) & IMAP_MATCH_YES) {
		put_line(s, "LSUB", f->flags & STORE_FOLDER_EXISTS ? "" : "\\Noselect", f->name);
		return;
	}
	if (!parent_match(pattern, f->name, &parent) || sv_eq(parent, *last))
		return;
	*last = parent;
	/* the parent stands before its children, with only names between that begin like it */
	for (size_t i = index; i > 0 && sv_starts(all->v[i - 1].name, parent); i--)
		if (sv_eq(all->v[i - 1].name, parent) &&
		        all->v[i - 1].flags & STORE_FOLDER_SUBSCRIBED)
			return; /* it has a line of its own */
	put_line(s, "LSUB", "\\Noselect", parent);
}

static void list_all(struct imap_session *s, struct sv pattern)
{
	bool lsub = s->cmd.verb == IMAP_LSUB;
	struct store_folders all;
	struct err e = ERR_INIT;
	struct sv last = SV_NONE;

	if (store_folders(s->account, &s->arena, &all, &e) < 0) {
		if (s->arena.exhausted)
			imapd_exhausted(s);
		else
			imapd_failed(s, "LIST", &e);
		return;
	}
	for (size_t i = 0; i < all.n && !s->done; i++) {
		if (lsub)
			lsub_one(s, pattern, i, &all, &last);
		else if (imap_pattern_match(pattern, all.v[i].name, STORE_SEPARATOR) &
		         IMAP_MATCH_YES)
			list_one(s, &all.v[i]);
		if (i % 256 == 255)
			fiber_yield();
	}
	imapd_ok(s, "%s completed.", lsub ? "Lsub" : "List");
}

void imapd_cmd_list(struct imap_session *s)
{
	struct sv reference, mailbox;

	if (imap_sp(&s->parse) != 1 || imap_astring(&s->parse, &reference) != 1 ||
	        imap_sp(&s->parse) != 1 || imap_list_mailbox(&s->parse, &mailbox) != 1 ||
	        imap_end(&s->parse) != 1) {
		imapd_syntax(s);
		return;
	}
	if (sv_empty(mailbox) && s->cmd.verb == IMAP_LIST) {
		/* asks for the separator and the root of the reference */
		put_line(s, "LIST", "\\Noselect", SV_NONE);
		imapd_ok(s, "List completed.");
		return;
	}
	char *pattern = arena_printf(&s->arena, "%.*s%.*s", SV_ARG(reference), SV_ARG(mailbox));

	if (!pattern)
		imapd_exhausted(s);
	else
		list_all(s, sv_z(pattern));
}
