#include "lib/store/uidlist.h"

#include <string.h>

#include "lib/base/num.h"
#include "lib/store/maildir_name.h"

static bool is_guid(struct sv s)
{
	if (s.len != UIDLIST_GUID_LEN)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (num_hex(s.p[i]) < 0)
			return false;
	return true;
}

static bool is_clean(struct sv line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.p[i] < 0x20)
			return false;
	return line.len < UIDLIST_LINE_MAX;
}

/* A field of others: kept as it is. -1 when there are too many. */
static int keep_extra(struct uidlist_header *h, struct sv word)
{
	size_t have = strlen(h->extra);
	if (have + 1 + word.len >= sizeof(h->extra))
		return -1;
	if (have > 0)
		h->extra[have++] = ' ';
	memcpy(h->extra + have, word.p, word.len);
	h->extra[have + word.len] = '\0';
	return 0;
}

static int header_v3(struct sv rest, struct uidlist_header *h)
{
	struct sv word;
	while (!sv_empty(word = sv_take_word(&rest))) {
		struct sv value = sv_from(word, 1);
		switch (word.p[0]) {
		case 'V':
			if (num_u32(value, &h->uidvalidity) < 0)
				return -1;
			break;
		case 'N':
			if (num_u32(value, &h->nextuid) < 0)
				return -1;
			break;
		case 'G':
			if (!is_guid(value))
				return -1;
			memcpy(h->guid, value.p, value.len);
			break;
		default:
			if (keep_extra(h, word) < 0)
				return -1;
			break;
		}
	}
	return 1;
}

int uidlist_header_parse(struct sv line, struct uidlist_header *out)
{
	struct uidlist_header h = { 0 };
	if (!is_clean(line))
		return -1;
	struct sv rest = line;
	struct sv version = sv_take_word(&rest);
	int rc;
	if (sv_eq(version, SV("3"))) {
		h.version = 3;
		rc = header_v3(rest, &h);
	} else if (sv_eq(version, SV("1"))) {
		h.version = 1;
		struct sv validity = sv_take_word(&rest), next = sv_take_word(&rest);
		rc = num_u32(validity, &h.uidvalidity) == 1 && num_u32(next, &h.nextuid) == 1 ? 1
		                                                                              : -1;
	} else {
		uint32_t n;
		return num_u32(version, &n) == 1 ? 0 : -1;
	}
	if (rc < 0 || h.uidvalidity == 0 || h.nextuid == 0)
		return -1;
	*out = h;
	return 1;
}

int uidlist_record_parse(struct sv line, unsigned version, struct uidlist_record *out)
{
	struct uidlist_record r = { .ext = SV_NONE };
	if (!is_clean(line))
		return -1;
	struct sv rest = line;
	if (num_u32(sv_take_word(&rest), &r.uid) < 0 || r.uid == 0 || r.uid > UIDLIST_UID_MAX)
		return -1;
	if (version == 3) {
		const char *ext = rest.p;
		while (rest.len > 0 && rest.p[0] != ':') {
			struct sv word = sv_take_word(&rest);
			r.ext = sv_trim_right(sv_n(ext, (size_t)(word.p + word.len - ext)));
			struct sv value = sv_from(word, 1);
			if (word.p[0] == 'S' && num_u64(value, &r.size) < 0)
				r.size = 0;
			if (word.p[0] == 'W' && num_u64(value, &r.vsize) < 0)
				r.vsize = 0;
		}
		if (rest.len == 0)
			return -1;
		rest = sv_from(rest, 1);
	}
	struct maildir_name name;
	if (maildir_name_parse(rest, &name) != 1)
		return -1;
	r.base = name.base; /* version 1 lines may carry an info part */
	*out = r;
	return 1;
}

int uidlist_header_format(struct buf *out, const struct uidlist_header *h)
{
	return buf_printf(out, "3 V%u N%u G%s%s%s\n", h->uidvalidity, h->nextuid, h->guid,
	        h->extra[0] ? " " : "", h->extra);
}

int uidlist_record_format(struct buf *out, uint32_t uid, struct sv ext, struct sv base)
{
	if (sv_empty(ext))
		return buf_printf(out, "%u :%.*s\n", uid, SV_ARG(base));
	return buf_printf(out, "%u %.*s :%.*s\n", uid, SV_ARG(ext), SV_ARG(base));
}
