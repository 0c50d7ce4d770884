#include "lib/store/maildir_name.h"

#include "lib/base/num.h"
#include "lib/store/store_save.h"

/* Letters of the info part in ASCII order, with the flag each stands for. */
static const struct {
	char letter;
	uint32_t flag;
} letters[] = {
	{ 'D', STORE_DRAFT },
	{ 'F', STORE_FLAGGED },
	{ 'P', STORE_PASSED },
	{ 'R', STORE_ANSWERED },
	{ 'S', STORE_SEEN },
	{ 'T', STORE_DELETED },
};

static uint32_t flag_of(char c)
{
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (letters[i].letter == c)
			return letters[i].flag;
	return 0;
}

struct sv maildir_name_info(struct sv name)
{
	ptrdiff_t colon = sv_chr(name, ':');
	return colon < 0 ? SV_NONE : sv_from(name, (size_t)colon);
}

/* The number behind ",X=" in BASE, or 0. */
static uint64_t size_field(struct sv base, struct sv tag)
{
	ptrdiff_t at = sv_find(base, tag);
	if (at < 0)
		return 0;
	struct sv digits = sv_from(base, (size_t)at + tag.len);
	size_t n = 0;
	while (n < digits.len && ascii_is_digit(digits.p[n]))
		n++;
	uint64_t v = 0;
	if (n == 0 || num_u64(sv_upto(digits, n), &v) < 0)
		return 0;
	return v;
}

static struct sv key_field(struct sv base)
{
	struct sv rest = base;
	(void)sv_take_until(&rest, '.'); /* seconds */
	if (rest.len < 1 + STORE_KEY_LEN || rest.p[0] != 'K')
		return SV_NONE;
	struct sv key = sv_sub(rest, 1, STORE_KEY_LEN);
	for (size_t i = 0; i < key.len; i++)
		if (num_hex(key.p[i]) < 0 || ascii_lower(key.p[i]) != key.p[i])
			return SV_NONE;
	if (rest.len > 1 + STORE_KEY_LEN && rest.p[1 + STORE_KEY_LEN] != '.')
		return SV_NONE;
	return key;
}

int maildir_name_parse(struct sv name, struct maildir_name *out)
{
	if (name.len == 0 || name.len > MAILDIR_NAME_MAX || name.p[0] == '.' || name.p[0] == ':')
		return 0;
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.p[i] < 0x20 || name.p[i] == '/' || name.p[i] == 0x7f)
			return 0;
	*out = (struct maildir_name){ .base = name };
	struct sv info = maildir_name_info(name);
	out->base = sv_upto(name, name.len - info.len);
	if (sv_starts(info, SV(":2,"))) {
		for (size_t i = 3; i < info.len; i++) {
			char c = info.p[i];
			if (c >= 'a' && c <= 'z')
				out->keywords |= 1u << (unsigned)(c - 'a');
			else
				out->flags |= flag_of(c);
		}
	}
	out->size = size_field(out->base, SV(",S="));
	out->vsize = size_field(out->base, SV(",W="));
	if (out->vsize < out->size) /* a CRLF form is never shorter: not ours, do not believe it */
		out->vsize = 0;
	out->key = key_field(out->base);
	return 1;
}

int maildir_name_format(
        struct buf *out, struct sv base, uint32_t flags, uint32_t keywords, struct sv info)
{
	bool keep[128] = { false };
	if (sv_starts(info, SV(":2,")))
		for (size_t i = 3; i < info.len; i++) {
			unsigned char c = (unsigned char)info.p[i];
			if (c > 0x20 && c < 0x7f && c != '/' && c != ':' &&
			        !(c >= 'a' && c <= 'z') && flag_of((char)c) == 0)
				keep[c] = true;
		}
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (flags & letters[i].flag)
			keep[(unsigned char)letters[i].letter] = true;
	for (unsigned i = 0; i < STORE_KEYWORDS_MAX; i++)
		if (keywords & (1u << i))
			keep['a' + i] = true;
	if (buf_put_sv(out, base) < 0 || buf_puts(out, ":2,") < 0)
		return -1;
	for (unsigned c = 0; c < ARRAY_LEN(keep); c++)
		if (keep[c] && buf_putc(out, (char)c) < 0)
			return -1;
	return 0;
}

int maildir_name_arrival(struct buf *out, struct sv base, uint32_t flags, uint32_t keywords)
{
	if (flags == 0 && keywords == 0)
		return buf_put_sv(out, base);
	return maildir_name_format(out, base, flags, keywords, SV_NONE);
}

void maildir_host_clean(struct sv host, char out[MAILDIR_HOST_MAX + 1])
{
	size_t n = 0;
	for (size_t i = 0; i < host.len && n < MAILDIR_HOST_MAX; i++) {
		char c = host.p[i];
		bool ok = ascii_is_alnum(c) || c == '.' || c == '-' || c == '_';
		out[n++] = ok ? c : '_';
	}
	if (n == 0)
		out[n++] = '_';
	out[n] = '\0';
}
