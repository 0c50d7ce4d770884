/* Mail locations: which format, where. */
#include <string.h>

#include "lib/store/account.h"
#include "lib/store/driver.h"

#define PATH_LEN_MAX 4000

static const struct store_driver *const drivers[] = { &store_maildir, &store_mbox };

static int path_of(struct sv text, struct sv home, struct buf *out, struct err *e)
{
	struct sv rest = sv_starts(text, SV("~/")) ? sv_from(text, 2) : text;
	bool absolute = rest.len > 0 && rest.p[0] == '/';
	if (!absolute && (home.len == 0 || home.p[0] != '/'))
		return err_set(e, ERR_CONFIG,
		        "mail location \"%.*s\": not absolute and no home directory", SV_ARG(text));
	if (!absolute)
		(void)buf_printf(out, "%.*s/", SV_ARG(home));
	(void)buf_put_sv(out, rest);
	while (out->len > 1 && out->p[out->len - 1] == '/')
		buf_truncate(out, out->len - 1);
	if (out->overflow)
		return err_set(e, ERR_CONFIG, "mail location is too long");
	if (memchr(buf_z(out), '\0', out->len))
		return err_set(e, ERR_CONFIG, "mail location has a NUL octet");
	return 1;
}

int store_location(struct sv mail, struct sv home, struct store_location *out, struct err *e)
{
	*out = (struct store_location){ .driver = NULL };
	buf_init(&out->path, PATH_LEN_MAX);
	buf_init(&out->inbox, PATH_LEN_MAX);
	buf_init(&out->index, PATH_LEN_MAX);
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (sv_starts(mail, drivers[i]->prefix))
			out->driver = drivers[i];
	if (!out->driver)
		return err_set(e, ERR_CONFIG, "mail location \"%.*s\": only maildir:PATH and mbox:PATH are known",
		        SV_ARG(mail));
	struct sv rest = sv_from(mail, out->driver->prefix.len);
	if (out->driver == &store_maildir) /* a colon is an octet of the path, as ever */
		return path_of(rest, home, &out->path, e);
	int rc = path_of(sv_take_until(&rest, ':'), home, &out->path, e);
	while (rc == 1 && !sv_empty(rest)) {
		struct sv option = sv_take_until(&rest, ':');
		if (sv_starts(option, SV("INBOX=")))
			rc = path_of(sv_from(option, 6), home, &out->inbox, e);
		else if (sv_starts(option, SV("INDEX=")))
			rc = path_of(sv_from(option, 6), home, &out->index, e);
		else
			rc = err_set(e, ERR_CONFIG, "mail location \"%.*s\": \"%.*s\" is not known", SV_ARG(mail),
				SV_ARG(option));
	}
	if (rc == 1 && out->inbox.len == 0)
		rc = buf_printf(&out->inbox, "%s/inbox", out->path.p) < 0
			? err_set(e, ERR_CONFIG, "mail location is too long") : 1;
	return rc;
}

void store_location_free(struct store_location *p)
{
	buf_free(&p->path);
	buf_free(&p->inbox);
	buf_free(&p->index);
}
