/* The request "file": deliver_file(). */
#include <unistd.h>

#include "lib/deliver/deliver_file.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/sys.h"
#include "postman/postman.h"

#define SEND_MS 30000

int postman_file(struct postman_session *s, struct ipc_frame *f, struct err *e)
{
	struct msg_postman_file m;
	char code[DSN_TEXT_MAX];
	int fd = ipc_take_fd(f, 0);
	int rc = msg_postman_file_decode(f->body, s->arena, &m, e);
	const char *path = rc == 1 ? arena_strdup(s->arena, m.path) : NULL;
	if (rc == 1 && (!path || fd < 0 || m.attempts == 0 || m.pause_ms < 0))
		rc = err_set(e, ERR_BUG, "bad request for a file");
	if (rc == 1) {
		const struct deliver_file file = { .path = path,
			.rules = { .uid = getuid(), .size_limit = m.size_limit, .locks = m.locks,
				.attempts = m.attempts, .pause_ms = m.pause_ms, .stale_s = m.stale_s,
				.spool = s->postman->uses_spool ? &s->postman->spool : NULL },
			.limit_name = m.limit_name };
		const struct mbox_mail mail = { .head = m.head, .fd = fd, .offset = m.content_offset,
			.size = m.content_size, .key = { m.nonce, m.offset } };
		struct deliver_outcome o;
		bool config = deliver_file(&file, &mail, &o);
		struct msg_postman_written answer = { .status = o.status,
			.dsn = sv_z(dsn_format(o.dsn, code)), .text = sv_z(o.text), .config = config };
		rc = msg_postman_written_send(
		        s->conn, &answer, f->request_id, NULL, 0, fiber_deadline(SEND_MS), e);
	}
	sys_close(fd);
	return rc;
}
