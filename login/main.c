/* login/main.c - process entry; the dialogues are login_pop3.c and login_imap.c */
#include <string.h>

#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/server/server.h"
#include "lib/sys/jail.h"
#include "lib/sys/log.h"
#include "login/login.h"

#define AUTH_CONNECTIONS 64

struct login_state {
	struct login login;
	const char *protocol; /* login_protocol; "": by the service's name */
};

static int post_jail(struct server *s, struct err *e)
{
	struct login_state *st = mem_alloc(sizeof(*st));
	struct params_login p;

	if (params_login_load(server_config(s), &p, e) < 0)
		return -1;
	log_set_tag(p.login_syslog_name);
	st->protocol = p.login_protocol;
	if (st->protocol[0] && strcmp(st->protocol, "pop3") != 0 &&
	        strcmp(st->protocol, "imap") != 0)
		return err_set(
		        e, ERR_CONFIG, "login_protocol = %s: must be pop3 or imap", st->protocol);
	st->login.set = (struct login_settings){
		.greeting = p.login_greeting,
		.timeout_ms = p.login_timeout * 1000,
		.max_errors = (unsigned)p.login_error_limit,
		.max_attempts = (unsigned)p.login_attempt_limit,
	};
	st->login.auth = server_pool(s, "auth", AUTH_CONNECTIONS);
	server_set_state(s, st);
	return 0;
}

static void serve(struct server_conn *c)
{
	const struct login_state *st = c->state;
	const char *name = st->protocol[0] ? st->protocol : c->service;

	/* "pop3", "127.0.0.1:pop3" */
	if (sv_ends(sv_z(name), SV("pop3"))) {
		login_serve_fd(&st->login, LOGIN_POP3, c->fd, c);
	} else if (sv_ends(sv_z(name), SV("imap"))) {
		login_serve_fd(&st->login, LOGIN_IMAP, c->fd, c);
	} else {
		log_error("service %s in master.cf: the name tells neither pop3 nor imap: add "
		          "-o login_protocol=pop3 or imap",
		        c->service);
		fiber_close(c->fd);
	}
}

static const struct server_def login = {
	.name = "login",
	.client_limit = 1000,
	.arena_ceiling = 64 * 1024,
	.jail = JAIL_ACCEPT | JAIL_PASS_FD,
	.post_jail = post_jail,
	.serve = serve,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &login);
}
