/* admin/postconf/pc_master.c - print services of master.cf, their fields, their -o options. */
#include "admin/postconf/postconf.h"

static const char *const field_names[] = { "service", "type",   "private",       "unprivileged",
					   "chroot",  "wakeup", "process_limit", "command" };

/* The next slash-separated part of *Z against TEXT; "*" matches all, no more parts too. */
static bool part_matches(const char **z, const char *text)
{
	if (**z == '\0')
		return true;
	const char *end = strchrnul(*z, '/');
	struct sv part = sv_n(*z, (size_t)(end - *z));
	*z = *end ? end + 1 : end;
	return sv_eqz(part, "*") || sv_eqz(part, text);
}

bool pc_service_matches(const char *pattern, const struct service *s, const char **rest)
{
	const char *z = pattern;
	if (!part_matches(&z, s->name) || !part_matches(&z, service_type_name(s->type)))
		return false;
	*rest = z;
	return true;
}

/* Call FN for each service that any of the patterns names, with what the pattern says after it. */
static void each(struct pc *pc, char *const *patterns, int count,
		 void (*fn)(struct pc *, const struct service *, const char *rest))
{
	for (int p = 0; p < (count ? count : 1); p++) {
		const char *pattern = count ? patterns[p] : "*/*";
		bool found = false;
		for (size_t i = 0; i < pc->master.count; i++) {
			const char *rest;
			if (!pc_service_matches(pattern, &pc->master.services[i], &rest))
				continue;
			found = true;
			fn(pc, &pc->master.services[i], rest);
		}
		if (!found && count)
			pc_warn("unmatched request: \"%s\"", pattern);
	}
}

static void show_service(struct pc *pc, const struct service *s, UNUSED const char *rest)
{
	struct buf line;
	buf_init(&line, CONFIG_VALUE_MAX);
	if (mastercf_format(s, pc->fold, &line) < 0)
		pc_fatal("%s: the service is too long", s->name);
	puts(buf_z(&line));
	buf_free(&line);
}

void pc_show_services(struct pc *pc, char *const *patterns, int count)
{
	each(pc, patterns, count, show_service);
}

/* The command field is the rest of the line: what stands from the eighth column on. */
static void put_command(const struct service *s, struct buf *out)
{
	struct service bare = *s;
	size_t start;
	bare.raw_argc = 0;
	if (mastercf_format(&bare, false, out) < 0)
		pc_fatal("%s: the service is too long", s->name);
	start = out->len - strlen(s->command);
	buf_reset(out);
	if (mastercf_format(s, false, out) < 0)
		pc_fatal("%s: the service is too long", s->name);
	buf_consume(out, start);
}

static void show_field(struct pc *pc, const struct service *s, const char *want)
{
	char name[CONFIG_NAME_MAX + 64];
	struct buf command;
	buf_init(&command, CONFIG_VALUE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(field_names); i++) {
		const char *value = i < ARRAY_LEN(s->field) ? s->field[i] : NULL;
		if (*want && strcmp(want, "*") != 0 && strcmp(want, field_names[i]) != 0)
			continue;
		if (!value) {
			put_command(s, &command);
			value = buf_z(&command);
		}
		snprintf(name, sizeof(name), "%s/%s/%s", s->name, service_type_name(s->type),
			 field_names[i]);
		pc_print(pc, name, sv_z(value));
	}
	buf_free(&command);
}

void pc_show_fields(struct pc *pc, char *const *patterns, int count)
{
	each(pc, patterns, count, show_field);
}

static int by_option(const void *a, const void *b)
{
	const struct service_option *x = *(const struct service_option *const *)a;
	const struct service_option *y = *(const struct service_option *const *)b;
	int c = strcmp(x->name, y->name);
	return c ? c : (x > y) - (x < y);
}

static void print_option(struct pc *pc, const struct service *s, const struct service_option *o)
{
	char name[2 * CONFIG_NAME_MAX];
	struct err e = ERR_INIT;
	struct buf value;
	buf_init(&value, CONFIG_VALUE_MAX);
	if (!pc->expand)
		buf_puts(&value, o->value);
	else if (config_expand(pc->cfg, sv_z(o->value), &value, &e) < 0)
		pc_fatal("%s/master.cf, line %u: %s", pc->dir, s->line, e.text);
	snprintf(name, sizeof(name), "%s/%s/%s", s->name, service_type_name(s->type), o->name);
	pc_print(pc, name, buf_sv(&value));
	buf_free(&value);
}

static void show_options(struct pc *pc, const struct service *s, const char *want)
{
	const struct service_option **sorted =
		mem_array(s->noptions + 1, sizeof(const struct service_option *));
	for (size_t i = 0; i < s->noptions; i++)
		sorted[i] = &s->options[i];
	qsort(sorted, s->noptions, sizeof(*sorted), by_option);
	for (size_t i = 0; i < s->noptions; i++) {
		/* of several with one name the last one counts */
		if (i + 1 < s->noptions && strcmp(sorted[i]->name, sorted[i + 1]->name) == 0)
			continue;
		if (!*want || strcmp(want, "*") == 0 || strcmp(want, sorted[i]->name) == 0)
			print_option(pc, s, sorted[i]);
	}
	free(sorted);
}

void pc_show_options(struct pc *pc, char *const *patterns, int count)
{
	each(pc, patterns, count, show_options);
}
