/*
 * A daemon for the tests of lib/server: serves frames, one verb a frame in rewrite.rewrite's context field.
 * "echo" answers, "dial NAME" asks NAME the same through server_dial(), "read PATH" and "exec" try the jail,
 * "work" takes as long as the test wants, "stubborn" does not end when it is cancelled, "idle" marks the
 * connection idle.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/ipc/msg.h"
#include "lib/fiber/fiber.h"
#include "lib/server/server.h"
#include "lib/sys/jail.h"
#include "lib/sys/log.h"

static void do_dial(struct server *s, struct sv name, struct buf *answer)
{
	struct err e = ERR_INIT;
	char service[64];
	int fd = sv_copyz(name, service, sizeof(service)) < 0 ?
			 -1 :
			 server_dial(s, service, fiber_deadline(5000), &e);
	if (fd < 0)
		buf_printf(answer, "failed: %s", e.text);
	else
		buf_puts(answer, write(fd, "hello", 5) == 5 ? "dialled" : "not writable");
	fiber_close(fd);
}

static void do_read(struct sv name, struct buf *answer)
{
	char path[256];
	int fd = sv_copyz(name, path, sizeof(path)) < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	buf_puts(answer, fd >= 0 ? "open" : strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void act(struct server_conn *c, struct sv verb, struct buf *answer)
{
	struct sv rest = verb;
	struct sv word = sv_take_word(&rest);
	if (sv_eqz(word, "dial")) {
		do_dial(c->server, rest, answer);
	} else if (sv_eqz(word, "read")) {
		do_read(rest, answer);
	} else if (sv_eqz(word, "exec")) {
		char *argv[] = { NULL };
		execv("/bin/true", argv);
		buf_puts(answer, "alive");
	} else if (sv_eqz(word, "work")) {
		buf_puts(answer, fiber_sleep(60000) == 1 ? "slept" : "cancelled");
	} else if (sv_eqz(word, "stubborn")) {
		(void)fiber_shield(true);
		buf_puts(answer, fiber_sleep(60000) == 1 ? "slept" : "cancelled");
	} else if (sv_eqz(word, "idle")) {
		server_conn_idle(c, true);
		buf_puts(answer, "idle");
	} else {
		buf_printf(answer, "%s %s %s %.*s", c->service, c->listener, (const char *)c->state,
			SV_ARG(verb));
	}
}

static void serve(struct server_conn *c)
{
	struct ipc_conn *conn = ipc_conn_new(c->fd);
	struct ipc_frame f;
	struct err e = ERR_INIT;
	struct buf answer;
	buf_init(&answer, 65536);
	while (!server_is_stopping(c->server) && ipc_recv(conn, &f, FIBER_FOREVER, &e) == 1) {
		struct msg_rewrite_rewrite q;
		if (msg_rewrite_rewrite_from(&f, c->arena, &q, &e) < 0) {
			log_warn("echo: %s", e.text);
			break;
		}
		buf_reset(&answer);
		act(c, q.context, &answer);
		struct msg_rewrite_rewritten a = { .ok = true, .error = buf_sv(&answer) };
		if (msg_rewrite_rewritten_send(conn, &a, f.request_id, NULL, 0, fiber_deadline(1000), &e) < 0)
			break;
	}
	buf_free(&answer);
	ipc_conn_free(conn);
}

static int paths(struct server *s, struct err *e)
{
	(void)e;
	return server_allow_read(s, "allowed");
}

static int pre_jail(struct server *s, struct err *e)
{
	static char state[] = "state";
	(void)e;
	server_set_state(s, state);
	return 0;
}

static void stopping(struct server *s)
{
	log_info("stopping: service=%s", server_service(s));
}

int main(int argc, char **argv)
{
	struct server_def def = {
		.name = "echo",
		.client_limit = 3,
		.jail = JAIL_ACCEPT | JAIL_READ_FILES | JAIL_UNIX,
		.rights = getenv("MERPATI_LISTEN") && strstr(getenv("MERPATI_LISTEN"), "net:") ? "login" : "local",
		.paths = paths,
		.pre_jail = pre_jail,
		.serve = serve,
		.stopping = stopping,
	};
	return server_main(argc, argv, &def);
}
