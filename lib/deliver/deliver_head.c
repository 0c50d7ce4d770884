#include "lib/deliver/deliver_head.h"

#include "lib/mail/addr.h"
#include "lib/mail/header.h"

#define FIELD_MAX 8192

int deliver_address_field(struct buf *out, const char *name, struct sv address)
{
	struct buf external;
	buf_init(&external, 2 * FIELD_MAX);
	int rc = addr_quote(&external, address);
	if (rc == 0)
		rc = buf_printf(out, "%s: ", name);
	if (rc == 0)
		rc = header_clean(out, buf_sv(&external));
	if (rc == 0)
		rc = buf_putc(out, '\n');
	buf_free(&external);
	return rc;
}

int deliver_return_path(struct buf *out, struct sv sender)
{
	struct buf path;
	buf_init(&path, FIELD_MAX);
	int rc = addr_quote(&path, sender);
	if (rc == 0)
		rc = buf_puts(out, "Return-Path: <");
	if (rc == 0)
		rc = header_clean(out, buf_sv(&path));
	if (rc == 0)
		rc = buf_puts(out, ">\n");
	buf_free(&path);
	return rc;
}

int deliver_head(struct buf *out, struct sv sender, struct sv original, struct sv delivered_to)
{
	int rc = deliver_return_path(out, sender);
	if (rc == 0 && !sv_empty(original))
		rc = deliver_address_field(out, "X-Original-To", original);
	if (rc == 0 && !sv_empty(delivered_to))
		rc = deliver_address_field(out, "Delivered-To", delivered_to);
	return rc;
}
