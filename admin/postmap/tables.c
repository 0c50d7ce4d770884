#include "admin/postmap/tables.h"

#include <stdarg.h>
#include <unistd.h>

#include "lib/sys/log.h"


static void PRINTF_LIKE(3, 0) say(const struct tables *t, const char *level, const char *fmt,
				   va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s: ", t->program, level);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void tables_warn(const struct tables *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(t, "warning", fmt, ap);
	va_end(ap);
}

void tables_fatal(const struct tables *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(t, "fatal", fmt, ap);
	va_end(ap);
	exit(1);
}

void tables_open_config(struct tables *t)
{
	struct err e = ERR_INIT;
	t->cfg = config_open(t->dir, &e);
	if (!t->cfg)
		tables_fatal(t, "%s", e.text);
}

char *tables_spec(const struct tables *t, const char *name)
{
	struct err e = ERR_INIT;
	struct buf spec;
	if (strchr(name, ':'))
		return mem_strdup(name);
	const char *type = config_str(t->cfg, "default_database_type", &e);
	if (!type)
		tables_fatal(t, "%s", e.text);
	buf_init(&spec, 8192);
	if (buf_printf(&spec, "%s:%s", type, name) < 0)
		tables_fatal(t, "%.100s...: the name is too long", name);
	return buf_steal(&spec);
}

static struct map *open_map(const struct tables *t, const char *name)
{
	char *spec = tables_spec(t, name);
	struct map *m = map_open(spec, t->opt.no_fold ? MAP_NO_FOLD : 0);
	free(spec);
	return m;
}

/* "key<TAB>value", as it stands in a source. */
static void print_pair(const struct tables *t, struct sv key, struct sv value)
{
	printf("%.*s%s\t%.*s\n", SV_ARG(key), t->aliases ? ":" : "", SV_ARG(value));
}

/* 1, 0, or the end when the table fails: "not found" would be a lie. */
static int find(const struct tables *t, struct map *const *maps, int n, struct sv key,
		struct buf *value)
{
	struct err e = ERR_INIT;
	for (int i = 0; i < n; i++) {
		int rc = map_lookup(maps[i], key, value, &e);
		if (rc < 0)
			tables_fatal(t, "%s", e.text);
		if (rc == 1)
			return 1;
	}
	return 0;
}

/* Every line of standard input is a key. */
static bool query_stdin(const struct tables *t, struct map *const *maps, int n)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	bool any = false;
	struct buf value;
	buf_init(&value, MAP_VALUE_MAX);
	while ((len = getline(&line, &room, stdin)) >= 0) {
		struct sv key = sv_n(line, (size_t)len);
		while (key.len > 0 && (key.p[key.len - 1] == '\n' || key.p[key.len - 1] == '\r'))
			key.len--;
		buf_reset(&value);
		if (find(t, maps, n, key, &value) == 1) {
			print_pair(t, key, buf_sv(&value));
			any = true;
		}
	}
	free(line);
	buf_free(&value);
	return any;
}

static int query(const struct tables *t, char *const *names, int n)
{
	struct map **maps = mem_array((size_t)n, sizeof(struct map *));
	struct buf value;
	bool found;
	for (int i = 0; i < n; i++)
		maps[i] = open_map(t, names[i]);
	buf_init(&value, MAP_VALUE_MAX);
	if (strcmp(t->query, "-") == 0) {
		found = query_stdin(t, maps, n);
	} else {
		found = find(t, maps, n, sv_z(t->query), &value) == 1;
		if (found)
			printf("%.*s\n", SV_ARG(buf_sv(&value)));
	}
	for (int i = 0; i < n; i++)
		map_free(maps[i]);
	buf_free(&value);
	free(maps);
	return found ? 0 : 1;
}

static int print_each(void *arg, struct sv key, struct sv value)
{
	print_pair(arg, key, value);
	return 0;
}

static int show(struct tables *t, char *const *names, int n)
{
	struct err e = ERR_INIT;
	for (int i = 0; i < n; i++) {
		struct map *m = open_map(t, names[i]);
		if (map_each(m, print_each, t, &e) < 0)
			tables_fatal(t, "%s", e.text);
		map_free(m);
	}
	return 0;
}

static bool delete_keys(const struct tables *t, struct mapfile *f)
{
	struct err e = ERR_INIT;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int rc = 0, any = 0;
	if (strcmp(t->remove, "-") != 0) {
		rc = any = mapfile_del(f, sv_z(t->remove), &e);
	} else {
		while (rc >= 0 && (len = getline(&line, &room, stdin)) >= 0) {
			rc = mapfile_del(f, sv_trim_right(sv_n(line, (size_t)len)), &e);
			any |= rc == 1;
		}
		free(line);
	}
	if (rc < 0) {
		mapfile_abort(f);
		tables_fatal(t, "%s", e.text);
	}
	return any;
}

static int delete(struct tables *t, char *const *names, int n)
{
	struct err e = ERR_INIT;
	bool any = false;
	t->opt.keep_old = true;
	t->opt.no_source = true;
	for (int i = 0; i < n; i++) {
		struct mapfile *f;
		char *spec = tables_spec(t, names[i]);
		struct map *now = map_open(spec, 0);
		/* deleting from a table that is not there must not make one */
		if (map_check(now, &e) < 0 || mapfile_begin(spec, &t->opt, &f, &e) < 0)
			tables_fatal(t, "%s", e.text);
		if (delete_keys(t, f)) {
			any = true;
			if (mapfile_commit(f, &e) < 0)
				tables_fatal(t, "%s", e.text);
		} else {
			mapfile_abort(f);
		}
		map_free(now);
		free(spec);
	}
	return any ? 0 : 1;
}

static NORETURN void usage(const struct tables *t)
{
	tables_fatal(t, "usage: %s [-%sfinNoprsuUvw] [-c config_dir] [-d key] [-q key] "
			"[map_type:]file...", t->program, t->aliases ? "" : "F");
}

static void parse_options(struct tables *t, int argc, char **argv)
{
	int c;
	while ((c = getopt(argc, argv, t->aliases ? "c:d:finNopq:rsuUvw"
						  : "c:d:fFinNopq:rsuUvw")) != -1) {
		switch (c) {
		case 'c': t->dir = optarg; break;
		case 'd': t->remove = optarg; break;
		case 'f': t->opt.no_fold = true; break;
		case 'F': t->values_are_files = true; break;
		case 'i': t->add = true; break;
		case 'n': t->opt.null_terminated = -1; break;
		case 'N': t->opt.null_terminated = 1; break;
		case 'o': t->opt.root_owned = true; break;
		case 'p': t->opt.default_mode = true; break;
		case 'q': t->query = optarg; break;
		case 'r': t->dup = MAPFILE_DUP_REPLACE; break;
		case 's': t->show = true; break;
		case 'u': case 'U': case 'v': break; /* UTF-8 is stored as it is */
		case 'w': t->dup = MAPFILE_DUP_IGNORE; break;
		default: usage(t);
		}
	}
	if ((t->query != NULL) + (t->remove != NULL) + t->show > 1)
		tables_fatal(t, "specify only one of -s or -q or -d");
	if (argc == optind)
		usage(t);
}

int tables_main(struct tables *t, int argc, char **argv)
{
	int status = 0;
	log_init(t->program);
	parse_options(t, argc, argv);
	tables_open_config(t);
	if (t->query)
		status = query(t, argv + optind, argc - optind);
	else if (t->remove)
		status = delete(t, argv + optind, argc - optind);
	else if (t->show)
		status = show(t, argv + optind, argc - optind);
	else
		for (int i = optind; i < argc; i++) {
			char *spec = tables_spec(t, argv[i]);
			tables_build(t, spec);
			free(spec);
		}
	config_free(t->cfg);
	if (fflush(stdout) != 0 || ferror(stdout))
		tables_fatal(t, "cannot write the output");
	return status;
}
