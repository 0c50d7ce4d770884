#include "lib/store/mbox_deliver.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/base/hash.h"
#include "lib/mail/mbox_text.h"
#include "lib/store/mbox_append.h"
#include "lib/store/mbox_journal.h"
#include "lib/sys/clock.h"
#include "lib/sys/sys.h"

#define HEAD_MAX   (128 * 1024)
#define FIELDS_MAX 4096
#define SENDER_MAX 900 /* quoted it still fits into MBOX_FROM_MAX */
#define PAUSE_MS   100

/* Linux's pwrite() writes to the end of a file that is open for appending, whatever offset it is told. */
static int set_appending(int fd, const char *what, bool on, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && fcntl(fd, F_SETFL, on ? flags | O_APPEND : flags & ~O_APPEND) == 0)
		return 0;
	return err_sys(e, errno, "open mode of the mbox of %s", what);
}

/* A change that was killed in the middle is finished first: behind octets that are neither the old nor the new ones
 * its journal would be of no use any more. */
static int finish_change(void *ctx, int fd, struct err *e)
{
	const struct mbox_box_def *def = ctx;
	struct mbox_ctl c;
	struct stat st;
	if (sys_fstatat(AT_FDCWD, def->ctl_path, &st, 0) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
			? 0 : err_sys(e, errno, "stat %s", def->ctl_path);
	if (mbox_ctl_open(def->ctl_path, def->ctl_uid, def->place.root, def->place.rel, &c, e) < 0)
		return -1;
	int rc = set_appending(fd, c.path, false, e);
	if (rc == 0)
		rc = mbox_journal_recover(c.dir, c.path, c.journal, fd, e);
	mbox_ctl_close(&c);
	return rc == 0 ? set_appending(fd, def->ctl_path, true, e) : rc;
}

/* From_ line and header; fields of ours. 0, -1. */
static int make_head(const struct store_delivery *d, struct buf *head, struct buf *fields)
{
	static const struct keywords none;
	const struct mbox_meta meta = { .flags = d->flags };
	int64_t now = clock_wall_s();
	int rc = mbox_from_line(head, d->sender.len > SENDER_MAX ? SV_NONE : d->sender, now, clock_tz_min(now));
	if (rc == 0)
		rc = buf_put_sv(head, d->head);
	if (rc == 0)
		rc = mbox_meta_block(fields, &meta, &none, NULL, MBOX_F_X_IMAPBASE);
	if (rc == 0)
		rc = buf_printf(fields, "%s: %s\n", mbox_field_name(MBOX_F_KEY), d->key.hex);
	return rc;
}

static struct mbox_rules rules_for(const struct mbox_box_def *def, const struct store_delivery *d)
{
	struct mbox_rules r = { .locks = MBOX_LOCK_FCNTL | MBOX_LOCK_DOT,
		.attempts = (unsigned)(def->place.lock_timeout_ms / PAUSE_MS) + 1,
		.pause_ms = PAUSE_MS,
		.stale_s = MBOX_STALE_S };
	if (d->mbox)
		r = *d->mbox;
	r.uid = def->place.uid;
	r.spool = def->place.spool;
	r.must_exist = !def->create;
	return r;
}

int mbox_deliver(const struct mbox_box_def *def, const struct store_delivery *d, enum store_delivered *how,
	struct err *e)
{
	const struct hash_seed seeds[] = { { 7, 8 }, { 9, 10 } };
	const struct mbox_rules rules = rules_for(def, d);
	struct err why = ERR_INIT;
	struct buf head, fields;
	enum mbox_result result = MBOX_TROUBLE;
	buf_init(&head, HEAD_MAX);
	buf_init(&fields, FIELDS_MAX);
	if (make_head(d, &head, &fields) < 0) {
		err_set(&why, ERR_BUG, "the header of a delivery is too long");
	} else {
		struct mbox_mail mail = { .head = buf_sv(&head), .fd = d->fd, .offset = d->offset, .size = d->size,
			.fields = buf_sv(&fields), .find_key = d->maybe_before ? d->key.hex : NULL,
			.settle = finish_change, .ctx = (void *)(uintptr_t)def };
		for (size_t i = 0; i < ARRAY_LEN(seeds); i++)
			mail.key[i] = hash_sip(seeds[i], d->key.hex, strlen(d->key.hex));
		result = mbox_append_below(def->place.root, def->place.rel, &rules, &mail, &why);
	}
	buf_free(&head);
	buf_free(&fields);
	*how = result == MBOX_WRITTEN_BEFORE ? STORE_DELIVERED_BEFORE : STORE_DELIVERED_NEW;
	switch (result) {
	case MBOX_WRITTEN:
	case MBOX_WRITTEN_BEFORE: return 1;
	case MBOX_NONE: return 0;
	case MBOX_FULL:
	case MBOX_REFUSED:
	case MBOX_TROUBLE: break;
	}
	if (e)
		*e = why;
	return -1;
}
