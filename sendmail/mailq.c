/* sendmail/mailq.c - mailq is `postqueue -p`. */
#include <errno.h>
#include <sysexits.h>

#include "lib/config/params.h"

int main(UNUSED int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct params_core core;
	char path[4096];
	struct config *cfg = config_open(NULL, &e);
	if (!cfg || params_core_load(cfg, &core, &e) < 0) {
		fprintf(stderr, "mailq: fatal: %s\n", e.text);
		return EX_CONFIG;
	}
	snprintf(path, sizeof(path), "%s/postqueue", core.command_directory);
	execl(path, "postqueue", "-p", (char *)NULL);
	fprintf(stderr, "%s: fatal: cannot run %s: %s\n", argv[0], path, strerror(errno));
	return EX_OSFILE;
}
