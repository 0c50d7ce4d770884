/* admin/merpati/main.c - merpati(1): arguments and the table of verbs. */
#include <signal.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "admin/merpati/merpati.h"
#include "lib/base/num.h"

static const char usage_text[] =
        "usage: merpati init DIR --domain DOMAIN [--ports BASE] [--owner USER]\n"
        "       merpati [-c DIR] init --system [--domain DOMAIN]\n"
        "       merpati [-c DIR] start | stop | reload | status | check | flush | foreground\n"
        "       merpati [-c DIR] trace QUEUEID | MESSAGE-ID | ADDRESS\n"
        "       merpati [-c DIR] user add NAME | user del NAME | user passwd NAME | user list\n"
        "DIR is the folder with main.cf (default: $MAIL_CONFIG, else /etc/merpati).\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	return EX_USAGE;
}

static int exit_code(const struct err *e)
{
	switch (e->cls) {
	case ERR_CONFIG: return EX_CONFIG;
	case ERR_PERM: return e->sys_errno ? EX_NOPERM : EX_DATAERR;
	case ERR_TEMP: return EX_TEMPFAIL;
	default: return EX_SOFTWARE;
	}
}

static int finish(int rc, const struct err *e)
{
	if (fflush(stdout) != 0) {
		fputs("merpati: cannot write to standard output\n", stderr);
		return EX_IOERR;
	}
	if (rc >= 0)
		return EX_OK;
	fprintf(stderr, "merpati: %s\n", e->text);
	return exit_code(e);
}

static int main_init(const char *dir, int argc, char **argv)
{
	struct init_options o = { .dir = dir, .ports = 10000 };
	struct err e = ERR_INIT;
	bool system = argc > 0 && strcmp(argv[0], "--system") == 0;
	if (system) {
		bool domain = argc == 3 && strcmp(argv[1], "--domain") == 0;
		if (argc != 1 && !domain)
			return usage();
		o = (struct init_options){ .dir = dir ? dir : config_dir_default(),
			.domain = domain ? argv[2] : NULL };
		return finish(init_system(&o, &e), &e);
	}
	for (int i = 0; i < argc; i++) {
		uint32_t n;
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "--domain") == 0 && value) {
			o.domain = argv[++i];
		} else if (strcmp(argv[i], "--owner") == 0 && value) {
			o.owner = argv[++i];
		} else if (strcmp(argv[i], "--ports") == 0 && value) {
			if (num_u32(sv_z(argv[++i]), &n) < 0 || n > 64000) {
				fprintf(stderr,
				        "merpati: --ports %s: give a number from 0 to 64000\n",
				        argv[i]);
				return EX_USAGE;
			}
			o.ports = n;
		} else if (argv[i][0] != '-' && !o.dir) {
			o.dir = argv[i];
		} else {
			return usage();
		}
	}
	if (!o.dir || !o.domain)
		return usage();
	return finish(init_instance(&o, &e), &e);
}

static int main_user(const char *dir, int argc, char **argv)
{
	static const struct {
		const char *verb;
		int (*run)(struct instance *in, const char *name, struct err *e);
	} verbs[] = { { "add", user_add }, { "del", user_del }, { "passwd", user_passwd } };
	struct instance in;
	struct err e = ERR_INIT;
	if (argc == 1 && strcmp(argv[0], "list") == 0) {
		int rc = instance_open(dir, &in, &e);
		if (rc == 0)
			rc = user_list(&in, &e);
		instance_close(&in);
		return finish(rc, &e);
	}
	for (size_t i = 0; argc == 2 && i < ARRAY_LEN(verbs); i++) {
		if (strcmp(argv[0], verbs[i].verb) != 0)
			continue;
		int rc = instance_open(dir, &in, &e);
		if (rc == 0)
			rc = verbs[i].run(&in, argv[1], &e);
		instance_close(&in);
		return finish(rc, &e);
	}
	return usage();
}

static int main_trace(const char *dir, int argc, char **argv)
{
	struct instance in;
	struct err e = ERR_INIT;
	if (argc != 1)
		return usage();
	int rc = instance_open(dir, &in, &e);
	if (rc == 0)
		rc = run_trace(&in, argv[0], &e);
	instance_close(&in);
	return finish(rc, &e);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *verb;
		int (*open)(const char *dir, struct instance *out, struct err *e);
		int (*run)(struct instance *in, struct err *e);
	} verbs[] = {
		{ "start", instance_open, run_start },
		{ "foreground", instance_open, run_foreground },
		{ "stop", instance_open, run_stop },
		{ "reload", instance_open, run_reload },
		{ "status", instance_open, run_status },
		{ "flush", instance_open, run_flush },
		{ "check", instance_open, run_check },
	};
	const char *dir = NULL;
	int opt;
	umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
	while ((opt = getopt(argc, argv, "+c:")) != -1) {
		if (opt != 'c')
			return usage();
		dir = optarg;
	}
	argc -= optind;
	argv += optind;
	if (argc < 1)
		return usage();
	if (strcmp(argv[0], "init") == 0)
		return main_init(dir, argc - 1, argv + 1);
	if (strcmp(argv[0], "trace") == 0)
		return main_trace(dir, argc - 1, argv + 1);
	if (strcmp(argv[0], "user") == 0)
		return main_user(dir, argc - 1, argv + 1);
	for (size_t i = 0; argc == 1 && i < ARRAY_LEN(verbs); i++) {
		if (strcmp(argv[0], verbs[i].verb) != 0)
			continue;
		struct instance in;
		struct err e = ERR_INIT;
		int rc = verbs[i].open(dir, &in, &e);
		if (rc == 0)
			rc = verbs[i].run(&in, &e);
		instance_close(&in);
		return finish(rc, &e);
	}
	return usage();
}
