/* The request "read": a .forward or :include: file, for local to understand. */
#include <unistd.h>

#include "lib/deliver/text_file.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/sys.h"
#include "postman/postman.h"

#define SEND_MS   30000
#define PATHS_MAX 16
#define TEXT_MAX  (64u << 20)
#define PIECE     (256 * 1024)

struct read_job {
	struct text_file what;
	struct buf text;
	size_t which;
	int fd, rc;
	struct err err;
};

static void read_run(void *rec)
{
	struct read_job *j = rec;
	j->rc = text_file_read(&j->what, &j->text, &j->which, &j->fd, &j->err);
}

static int send_pieces(struct postman_session *s, const struct read_job *j, uint32_t request_id, struct err *e)
{
	struct sv rest = buf_sv(&j->text);
	bool first = true;
	int rc;
	do {
		struct msg_postman_text m = { .status = 1, .which = (uint32_t)j->which, .piece = sv_upto(rest, PIECE) };
		rest = sv_from(rest, m.piece.len);
		m.last = sv_empty(rest);
		rc = msg_postman_text_send(
		        s->conn, &m, request_id, &j->fd, first ? 1 : 0, fiber_deadline(SEND_MS), e);
		first = false;
	} while (rc >= 0 && !sv_empty(rest));
	return rc;
}

static int answer(struct postman_session *s, const struct read_job *j, uint32_t request_id, struct err *e)
{
	if (j->rc == 1)
		return send_pieces(s, j, request_id, e);
	struct msg_postman_text m = { .status = j->rc == 0 ? 0 : 2, .last = true, .error = sv_z(j->err.text),
		.config = j->err.cls == ERR_CONFIG };
	return msg_postman_text_send(s->conn, &m, request_id, NULL, 0, fiber_deadline(SEND_MS), e);
}

int postman_read(struct postman_session *s, struct ipc_frame *f, struct err *e)
{
	struct msg_postman_read m;
	const char *paths[PATHS_MAX];
	if (msg_postman_read_decode(f->body, s->arena, &m, e) < 0)
		return -1;
	if (m.paths.n > PATHS_MAX || m.max > TEXT_MAX || m.rule > TEXT_FILE_INCLUDE)
		return err_set(e, ERR_BUG, "bad request for a file");
	for (size_t i = 0; i < m.paths.n; i++)
		if (!(paths[i] = arena_strdup(s->arena, m.paths.v[i])))
			return err_set(e, ERR_TEMP, "out of memory for names of files");
	struct read_job j = { .what = { .paths = paths, .n = m.paths.n, .rule = (enum text_file_rule)m.rule,
				      .uid = getuid(), .max = (size_t)m.max }, .fd = -1 };
	buf_init(&j.text, (size_t)m.max + 2 * 65536);
	fiber_offload(FIBER_POOL_LOOKUP, read_run, &j);
	int rc = answer(s, &j, f->request_id, e);
	buf_free(&j.text);
	sys_close(j.fd);
	return rc;
}
