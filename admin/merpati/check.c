#include <errno.h>
#include <stdarg.h>

#include "admin/merpati/check.h"
#include "lib/config/bouncecf.h"
#include "lib/config/mastercf.h"
#include "lib/config/notify_classes.h"

void check_finding(struct check *c, bool wrong, const char *fmt, ...)
{
	va_list ap;
	fputs(wrong ? "error: " : "warning: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	if (wrong)
		c->wrong++;
	else
		c->doubtful++;
}

/* --- parameters ----------------------------------------------------------------------------------
 */

static void check_sections(struct check *c)
{
	struct err e = ERR_INIT;
#define X(s)                                                   \
	do {                                                   \
		struct params_##s p;                           \
		if (params_##s##_load(c->in->cfg, &p, &e) < 0) \
			check_finding(c, true, "%s", e.text);  \
	} while (0);
	CONFIG_SECTIONS(X)
#undef X
}

static void check_name(void *arg, const char *name, struct sv value, unsigned line)
{
	struct check *c = arg;
	const struct param_row *row = params_find(sv_z(name));
	if (!row)
		row = params_find_transport(sv_z(name));
	(void)value;
	if (row && row->state == PARAM_KNOWN)
		check_finding(c, false,
		        "%s/main.cf, line %u: %s is known but has no effect in this "
		        "version",
		        c->in->dir, line, name);
}

static void check_parameters(struct check *c)
{
	const char *w;
	check_sections(c);
	config_each(c->in->cfg, check_name, c);
	for (size_t i = 0; (w = config_warning(c->in->cfg, i)); i++)
		check_finding(c, false, "%s", w);
}

static void bad_template(void *arg, const char *text)
{
	check_finding(arg, false, "%s", text);
}

static void check_notify_classes(struct check *c)
{
	struct err e = ERR_INIT;
	unsigned classes;
	if (notify_classes_parse(c->in->core.notify_classes, &classes, &e) < 0)
		check_finding(c, true, "%s: %s", config_where(c->in->cfg, "notify_classes"), e.text);
}

static void check_templates(struct check *c)
{
	struct bouncecf b;
	struct err e = ERR_INIT;
	if (bouncecf_open(&b, c->in->cfg, NULL, bad_template, c, &e) < 0)
		check_finding(c, false, "bounce_template_file: %s; the built-in templates are used", e.text);
	bouncecf_expand(&b, c->in->cfg, bad_template, c);
	bouncecf_free(&b);
}

/* --- services
 * -------------------------------------------------------------------------------------- */

static void check_service(struct check *c, const struct mastercf *m, const struct service *s)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", c->in->core.daemon_directory, s->command);
	if (access(path, X_OK) < 0)
		check_finding(c, true, "%s, line %u: service %s: %s: %s", m->file, s->line, s->name,
		        path, strerror(errno));
	for (size_t i = 0; i < s->noptions; i++) {
		struct sv name = sv_z(s->options[i].name);
		if (!params_find(name) && !params_find_transport(name))
			check_finding(c, false, "%s, line %u: service %s: -o %s: no such parameter",
			        m->file, s->line, s->name, s->options[i].name);
	}
	if (s->type == SERVICE_PASS)
		check_finding(c, true, "%s, line %u: services of type pass do not exist here",
		        m->file, s->line);
}

static void check_services(struct check *c)
{
	struct mastercf m;
	struct err e = ERR_INIT;
	if (mastercf_open(c->in->dir, &m, &e) < 0) {
		check_finding(c, true, "%s", e.text);
		return;
	}
	for (size_t i = 0; i < m.count; i++)
		check_service(c, &m, &m.services[i]);
	mastercf_free(&m);
}

int run_check(struct instance *in, struct err *e)
{
	struct check c = { .in = in, .owner = in->uid };
	check_parameters(&c);
	check_notify_classes(&c);
	check_templates(&c);
	check_maps(&c);
	check_services(&c);
	check_tls(&c);
	check_files(&c);
	if (c.wrong)
		return err_set(
		        e, ERR_CONFIG, "%s: %u errors, %u warnings", in->dir, c.wrong, c.doubtful);
	printf("%s: no errors, %u warnings\n", in->dir, c.doubtful);
	return 0;
}
