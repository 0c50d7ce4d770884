/* One connection: a welcome, then requests and answers until the other side closes it. */
#include <unistd.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "postman/postman.h"

#define SEND_MS     30000
#define IDLE_MS     60000       /* between two requests */
#define REQUEST_MAX (8u << 20)  /* arena of one request */

static int welcome(struct postman_session *s, struct err *e)
{
	struct msg_postman_welcome m = { .uid = getuid(), .gid = getgid() };
	return msg_postman_welcome_send(s->conn, &m, 0, NULL, 0, fiber_deadline(SEND_MS), e);
}

/* What was begun is finished and told, though this process shall stop; a command hears of the stop. */
static int dispatch(struct postman_session *s, struct ipc_frame *f, struct err *e)
{
	if (f->protocol == MSG_postman_PROTOCOL)
		switch (f->type) {
		case MSG_postman_command: return postman_command(s, f, e);
		case MSG_postman_file: return postman_file(s, f, e);
		case MSG_postman_read: return postman_read(s, f, e);
		case MSG_postman_mailbox: return postman_mailbox(s, f, e);
		default: break;
		}
	return err_set(e, ERR_PERM, "message type %u of protocol %u is not for this socket", f->type,
	        f->protocol);
}

void postman_serve(void *postman, const struct clnt_auth_session *what)
{
	struct arena a;
	struct postman_session s = { .postman = postman, .conn = ipc_conn_new(what->fd), .arena = &a };
	struct ipc_frame f;
	struct err e = ERR_INIT;

	arena_init(&a, REQUEST_MAX);
	int rc = welcome(&s, &e);
	while (rc >= 0 && (rc = ipc_recv(s.conn, &f, fiber_deadline(IDLE_MS), &e)) == 1) {
		bool before = fiber_shield(f.type != MSG_postman_command);
		rc = dispatch(&s, &f, &e);
		fiber_shield(before);
		arena_reset(&a);
	}
	if (rc < 0 && !fiber_cancelled())
		log_warn("%.*s: connection closed: %s", SV_ARG(what->session), e.text);
	ipc_conn_free(s.conn);
	arena_free(&a);
}
