/* sendmail/sendmail.c - process entry; modes of operation. Options: sendmail_args.c. */
#include "sendmail/sendmail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>

#include "lib/mail/addr.h"
#include "lib/queue/drop_file.h"
#include "lib/sys/fault.h"
#include "lib/sys/log.h"

void sm_fatal(int code, const char *fmt, ...)
{
	va_list ap;
	fputs("sendmail: fatal: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(code);
}

/* Become COMMAND_DIRECTORY/name with these arguments. */
static void run(const struct params_core *core, const char *name, const char *const *args)
{
	char path[4096];
	const char *argv[16] = { name };
	size_t n = 1;
	while (*args && n + 1 < ARRAY_LEN(argv))
		argv[n++] = *args++;
	argv[n] = NULL;
	snprintf(path, sizeof(path), "%s/%s", core->command_directory, name);
	execv(path, (char *const *)argv);
	sm_fatal(EX_OSFILE, "cannot run %s: %s", path, strerror(errno));
}

static void flush_queue(const struct params_core *core, const struct sm_options *o)
{
	if (o->flush_site)
		run(core, "postqueue", (const char *const[]){ "-s", o->flush_site, NULL });
	else if (o->flush_id)
		run(core, "postqueue", (const char *const[]){ "-i", o->flush_id, NULL });
	else
		run(core, "postqueue", (const char *const[]){ "-f", NULL });
}

static void new_aliases(const struct params_core *core, const struct sm_options *o)
{
	const char *args[16] = { NULL };
	size_t n = 0;
	char *list = mem_strdup(o->alias_db ? o->alias_db : core->alias_database), *save = NULL;
	for (char *w = strtok_r(list, ", \t\r\n", &save); w && n + 1 < ARRAY_LEN(args);
		w = strtok_r(NULL, ", \t\r\n", &save))
		args[n++] = w;
	if (n == 0)
		exit(EX_OK); /* no alias database: nothing to build */
	run(core, "postalias", args);
}

/* -bv: nothing is read; the mail says what it is for. */
static void probe_content(struct sm_mail *m)
{
	struct buf *b = &m->content;
	if (m->sender.len > 0) {
		buf_puts(b, "From: ");
		addr_quote(b, m->sender);
		buf_putc(b, '\n');
	}
	buf_puts(b, "Subject: probe\nTo:");
	for (size_t i = 0; i < m->rcpts.n; i++) {
		buf_puts(b, i ? ",\n\t" : " ");
		addr_quote(b, m->rcpts.v[i].address);
	}
	buf_puts(b, "\n\n");
}

static void mail(const struct params_core *core, const struct params_sendmail *p, const struct sm_options *o,
	int argc, char **argv)
{
	struct arena a;
	struct err e = ERR_INIT;
	struct buf reply;
	struct sm_mail m = { .notify = o->notify, .ret = o->ret, .trace = o->trace,
		.envid = sv_z(o->envid), .body_type = sv_z(o->body_type) };
	bool probe = o->trace == DROP_TRACE_VERIFY;
	arena_init(&a, (size_t)1 << 30);
	buf_init(&m.content, (size_t)1 << 31);
	buf_init(&reply, 4096);
	m.sender = o->sender ? sm_sender(&a, o->sender) : sm_login(&a);
	m.full_name = sm_full_name(&a, o->full_name);
	for (int i = o->first_arg; i < argc; i++)
		sm_add_addrs(&a, &m.rcpts, sv_z(argv[i]));
	if (probe && o->extract)
		sm_fatal(EX_USAGE, "-t option cannot be used with -bv");
	if (!o->extract && m.rcpts.n == 0)
		sm_fatal(EX_USAGE,
			"Recipient addresses must be specified on the command line or via the -t option");
	if (probe)
		probe_content(&m);
	else
		sm_read(&m.content, o->dot_ends, p->sendmail_fix_line_endings, core->message_size_limit);
	if (o->extract)
		sm_extract(&a, &m.rcpts, buf_sv(&m.content));
	if (m.rcpts.n == 0)
		sm_fatal(EX_USAGE, "No recipient addresses found in message header");
	int rc = sm_submit(core, &m, &reply, &e);
	if (rc != 0)
		sm_fatal(rc, "%s", e.text);
	if (probe)
		printf("Mail Delivery Status Report will be mailed to <%.*s>.\n", SV_ARG(m.sender));
	exit(EX_OK);
}

/* -C names a directory or its main.cf. */
static void choose_config(const char *path)
{
	char dir[4096];
	const char *base = strrchr(path, '/');
	if (base && strcmp(base, "/main.cf") == 0)
		snprintf(dir, sizeof(dir), "%.*s", (int)(base - path), path);
	else
		snprintf(dir, sizeof(dir), "%s", path);
	if (setenv("MAIL_CONFIG", dir, 1) < 0)
		sm_fatal(EX_OSERR, "cannot set MAIL_CONFIG: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct sm_options o;
	struct err e = ERR_INIT;
	struct params_core core;
	struct params_sendmail p;
	/* a closed standard descriptor would become the next file that is opened */
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return EX_OSERR;
	if (argc < 1)
		return EX_USAGE;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	log_init("merpati/sendmail");
#ifdef MERPATI_FAULTS
	if (fault_sites_asked(argc, argv))
		return EX_OK;
#endif
	sm_args(argc, argv, &o);
	if (o.config_dir)
		choose_config(o.config_dir);
	struct config *cfg = config_open(NULL, &e);
	if (!cfg || params_core_load(cfg, &core, &e) < 0 || params_sendmail_load(cfg, &p, &e) < 0)
		sm_fatal(EX_CONFIG, "%s", e.text);
	log_connect(core.queue_directory);
	int rc = EX_OK;
	switch (o.mode) {
	case SM_MAIL: mail(&core, &p, &o, argc, argv); break;
	case SM_SMTP: rc = sm_smtp(&core); break;
	case SM_MAILQ: run(&core, "postqueue", (const char *const[]){ "-p", NULL }); break;
	case SM_NEWALIASES: new_aliases(&core, &o); break;
	case SM_DAEMON:
		run(&core, "merpati", (const char *const[]){ "-c", config_dir(cfg), "start", NULL });
		break;
	case SM_FLUSH: flush_queue(&core, &o); break;
	case SM_IGNORE: break;
	}
	config_free(cfg);
	return rc;
}
