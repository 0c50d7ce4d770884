/* auth-pam/main.c - process entry; requests are answered in pam_serve.c */
#include "auth-pam/pam.h"
#include "lib/sys/jail.h"

static const struct server_def auth_pam = {
	.name = "auth-pam",
	.client_limit = 1,
	.arena_ceiling = 64 * 1024,
	.jail = JAIL_EXEC, /* PAM's modules are the admin's: they read files, ask servers, start helpers */
	.pre_jail = pam_pre_jail,
	.serve = pam_serve,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &auth_pam);
}
