/* smtp and lmtp: mail for other hosts. One program with two names; see README. */
#include "lib/sys/jail.h"
#include "smtp/smtpc_process.h"

/* Talks to strangers' servers: it opens no file, reaches no socket of this machine by itself. */
#define CAGE (JAIL_ACCEPT | JAIL_PASS_FD | JAIL_INET)

int main(int argc, char **argv)
{
	static const struct server_def smtp = {
		.name = "smtp",
		.client_limit = 100,
		.jail = CAGE,
		.pre_jail = smtpc_pre_jail_smtp,
		.post_jail = smtpc_post_jail,
		.serve = smtpc_serve,
	};
	static const struct server_def lmtp = {
		.name = "lmtp",
		.client_limit = 100,
		.jail = CAGE,
		.pre_jail = smtpc_pre_jail_lmtp,
		.post_jail = smtpc_post_jail,
		.serve = smtpc_serve,
	};
	return server_main(argc, argv, argc > 0 && sv_ends(sv_z(argv[0]), SV("lmtp")) ? &lmtp : &smtp);
}
