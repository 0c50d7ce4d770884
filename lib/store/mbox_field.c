#include "lib/store/mbox_field.h"

#include "lib/base/num.h"

#define UID_PAD      10 /* a delivery has no UID yet: room for it */
#define KEYWORDS_PAD 40
#define BASE_PAD     80

static const char *const names[MBOX_FIELDS] = {
	[MBOX_F_OTHER] = "",
	[MBOX_F_STATUS] = "Status",
	[MBOX_F_X_STATUS] = "X-Status",
	[MBOX_F_X_KEYWORDS] = "X-Keywords",
	[MBOX_F_X_UID] = "X-UID",
	[MBOX_F_X_IMAPBASE] = "X-IMAPbase",
	[MBOX_F_X_IMAP] = "X-IMAP",
	[MBOX_F_KEY] = "X-Merpati-Key",
	[MBOX_F_CONTENT_LENGTH] = "Content-Length",
	[MBOX_F_LINES] = "Lines",
	[MBOX_F_KEPT] = "X-Merpati-Kept",
};

static const struct {
	char letter;
	uint32_t flag;
} x_status[] = {
	{ 'A', STORE_ANSWERED },
	{ 'F', STORE_FLAGGED },
	{ 'T', STORE_DRAFT },
	{ 'D', STORE_DELETED },
};

enum mbox_field mbox_field_of(struct sv name)
{
	for (int f = MBOX_F_OTHER + 1; f < MBOX_FIELDS; f++)
		if (sv_ieqz(name, names[f]))
			return (enum mbox_field)f;
	return MBOX_F_OTHER;
}

const char *mbox_field_name(enum mbox_field f)
{
	return names[f];
}

bool mbox_field_is_meta(enum mbox_field f)
{
	return f >= MBOX_F_STATUS && f <= MBOX_F_X_IMAP;
}

static uint32_t keyword_bits(struct sv words, struct keywords *kw)
{
	uint32_t bits = 0;
	while (!sv_empty(words = sv_trim_left(words))) {
		int i = keywords_add(kw, sv_take_word(&words));
		if (i >= 0)
			bits |= 1u << i;
	}
	return bits;
}

void mbox_meta_field(struct mbox_meta *m, enum mbox_field f, struct sv value, struct keywords *kw)
{
	switch (f) {
	case MBOX_F_STATUS:
		m->flags |= sv_chr(value, 'R') >= 0 ? STORE_SEEN : 0;
		m->old |= sv_chr(value, 'O') >= 0;
		break;
	case MBOX_F_X_STATUS:
		for (size_t i = 0; i < ARRAY_LEN(x_status); i++)
			m->flags |= sv_chr(value, x_status[i].letter) >= 0 ? x_status[i].flag : 0;
		break;
	case MBOX_F_X_KEYWORDS: m->keywords |= keyword_bits(value, kw); break;
	case MBOX_F_X_UID:
		if (num_u32(sv_trim(value), &m->uid) < 0)
			m->uid = 0;
		break;
	default: break;
	}
}

int mbox_base_field(struct mbox_base *b, struct sv value, struct keywords *kw)
{
	uint32_t validity, last;
	struct sv rest = sv_trim(value);
	if (num_u32(sv_take_word(&rest), &validity) < 0 || num_u32(sv_take_word(&rest), &last) < 0 ||
		validity == 0)
		return 0;
	*b = (struct mbox_base){ validity, last };
	(void)keyword_bits(rest, kw);
	return 1;
}

static int keyword_words(struct buf *out, uint32_t bits, const struct keywords *kw, const char *before)
{
	for (unsigned i = 0; i < STORE_KEYWORDS_MAX; i++) {
		if (!(bits & 1u << i) || !kw->name[i][0])
			continue;
		if (buf_puts(out, before) < 0 || buf_puts(out, kw->name[i]) < 0)
			return -1;
		before = " ";
	}
	return 0;
}

int mbox_meta_value(struct buf *out, enum mbox_field f, const struct mbox_meta *m, const struct keywords *kw)
{
	switch (f) {
	case MBOX_F_STATUS:
		return buf_puts(out, m->flags & STORE_SEEN ? (m->old ? "RO" : "R") : (m->old ? "O" : ""));
	case MBOX_F_X_STATUS:
		for (size_t i = 0; i < ARRAY_LEN(x_status); i++)
			if ((m->flags & x_status[i].flag) && buf_putc(out, x_status[i].letter) < 0)
				return -1;
		return 0;
	case MBOX_F_X_KEYWORDS: return keyword_words(out, m->keywords, kw, "");
	case MBOX_F_X_UID: return buf_printf(out, "%u", m->uid);
	default: return 0;
	}
}

int mbox_base_value(struct buf *out, const struct mbox_base *b, const struct keywords *kw)
{
	if (buf_printf(out, "%u %010u", b->uidvalidity, b->last) < 0)
		return -1;
	return keyword_words(out, UINT32_MAX, kw, " ");
}

/* "Name: value" with blanks up to a value of WIDTH octets. */
static int line(struct buf *out, enum mbox_field f, const struct mbox_meta *m, const struct keywords *kw,
	const struct mbox_base *base, size_t width)
{
	int rc = buf_printf(out, "%s: ", names[f]);
	size_t start = out->len;
	if (rc == 0)
		rc = base ? mbox_base_value(out, base, kw) : mbox_meta_value(out, f, m, kw);
	while (rc == 0 && out->len - start < width)
		rc = buf_putc(out, ' ');
	return rc == 0 ? buf_putc(out, '\n') : -1;
}

int mbox_meta_block(struct buf *out, const struct mbox_meta *m, const struct keywords *kw,
	const struct mbox_base *base, enum mbox_field f)
{
	int rc = base ? line(out, f, m, kw, base, BASE_PAD) : 0;
	if (rc == 0 && f == MBOX_F_X_IMAP)
		return 0; /* c-client's internal mail has no UID */
	if (rc == 0)
		rc = line(out, MBOX_F_X_UID, m, kw, NULL, UID_PAD);
	if (rc == 0)
		rc = line(out, MBOX_F_STATUS, m, kw, NULL, 2);
	if (rc == 0)
		rc = line(out, MBOX_F_X_STATUS, m, kw, NULL, ARRAY_LEN(x_status));
	return rc == 0 ? line(out, MBOX_F_X_KEYWORDS, m, kw, NULL, KEYWORDS_PAD) : -1;
}
