/* Looking for text in headers and bodies: decode, convert to UTF-8, fold, find. */
#include <string.h>

#include "imapd/imapd_charset.h"
#include "imapd/imapd_match.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/header.h"

#define FIELD_MAX (4u << 20) /* a decoded, folded header field */
#define WINDOW    (64 * 1024)
#define DECODED   (4u * WINDOW)
#define FOLDED    (8u * DECODED)

static bool has(const struct buf *hay, struct sv needle)
{
	return needle.len == 0 ||
	       (hay->len >= needle.len && memmem(hay->p, hay->len, needle.p, needle.len));
}

/* One field's body. A field larger than any real one is not looked at beyond the ceiling. */
static bool in_field_body(struct sv body, struct sv needle)
{
	struct buf plain, decoded, folded;

	buf_init(&plain, FIELD_MAX);
	buf_init(&decoded, FIELD_MAX);
	buf_init(&folded, FIELD_MAX);
	header_unfold(&plain, sv_upto(body, FIELD_MAX / 4));
	bool found = rfc2047_decode(buf_sv(&plain), &imapd_charset_hook, &decoded) == 0 &&
	             imapd_fold(&folded, buf_sv(&decoded)) == 0 && has(&folded, needle);

	buf_free(&plain);
	buf_free(&decoded);
	buf_free(&folded);
	return found;
}

bool imapd_text_in_field(struct sv head, struct sv field, struct sv needle)
{
	struct header_field f;

	while (header_next(&head, &f) == 1)
		if (sv_ieq(f.name, field) && in_field_body(f.body, needle))
			return true;
	return false;
}

bool imapd_text_in_head(struct sv head, struct sv needle)
{
	struct header_field f;

	/* "Subject: text" may be looked for, too: names belong to the header's text */
	while (header_next(&head, &f) == 1)
		if (in_field_body(f.raw, needle))
			return true;
	return false;
}

/* Decoded text of one part, in windows that end at a line's end. */
struct scan {
	struct sv charset, needle;
	struct buf decoded, utf8, folded;
};

/* Look at the first N octets decoded; drop them. */
static bool look(struct scan *sc, size_t n)
{
	struct sv text = sv_n(sc->decoded.p, n);

	buf_reset(&sc->utf8);
	buf_reset(&sc->folded);
	int rc = charset_to_utf8(sc->charset, text, &imapd_charset_hook, &sc->utf8);

	/* of an unknown charset at least the ASCII can be found */
	imapd_fold(&sc->folded, rc == 1 ? buf_sv(&sc->utf8) : text);
	bool found = has(&sc->folded, sc->needle);

	buf_consume(&sc->decoded, n);
	return found;
}

static bool scan_part(struct scan *sc, enum transfer_encoding kind, struct sv body)
{
	struct transfer_decoder d;

	transfer_init(&d, kind);
	while (body.len > 0) {
		struct sv piece = sv_upto(body, WINDOW);

		body = sv_from(body, piece.len);
		if (transfer_decode(&d, piece, &sc->decoded) < 0)
			return false;
		ptrdiff_t lf = sv_rchr(buf_sv(&sc->decoded), '\n');
		/* a line longer than all windows is cut where it happens to be */
		size_t n = lf >= 0                         ? (size_t)lf + 1
		           : sc->decoded.len > DECODED / 2 ? sc->decoded.len
		                                           : 0;

		if (n > 0 && look(sc, n))
			return true;
		fiber_yield();
	}
	if (transfer_finish(&d, &sc->decoded) < 0)
		return false;
	return sc->decoded.len > 0 && look(sc, sc->decoded.len);
}

static bool in_text_part(struct sv message, const struct mime_part *p, struct sv needle)
{
	struct scan sc = { .charset = mime_param(&p->type, "charset"), .needle = needle };
	struct sv body = sv_sub(message, p->body.start, p->body.end - p->body.start);

	if (sv_empty(sc.charset))
		sc.charset = SV("us-ascii");
	buf_init(&sc.decoded, DECODED);
	buf_init(&sc.utf8, FOLDED);
	buf_init(&sc.folded, FOLDED);
	bool found = scan_part(&sc, p->transfer, body);

	buf_free(&sc.decoded);
	buf_free(&sc.utf8);
	buf_free(&sc.folded);
	return found;
}

bool imapd_text_in_body(struct sv message, const struct mime_part *root, struct sv needle)
{
	for (const struct mime_part *p = root; p; p = mime_next(p)) {
		struct sv head = sv_sub(message, p->head.start, p->head.end - p->head.start);

		/* the header of an attached message is a part of the body it is in */
		if (p->parent && p->parent->kind == MIME_MESSAGE &&
		        imapd_text_in_head(head, needle))
			return true;
		if (p->kind == MIME_LEAF && sv_ieqz(p->type.type, "text") &&
		        in_text_part(message, p, needle))
			return true;
	}
	return false;
}
