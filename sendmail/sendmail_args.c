/* sendmail/sendmail_args.c - the options of sendmail(1) as Postfix takes them: done, or known and ignored. */
#include "sendmail/sendmail.h"

#include <getopt.h>

#include "lib/mail/dsn.h"
#include "lib/queue/drop_file.h"

static void set_mode(struct sm_options *o, enum sm_mode mode)
{
	o->mode = mode;
}

static void option_b(struct sm_options *o, const char *arg)
{
	switch (*arg) {
	case 'm': set_mode(o, SM_MAIL); break;
	case 'p': set_mode(o, SM_MAILQ); break;
	case 'i': set_mode(o, SM_NEWALIASES); break;
	case 's': set_mode(o, SM_SMTP); break;
	case 'v':
		set_mode(o, SM_MAIL);
		o->trace = DROP_TRACE_VERIFY;
		break;
	case 'd': case 'l': set_mode(o, SM_DAEMON); break;
	case 'h': case 'H': set_mode(o, SM_IGNORE); break;
	default: sm_fatal(EX_USAGE, "unsupported: -b%c", *arg);
	}
}

static void option_o(struct sm_options *o, const char *arg)
{
	switch (*arg) {
	case 'i': o->dot_ends = false; break;
	case 'A':
		if (!arg[1])
			sm_fatal(EX_USAGE, "-oA requires a pathname");
		o->alias_db = arg + 1;
		break;
	default: break; /* -o7, -o8, -om and the rest: without a meaning here */
	}
}

static void option_q(struct sm_options *o, const char *arg)
{
	if (*arg == 'R') {
		if (!arg[1])
			sm_fatal(EX_USAGE, "specify: -qRsitename");
		o->flush_site = arg + 1;
		set_mode(o, SM_FLUSH);
	} else if (*arg == 'I') {
		if (!arg[1])
			sm_fatal(EX_USAGE, "specify: -qIqueueid");
		o->flush_id = arg + 1;
		set_mode(o, SM_FLUSH);
	} else if (*arg == 'S') {
		sm_fatal(EX_USAGE, "-qS is not an option here; for the mail of one destination: -qRsitename");
	} else if (!ascii_is_digit(*arg)) {
		sm_fatal(EX_USAGE, "-q%c is not an option here; specify -q, -qRsitename or -qIqueueid", *arg);
	}
	/* -q30m: how often a daemon looks into the queue is a matter of main.cf */
}

static void option_notify(struct sm_options *o, const char *arg)
{
	if (dsn_notify_parse(sv_z(arg), &o->notify) != 1)
		sm_fatal(EX_USAGE, "bad -N option value -- specify delay, failure, success, or never");
}

static void option_ret(struct sm_options *o, const char *arg)
{
	enum dsn_ret ret;
	if (dsn_ret_parse(sv_z(arg), &ret) != 1)
		sm_fatal(EX_USAGE, "bad -R option value -- specify full or hdrs");
	o->ret = ret;
}

static void option_body(struct sm_options *o, const char *arg)
{
	if (sv_ieqz(sv_z(arg), "7BIT"))
		o->body_type = "7BIT";
	else if (sv_ieqz(sv_z(arg), "8BITMIME"))
		o->body_type = "8BITMIME";
	else
		sm_fatal(EX_USAGE, "bad -B option value -- specify 7BIT or 8BITMIME");
}

static void option_envid(struct sm_options *o, const char *arg)
{
	struct sv id = sv_z(arg);
	if (id.len == 0 || id.len > DSN_ENVID_MAX || !sv_is_print(id))
		sm_fatal(EX_USAGE, "bad -V option value -- specify 1 to %d printable characters",
			DSN_ENVID_MAX);
	o->envid = arg;
}

static void usage(const char *name)
{
	sm_fatal(EX_USAGE, "usage: %s [options]", name);
}

/* "-q" alone, which getopt would take as an option without its value. */
static bool bare_flush(struct sm_options *o, int argc, char **argv)
{
	if (optind >= argc || strcmp(argv[optind], "-q") != 0)
		return false;
	set_mode(o, SM_FLUSH);
	optind++;
	return true;
}

static void one_option(struct sm_options *o, int c, const char *name)
{
	switch (c) {
	case 'A': case 'G': case 'L': case 'O': case 'U': case 'X': case 'c': case 'e': case 'h': case 'm':
	case 'n': case 'p': case 'x': break; /* known, and without a meaning here */
	case 'B': option_body(o, optarg); break;
	case 'C': o->config_dir = optarg; break;
	case 'F': o->full_name = optarg; break;
	case 'I': set_mode(o, SM_NEWALIASES); break;
	case 'N': option_notify(o, optarg); break;
	case 'R': option_ret(o, optarg); break;
	case 'V': option_envid(o, optarg); break;
	case 'b': option_b(o, optarg); break;
	case 'f': case 'r': o->sender = optarg; break;
	case 'i': o->dot_ends = false; break;
	case 'o': option_o(o, optarg); break;
	case 'q': option_q(o, optarg); break;
	case 't': o->extract = true; break;
	case 'v':
		if (o->trace == 0)
			o->trace = DROP_TRACE_REPORT;
		break;
	default: usage(name);
	}
}

void sm_args(int argc, char **argv, struct sm_options *o)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	*o = (struct sm_options){ .mode = SM_MAIL, .dot_ends = true };
	if (strcmp(name, "mailq") == 0)
		o->mode = SM_MAILQ;
	else if (strcmp(name, "newaliases") == 0)
		o->mode = SM_NEWALIASES;
	opterr = 0;
	for (;;) {
		if (bare_flush(o, argc, argv))
			continue;
		int c = getopt(argc, argv, "+A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx");
		if (c < 0)
			break;
		one_option(o, c, name);
	}
	o->first_arg = optind;
}
