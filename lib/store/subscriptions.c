#include "lib/store/subscriptions.h"

#include <string.h>

#include "lib/store/store_file.h"

static bool is_v2(struct sv text)
{
	return sv_starts(text, SV("V\t2\n"));
}

/* A line as a mailbox name: levels joined by the separator. False: not a name. */
static bool line_name(struct sv line, bool v2, char name[STORE_NAME_MAX + 1], struct sv *out)
{
	if (line.len == 0 || line.len > STORE_NAME_MAX)
		return false;
	for (size_t i = 0; i < line.len; i++)
		name[i] = v2 && line.p[i] == '\t' ? STORE_SEPARATOR : line.p[i];
	*out = sv_n(name, line.len);
	return store_name_is_inbox(*out) || store_name_check(*out, NULL) == 1;
}

void subscriptions_parse(struct sv text, void (*each)(void *ctx, struct sv name), void *ctx)
{
	bool v2 = is_v2(text);
	struct sv line, name;
	size_t n = 0;
	if (v2)
		(void)sv_take_line(&text, &line);
	while (n < STORE_MAILBOXES_MAX && sv_take_line(&text, &line)) {
		char z[STORE_NAME_MAX + 1];
		if (line_name(line, v2, z, &name)) {
			each(ctx, name);
			n++;
		}
	}
}

static int put_name(struct buf *out, struct sv name, bool v2)
{
	for (size_t i = 0; i < name.len; i++)
		if (buf_putc(out, v2 && name.p[i] == STORE_SEPARATOR ? '\t' : name.p[i]) < 0)
			return -1;
	return buf_putc(out, '\n');
}

int subscriptions_change(struct sv text, struct sv name, bool on, struct buf *out)
{
	bool v2 = is_v2(text) || sv_empty(text);
	bool had = false;
	struct sv rest = text, line, have;
	if (v2) {
		(void)buf_puts(out, "V\t2\n\n");
		if (!sv_empty(text))
			(void)sv_take_line(&rest, &line);
	}
	while (sv_take_line(&rest, &line)) {
		char z[STORE_NAME_MAX + 1];
		if (!line_name(line, v2, z, &have))
			continue;
		bool same =
		        store_name_is_inbox(name) ? store_name_is_inbox(have) : sv_eq(have, name);
		if (same && (had || !on)) {
			had = true;
			continue;
		}
		had |= same;
		if (put_name(out, have, v2) < 0)
			return -1;
	}
	if (had == on)
		return 0;
	if (on && put_name(out, name, v2) < 0)
		return -1;
	return out->overflow ? -1 : 1;
}

int subscriptions_file_change(
	int root, const char *path, const char *file, struct sv name, bool on, struct err *e)
{
	struct buf old, new;
	buf_init(&old, SUBSCRIPTIONS_FILE_MAX);
	buf_init(&new, SUBSCRIPTIONS_FILE_MAX);
	int rc = store_file_read(root, path, file, &old, e);
	if (rc == 0)
		rc = subscriptions_change(buf_sv(&old), name, on, &new);
	if (rc < 0 && new.overflow)
		err_set(e, ERR_TEMP, "too many subscriptions");
	if (rc == 1)
		rc = store_file_replace(root, path, file, buf_sv(&new), e) < 0 ? -1 : 1;
	buf_free(&old);
	buf_free(&new);
	return rc;
}
