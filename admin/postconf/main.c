/* admin/postconf/main.c - show and change main.cf and master.cf, as postconf(1) of Postfix. */
#include "admin/postconf/postconf.h"

#include <getopt.h>
#include <stdarg.h>

#include "lib/map/map.h"

static void PRINTF_LIKE(2, 0) say(const char *level, const char *fmt, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "postconf: %s: ", level);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void pc_warn(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("warning", fmt, ap);
	va_end(ap);
}

void pc_fatal(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("fatal", fmt, ap);
	va_end(ap);
	exit(1);
}

static NORETURN void usage(void)
{
	fputs("usage: postconf [-dfhHnopvx] [-c dir] [-C class] [-o name=value] [name...]\n"
	      "       postconf -e [-c dir] name=value...\n"
	      "       postconf -X | -# [-c dir] name...\n"
	      "       postconf -M | -F | -P [-efox] [-c dir] [service[/type[/name]][=value]...]\n"
	      "       postconf -M | -P -X, -M -# [-c dir] service/type[/name]...\n"
	      "       postconf -b | -t [-c dir] [template_file]\n"
	      "       postconf -l | -m | -a | -A\n",
	      stderr);
	exit(1);
}

void pc_open(struct pc *pc)
{
	struct err e = ERR_INIT;
	pc->cfg = pc->defaults ? config_open_empty(pc->dir) : config_open(pc->dir, &e);
	if (!pc->cfg)
		pc_fatal("%s", e.text);
	config_show_foreign(pc->cfg, true);
	for (size_t i = 0; i < pc->noverrides; i++)
		if (config_override_arg(pc->cfg, pc->overrides[i], &e) < 0)
			pc_fatal("%s", e.text);
	const char *w;
	for (size_t i = 0; (w = config_warning(pc->cfg, i)) != NULL; i++)
		pc_warn("%s", w);
}

void pc_open_master(struct pc *pc, bool must)
{
	struct err e = ERR_INIT;
	struct buf text, path;
	buf_init(&path, 4096);
	buf_printf(&path, "%s/master.cf", pc->dir);
	if (!must && access(buf_z(&path), F_OK) < 0) {
		buf_free(&path);
		return;
	}
	buf_init(&text, CONFIG_FILE_MAX);
	pc_read_file(pc->dir, "master.cf", &text);
	if (mastercf_parse_loose(buf_sv(&text), buf_z(&path), &pc->master, &e) < 0)
		pc_fatal("%s", e.text);
	pc->have_master = true;
	buf_free(&text);
	buf_free(&path);
}

static void show_map_types(void)
{
	const char *name;
	for (size_t i = 0; (name = map_type_name(i)) != NULL; i++)
		puts(name);
}

static unsigned parse_classes(const char *text)
{
	static const struct {
		const char *name;
		unsigned bit;
	} classes[] = { { "builtin", PC_BUILTIN }, { "service", PC_SERVICE }, { "user", PC_USER },
			{ "all", PC_ALL } };
	unsigned out = 0;
	struct sv rest = sv_z(text);
	while (rest.len > 0) {
		struct sv word = sv_trim(sv_take_until(&rest, ','));
		size_t i = 0;
		while (i < ARRAY_LEN(classes) && !sv_ieqz(word, classes[i].name))
			i++;
		if (i == ARRAY_LEN(classes))
			pc_fatal("-C %s: not builtin, service, user or all", text);
		out |= classes[i].bit;
	}
	return out;
}

struct cli {
	bool edit, remove, comment;
	char view;    /* M, F, P or 0 */
	char listing; /* l, m, a, A, b, t or 0 */
};

static void parse_options(struct pc *pc, struct cli *cli, int argc, char **argv)
{
	int c;
	while ((c = getopt(argc, argv, "aAbc:C:deEfFhHlmMno:pPtvxX#")) != -1) {
		switch (c) {
		case 'a': case 'A': case 'b': case 'l': case 'm': case 't': cli->listing = (char)c; break;
		case 'c': pc->dir = optarg; break;
		case 'C': pc->classes = parse_classes(optarg); break;
		case 'd': pc->defaults = true; break;
		case 'e': cli->edit = true; break;
		case 'f': pc->fold = true; break;
		case 'F': case 'M': case 'P': cli->view = (char)c; break;
		case 'h': pc->no_name = true; break;
		case 'H': pc->no_value = true; break;
		case 'n': pc->set_only = true; break;
		case 'o':
			if (pc->noverrides == ARRAY_LEN(pc->overrides))
				pc_fatal("too many -o options");
			pc->overrides[pc->noverrides++] = optarg;
			break;
		case 'p': case 'v': break; /* main.cf is what is shown anyway; nothing to trace */
		case 'x': pc->expand = true; break;
		case 'X': cli->remove = true; break;
		case '#': cli->comment = true; break;
		default: usage();
		}
	}
	if (cli->edit + cli->remove + cli->comment > 1 || (pc->defaults && pc->set_only) ||
	    ((cli->edit || cli->remove || cli->comment) && (pc->defaults || pc->set_only)))
		usage();
}

static bool any_assignment(char *const *args, int n)
{
	for (int i = 0; i < n; i++)
		if (strchr(args[i], '='))
			return true;
	return false;
}

static void run(struct pc *pc, struct cli *cli, char *const *args, int n)
{
	/* name=value without -e is an edit too */
	if (any_assignment(args, n) && !cli->remove && !cli->comment)
		cli->edit = true;
	if (cli->edit || cli->remove || cli->comment) {
		enum pc_edit what = cli->edit     ? PC_EDIT_SET
				    : cli->remove ? PC_EDIT_REMOVE
						  : PC_EDIT_COMMENT;
		if (n == 0)
			usage();
		if (!cli->view) {
			pc_edit_main(pc, what, args, n);
			return;
		}
		pc_edit_master(pc,
			       cli->view == 'M'   ? PC_MASTER_SERVICE
			       : cli->view == 'F' ? PC_MASTER_FIELD
						  : PC_MASTER_OPTION,
			       what, args, n);
		return;
	}
	pc_open(pc);
	pc_open_master(pc, cli->view != 0);
	switch (cli->view) {
	case 'M': pc_show_services(pc, args, n); break;
	case 'F': pc_show_fields(pc, args, n); break;
	case 'P': pc_show_options(pc, args, n); break;
	default:
		pc_names_analyse(pc);
		pc_show(pc, args, n);
		return;
	}
	pc_names_analyse(pc);
}

int main(int argc, char **argv)
{
	struct pc pc = { .dir = config_dir_default(), .classes = PC_ALL };
	struct cli cli = { .edit = false };
	htab_init(&pc.user, (struct hash_seed){ 1, 2 });
	parse_options(&pc, &cli, argc, argv);
	switch (cli.listing) {
	case 'l': puts("fcntl\ndotlock"); break;
	case 'm': show_map_types(); break;
	case 'a': case 'A': break; /* SASL plug-ins: none, merpati's own auth service decides */
	case 'b': case 't':
		if (argc - optind > 1)
			usage();
		pc_show_bounce(&pc, argv[optind], cli.listing == 'b');
		break;
	default: run(&pc, &cli, argv + optind, argc - optind);
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		pc_fatal("cannot write the output");
	htab_free(&pc.user);
	mastercf_free(&pc.master);
	config_free(pc.cfg);
	return 0;
}
