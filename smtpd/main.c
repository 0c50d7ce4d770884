/* smtpd/main.c - process entry; the SMTP server itself is smtpd_session.c */
#include "lib/server/server.h"
#include "lib/sys/jail.h"
#include "smtpd/smtpd.h"

static const struct server_def smtpd = {
	.name = "smtpd",
	.client_limit = 100, /* sessions (fibers) a process */
	.arena_ceiling = 4 << 20,
	.jail = JAIL_ACCEPT | JAIL_PASS_FD, /* no exec, no file, no connect */
	.pre_jail = smtpd_pre_jail,
	.post_jail = smtpd_post_jail,
	.tickets = smtpd_tls_new_tickets,
	.serve = smtpd_serve,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &smtpd);
}
