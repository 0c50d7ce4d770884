#include "lib/deliver/deliver_file.h"

#include <errno.h>
#include <stdio.h>

#include "lib/fiber/fiber.h"

struct append_job {
	const struct deliver_file *f;
	const struct mbox_mail *mail;
	enum mbox_result result;
	struct err err;
};

static void append_run(void *rec)
{
	struct append_job *j = rec;
	j->result = mbox_append(j->f->path, &j->f->rules, j->mail, &j->err);
}

static struct dsn_code trouble_code(int saved)
{
	switch (saved) {
	case EDQUOT: return DSN(4, 2, 2);
	case ENOSPC: return DSN(4, 3, 1);
	case EACCES:
	case EPERM:
	case EROFS:
	case ENOENT:
	case ENOTDIR:
	case ETIMEDOUT: return DSN(4, 2, 0);
	default: return DSN(4, 3, 0);
	}
}

bool deliver_file(const struct deliver_file *f, const struct mbox_mail *mail, struct deliver_outcome *out)
{
	struct append_job j = { .f = f, .mail = mail };
	fiber_offload(FIBER_POOL_DURABLE, append_run, &j);
	*out = (struct deliver_outcome){ .status = DELIVER_SENT, .dsn = DSN(2, 0, 0) };
	switch (j.result) {
	case MBOX_WRITTEN:
		(void)snprintf(out->text, sizeof(out->text), "delivered to file: %s", f->path);
		break;
	case MBOX_WRITTEN_BEFORE:
		(void)snprintf(out->text, sizeof(out->text), "delivered to file before: %s", f->path);
		break;
	case MBOX_FULL:
		out->status = DELIVER_BOUNCED;
		out->dsn = DSN(5, 2, 2);
		(void)snprintf(out->text, sizeof(out->text), "%s would be larger than %.*s", f->path,
		        SV_ARG(f->limit_name));
		break;
	case MBOX_NONE: /* it is made */
	case MBOX_REFUSED:
	case MBOX_TROUBLE:
		out->status = DELIVER_DEFERRED;
		out->dsn = j.result == MBOX_REFUSED ? DSN(4, 2, 0) : trouble_code(j.err.sys_errno);
		(void)snprintf(out->text, sizeof(out->text), "cannot append to file: %s", j.err.text);
		break;
	}
	return j.result == MBOX_REFUSED;
}
