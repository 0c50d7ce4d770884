#include "lib/store/mbox_dot.h"

#include <errno.h>

int mbox_dot_try(struct mbox_dot *d, const struct mbox_dot_def *def, struct err *e)
{
	struct err why = ERR_INIT;
	*d = (struct mbox_dot){ .spool = def->spool };
	if (def->spool) {
		int rc = def->spool->lock(def->spool->ctx, def->name, e);
		if (rc == 1)
			d->name = def->name;
		return rc;
	}
	if (dotlock_take_after(&d->own, def->dir, def->path, def->lock_name, 0, def->stale_s, &why) == 0) {
		d->is_own = true;
		return 1;
	}
	if (why.sys_errno == EACCES || why.sys_errno == EPERM || why.sys_errno == EROFS)
		return 1;
	if (why.sys_errno == ETIMEDOUT)
		return 0;
	if (e)
		*e = why;
	return -1;
}

void mbox_dot_drop(struct mbox_dot *d)
{
	if (d->is_own)
		dotlock_drop(&d->own);
	else if (d->name)
		d->spool->unlock(d->spool->ctx, d->name);
	*d = (struct mbox_dot){ .spool = NULL };
}
