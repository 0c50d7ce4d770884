/* The request "file": mbox_append() in a thread. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/deliver/deliver.h"
#include "lib/fiber/fiber.h"
#include "lib/store/mbox_append.h"
#include "lib/sys/sys.h"
#include "postman/postman.h"

#define SEND_MS 30000

struct append_job {
	const char *path;
	struct mbox_rules rules;
	struct mbox_mail mail;
	enum mbox_result result;
	struct err err;
};

static void append_run(void *rec)
{
	struct append_job *j = rec;
	j->result = mbox_append(j->path, &j->rules, &j->mail, &j->err);
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

static void judge(const struct append_job *j, struct msg_postman_written *out, struct buf *text, char *code)
{
	struct dsn_code dsn = DSN(2, 0, 0);
	out->status = DELIVER_SENT;
	switch (j->result) {
	case MBOX_WRITTEN: (void)buf_printf(text, "delivered to file: %s", j->path); break;
	case MBOX_WRITTEN_BEFORE: (void)buf_printf(text, "delivered to file before: %s", j->path); break;
	case MBOX_FULL:
		out->status = DELIVER_BOUNCED;
		dsn = DSN(5, 2, 2);
		(void)buf_printf(text, "%s would be larger than mailbox_size_limit", j->path);
		break;
	case MBOX_REFUSED:
	case MBOX_TROUBLE:
		out->status = DELIVER_DEFERRED;
		out->config = j->result == MBOX_REFUSED;
		dsn = out->config ? DSN(4, 2, 0) : trouble_code(j->err.sys_errno);
		(void)buf_printf(text, "cannot append to file: %s", j->err.text);
		break;
	}
	out->dsn = sv_z(dsn_format(dsn, code));
	out->text = buf_sv(text);
}

int postman_file(struct postman_session *s, struct ipc_frame *f, struct err *e)
{
	struct msg_postman_file m;
	struct buf text;
	char code[DSN_TEXT_MAX];
	int fd = ipc_take_fd(f, 0);
	int rc = msg_postman_file_decode(f->body, s->arena, &m, e);
	const char *path = rc == 1 ? arena_strdup(s->arena, m.path) : NULL;
	if (rc == 1 && (!path || fd < 0 || m.attempts == 0 || m.pause_ms < 0))
		rc = err_set(e, ERR_BUG, "bad request for a file");
	if (rc == 1) {
		struct append_job j = {
			.path = path,
			.rules = { .uid = getuid(), .size_limit = m.size_limit, .locks = m.locks,
				.attempts = m.attempts, .pause_ms = m.pause_ms, .stale_s = m.stale_s },
			.mail = { .head = m.head, .fd = fd, .offset = m.content_offset, .size = m.content_size,
				.key = { m.nonce, m.offset } },
		};
		struct msg_postman_written answer = { .status = DELIVER_DEFERRED };
		buf_init(&text, DELIVER_TEXT_MAX);
		fiber_offload(FIBER_POOL_DURABLE, append_run, &j);
		judge(&j, &answer, &text, code);
		rc = msg_postman_written_send(
		        s->conn, &answer, f->request_id, NULL, 0, fiber_deadline(SEND_MS), e);
		buf_free(&text);
	}
	sys_close(fd);
	return rc;
}
