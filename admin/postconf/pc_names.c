/*
 * admin/postconf/pc_names.c - which names of main.cf mean something.
 *
 * Built-in names come from the table. A service NAME of master.cf makes NAME_<suffix> known,
 * depending on its program. Any other name counts when a known parameter's value uses it as
 * $name, when smtpd_restriction_classes lists it, or when it belongs to a database table whose
 * settings stand in main.cf; and so on from the values of those.
 */
#include "admin/postconf/postconf.h"

#include <stdarg.h>

#include "lib/config/expand.h"

/* Names that a service's own -o options define, while that service is looked at. */
struct scope {
	const struct service *service;
	bool used[500]; /* by option index */
};

struct walk {
	struct pc *pc;
	struct scope *scope;
	bool from_file; /* the value comes from main.cf or master.cf: say when a name is missing */
	struct htab *missing;
};

static void scan_value(struct walk *w, struct sv value);

static bool is_transport_program(const char *command)
{
	static const char *const programs[] = { "pipe", "smtp", "lmtp", "local", "virtual",
						"error" };
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (strcmp(command, programs[i]) == 0)
			return true;
	return false;
}

static bool service_has(const struct service *s, const char *suffix)
{
	if (strcmp(suffix, "_time_limit") == 0)
		return strcmp(s->command, "pipe") == 0 || strcmp(s->command, "spawn") == 0;
	return is_transport_program(s->command);
}

static bool is_service_name(const struct pc *pc, struct sv name)
{
	const struct param_row *row = params_find_transport(name);
	if (!row)
		return false;
	struct sv transport = sv_upto(name, name.len - strlen(row->name));
	for (size_t i = 0; i < pc->master.count; i++)
		if (sv_eqz(transport, pc->master.services[i].name) &&
		    service_has(&pc->master.services[i], row->name))
			return true;
	return false;
}

unsigned pc_name_class(const struct pc *pc, struct sv name)
{
	if (params_find(name))
		return PC_BUILTIN;
	if (is_service_name(pc, name))
		return PC_SERVICE;
	return htab_get(&pc->user, name) ? PC_USER : 0;
}

static bool set_in_main(const struct pc *pc, struct sv name, struct sv *value)
{
	char z[CONFIG_NAME_MAX + 1];
	return sv_copyz(name, z, sizeof(z)) == 0 && config_get_set(pc->cfg, z, value);
}

/* The option of the service in scope that defines NAME, or -1. */
static ptrdiff_t local_option(const struct walk *w, struct sv name)
{
	if (!w->scope)
		return -1;
	const struct service *s = w->scope->service;
	for (size_t i = s->noptions; i-- > 0;)
		if (sv_eqz(name, s->options[i].name))
			return (ptrdiff_t)i;
	return -1;
}

static void use_name(struct walk *w, struct sv name)
{
	struct sv value;
	ptrdiff_t i = local_option(w, name);
	if (pc_name_class(w->pc, name) & (PC_BUILTIN | PC_SERVICE))
		return; /* its own value is scanned as that of a known name */
	if (i >= 0) {
		if (!w->scope->used[i]) {
			w->scope->used[i] = true;
			scan_value(w, sv_z(w->scope->service->options[i].value));
		}
		return;
	}
	if (set_in_main(w->pc, name, &value)) {
		if (!htab_get(&w->pc->user, name)) {
			htab_set(&w->pc->user, name, w->pc);
			struct walk main_cf = { .pc = w->pc, .from_file = true,
						.missing = w->missing };
			scan_value(&main_cf, value);
		}
		return;
	}
	if (w->from_file && !htab_get(w->missing, name)) {
		htab_set(w->missing, name, w->pc);
		pc_warn("%s/%s: undefined parameter: %.*s", w->pc->dir,
			w->scope ? "master.cf" : "main.cf", SV_ARG(name));
	}
}

static int on_name(void *arg, struct sv name, UNUSED struct sv *out, UNUSED struct err *e)
{
	use_name(arg, name);
	return 0;
}

static void on_database_name(void *arg, struct sv name)
{
	struct walk *w = arg;
	struct sv value;
	if (set_in_main(w->pc, name, &value))
		use_name(w, name);
}

/* One item of a list: type:name of a database whose settings are in main.cf, or in a file. */
static void scan_table(struct walk *w, struct sv item)
{
	while (sv_starts(item, SV("proxy:")))
		item = sv_from(item, 6);
	ptrdiff_t colon = sv_chr(item, ':');
	if (colon <= 0)
		return;
	struct sv type = sv_upto(item, (size_t)colon), name = sv_from(item, (size_t)colon + 1);
	if (name.len == 0 || !pc_database_type(type))
		return;
	if (name.p[0] != '/' && name.p[0] != '.') {
		pc_database_names(type, name, on_database_name, w);
		return;
	}
	char path[4096];
	if (sv_copyz(name, path, sizeof(path)) == 0 && access(path, R_OK) < 0)
		pc_warn("open \"%.*s\" configuration \"%s\": %m", SV_ARG(type), path);
}

static void scan_value(struct walk *w, struct sv value)
{
	struct expand x = { .lookup = on_name, .arg = w, .flags = EXPAND_SCAN };
	struct err e = ERR_INIT;
	struct buf none;
	buf_init(&none, 1);
	if (expand_text(&x, value, &none, &e) < 0)
		pc_warn("%s", e.text);
	buf_free(&none);
	struct sv rest = value;
	while (rest.len > 0) {
		size_t n = 0;
		while (n < rest.len && rest.p[n] != ',' && !ascii_is_blank(rest.p[n]))
			n++;
		scan_table(w, sv_upto(rest, n));
		rest = sv_from(rest, n + 1);
	}
}

static void use_classes(struct walk *w, struct sv list)
{
	while (list.len > 0) {
		size_t n = 0;
		while (n < list.len && list.p[n] != ',' && !ascii_is_blank(list.p[n]))
			n++;
		if (n > 0 && sv_chr(sv_upto(list, n), '$') < 0)
			use_name(w, sv_upto(list, n));
		list = sv_from(list, n + 1);
	}
}

/* A value that its reader expands with names of its own: $user is not a parameter there. */
bool pc_is_raw(const char *name)
{
	const struct param_row *row = params_find(sv_z(name));
	return row && row->type == PARAM_RAW;
}

static void scan_main_line(void *arg, const char *name, struct sv value, UNUSED unsigned line)
{
	struct walk *w = arg;
	if (!(pc_name_class(w->pc, sv_z(name)) & (PC_BUILTIN | PC_SERVICE)) || pc_is_raw(name))
		return;
	scan_value(w, value);
	if (strcmp(name, "smtpd_restriction_classes") == 0)
		use_classes(w, value);
}

static void scan_defaults(struct walk *w)
{
	size_t n;
	struct sv value;
	const struct param_row *rows = params_rows(&n);
	for (size_t i = 0; i < n; i++)
		if (rows[i].type != PARAM_RAW && strchr(rows[i].def, '$') &&
		    !config_get_set(w->pc->cfg, rows[i].name, &value))
			scan_value(w, sv_z(rows[i].def));
}

static void scan_service(struct pc *pc, const struct service *s, struct htab *missing)
{
	struct scope scope = { .service = s };
	struct walk w = { .pc = pc, .scope = &scope, .from_file = true, .missing = missing };
	for (size_t i = 0; i < s->noptions; i++)
		if (strcmp(s->options[i].name, "smtpd_restriction_classes") == 0)
			use_classes(&w, sv_z(s->options[i].value));
	for (size_t i = 0; i < s->noptions; i++) {
		const struct service_option *o = &s->options[i];
		if (!scope.used[i] && pc_name_class(pc, sv_z(o->name))) {
			scope.used[i] = true;
			if (!pc_is_raw(o->name))
				scan_value(&w, sv_z(o->value));
		}
	}
	for (size_t i = 0; i < s->noptions; i++)
		if (!scope.used[i])
			pc_warn("%s/master.cf: unused parameter: %s=%s", pc->dir,
				s->options[i].name, s->options[i].value);
}

static void warn_unused(void *arg, const char *name, struct sv value, unsigned line)
{
	struct pc *pc = arg;
	if (line > 0 && !pc_name_class(pc, sv_z(name)))
		pc_warn("%s/main.cf: unused parameter: %s=%.*s", pc->dir, name, SV_ARG(value));
}

void pc_names_analyse(struct pc *pc)
{
	struct htab missing;
	htab_init(&missing, (struct hash_seed){ 3, 4 });
	struct walk w = { .pc = pc, .from_file = true, .missing = &missing };
	config_each(pc->cfg, scan_main_line, &w);
	w.from_file = false;
	scan_defaults(&w);
	for (size_t i = 0; i < pc->master.count; i++)
		scan_service(pc, &pc->master.services[i], &missing);
	config_each(pc->cfg, warn_unused, pc);
	htab_free(&missing);
}

struct names {
	struct pc *pc;
	const char **v;
	size_t n, room;
};

static void add_name(struct names *l, const char *name)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 2048;
		l->v = mem_realloc(l->v, l->room * sizeof(*l->v));
	}
	l->v[l->n++] = name;
}

static void add_user(void *arg, const char *name, UNUSED struct sv value, UNUSED unsigned line)
{
	struct names *l = arg;
	if (pc_name_class(l->pc, sv_z(name)) == PC_USER)
		add_name(l, name);
}

static void add_service_names(struct names *l)
{
	size_t n;
	const struct param_row *rows = params_transport_rows(&n);
	struct mastercf *m = &l->pc->master;
	for (size_t s = 0; s < m->count; s++) {
		for (size_t i = 0; i < n; i++) {
			if (!service_has(&m->services[s], rows[i].name))
				continue;
			const char *z = arena_printf(&m->arena, "%s%s", m->services[s].name,
						     rows[i].name);
			if (z && !params_find(sv_z(z)))
				add_name(l, z);
		}
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **pc_names_all(struct pc *pc, size_t *count)
{
	struct names l = { .pc = pc };
	size_t n, kept = 0;
	const struct param_row *rows = params_rows(&n);
	for (size_t i = 0; (pc->classes & PC_BUILTIN) && i < n; i++)
		add_name(&l, rows[i].name);
	if (pc->classes & PC_SERVICE)
		add_service_names(&l);
	if (pc->classes & PC_USER)
		config_each(pc->cfg, add_user, &l);
	if (l.n > 0)
		qsort(l.v, l.n, sizeof(*l.v), by_text);
	/* a service that stands there twice gives its names once */
	for (size_t i = 0; i < l.n; i++)
		if (kept == 0 || strcmp(l.v[kept - 1], l.v[i]) != 0)
			l.v[kept++] = l.v[i];
	*count = kept;
	return l.v;
}
