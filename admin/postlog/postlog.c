/* postlog: lines for the mail log from scripts. Options as in Postfix's postlog(1). */
#include <getopt.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/config/config.h"
#include "lib/config/params.h"
#include "lib/sys/log.h"
#include "lib/sys/log_line.h"

#define EX_OK    0
#define EX_USAGE 64
#define EX_UNAVAILABLE 69

struct options {
	const char *config_dir, *tag, *prefix;
	bool connected, terminal;
};

static const struct {
	const char *name, *prefix;
} priorities[] = {
	{ "info", "" },        { "warn", "warning: " },   { "warning", "warning: " }, { "error", "error: " },
	{ "fatal", "fatal: " }, { "panic", "panic: " },
};

static int set_priority(struct options *o, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(priorities); i++) {
		if (strcmp(priorities[i].name, name) == 0) {
			o->prefix = priorities[i].prefix;
			return 0;
		}
	}
	fprintf(stderr, "postlog: unknown priority: %s (info, warn, error, fatal, panic)\n", name);
	return -1;
}

static int usage(void)
{
	fprintf(stderr, "usage: postlog [-iv] [-c config_dir] [-p priority] [-t tag] [text ...]\n");
	return EX_USAGE;
}

static int parse(struct options *o, int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "c:ip:t:v")) != -1;) {
		switch (c) {
		case 'c':
			o->config_dir = optarg;
			break;
		case 'i': /* the process id is always there */
			break;
		case 'p':
			if (set_priority(o, optarg) < 0)
				return -1;
			break;
		case 't':
			o->tag = optarg;
			break;
		case 'v':
			log_set_verbose(log_verbose() + 1);
			break;
		default:
			return -1;
		}
	}
	return 0;
}

/* 0; -1: it could not be logged. */
static int line(const struct options *o, struct sv text)
{
	int rc = o->connected ? log_line_as(o->tag, o->prefix, text) : -1;
	if (o->terminal || rc < 0) {
		char *z = mem_svdup(sv_upto(text, LOG_LINE_MAX));
		log_line_clean(z, strlen(z));
		fprintf(stderr, "%s: %s%s\n", o->tag, o->prefix, z);
		free(z);
	}
	return rc;
}

static int from_stdin(const struct options *o)
{
	char *p = NULL;
	size_t cap = 0;
	int rc = 0;
	for (ssize_t n; (n = getline(&p, &cap, stdin)) >= 0;) {
		struct sv text = sv_trim_right(sv_n(p, (size_t)n));
		if (!sv_empty(text) && line(o, text) < 0)
			rc = -1;
	}
	free(p);
	return rc;
}

static int from_words(const struct options *o, char **words)
{
	struct buf b;
	buf_init(&b, 65536);
	for (; *words; words++)
		buf_printf(&b, "%s%s", b.len ? " " : "", *words);
	int rc = line(o, buf_sv(&b));
	buf_free(&b);
	return rc;
}

int main(int argc, char **argv)
{
	struct options o = { .prefix = "" };
	struct params_core core;
	struct err e = ERR_INIT;
	if (parse(&o, argc, argv) < 0)
		return usage();
	struct config *cfg = config_open(o.config_dir, &e);
	if (!cfg || params_core_load(cfg, &core, &e) < 0) {
		fprintf(stderr, "postlog: %s\n", e.text);
		return 78;
	}
	char tag[128];
	snprintf(tag, sizeof(tag), "%s/postlog", core.syslog_name);
	log_init(tag);
	if (!o.tag)
		o.tag = tag;
	o.terminal = isatty(STDERR_FILENO);
	o.connected = log_connect(core.queue_directory) == 0;
	int rc = optind < argc ? from_words(&o, argv + optind) : from_stdin(&o);
	config_free(cfg);
	return rc < 0 ? EX_UNAVAILABLE : EX_OK;
}
