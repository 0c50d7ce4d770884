#include "lib/store/mbox_name.h"


#define DOT      "&ICQ-"
#define FILE_MAX 240 /* octets of a file's name; ".lock" is put behind it */

static bool component(struct sv s)
{
	return s.len > 0 && s.len <= FILE_MAX && s.p[0] != '.' && !sv_ends(s, SV(".lock")) &&
	       !sv_ends(s, SV(".append"));
}

int mbox_name_rel(struct sv name, struct mbox_rel *out, struct err *e)
{
	size_t n = 0, start = 0;
	if (store_name_check(name, e) < 0)
		return -1;
	for (size_t i = 0; i <= name.len; i++) {
		bool end = i == name.len || name.p[i] == STORE_SEPARATOR;
		if (end && !component(sv_n(out->z + start, n - start)))
			return err_set(e, ERR_PERM, "mailbox name cannot be a file");
		if (i == name.len)
			break;
		if (end) {
			out->z[n++] = '/';
			start = n;
		} else if (sv_starts(sv_from(name, i), SV(DOT))) {
			out->z[n++] = '.';
			i += sizeof(DOT) - 2;
		} else {
			out->z[n++] = name.p[i];
		}
	}
	out->z[n] = '\0';
	return 1;
}

int mbox_name_of(struct sv parent, struct sv file, struct buf *out)
{
	buf_reset(out);
	if (!component(file) || sv_find(file, SV(DOT)) >= 0)
		return 0;
	if (!sv_empty(parent) && (buf_put_sv(out, parent) < 0 || buf_putc(out, STORE_SEPARATOR) < 0))
		return 0;
	for (size_t i = 0; i < file.len; i++)
		if ((file.p[i] == '.' ? buf_puts(out, DOT) : buf_putc(out, file.p[i])) < 0)
			return 0;
	struct sv name = buf_sv(out);
	return store_name_check(name, NULL) == 1 && !store_name_is_inbox(name);
}
