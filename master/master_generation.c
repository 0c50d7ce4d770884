#include <errno.h>
#include <sys/stat.h>

#include "lib/config/environ.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "master/master.h"

/*
 * A reload is a new generation:
 *
 *   read      main.cf, master.cf, every parameter that master itself uses      nothing has changed
 * yet sockets   new ones are bound, those with the same name and address stay    nothing has
 * changed yet install   old processes are told to accept no more and to finish; sockets now belong
 * to the services of the new generation; what nobody wants any more is closed expire reload_grace
 * later old processes end; the fourth generation ends the first at once
 *
 * An error in the first two steps leaves the old generation in service.
 */

static int service_program(struct generation *g, struct msvc *svc, struct err *e)
{
	const char *command = svc->cf->command;
	if (strchr(command, '/') || command[0] == '.' || command[0] == '\0')
		return err_set(e, ERR_CONFIG,
		        "%s, line %u: the program of service %s must be a name "
		        "in daemon_directory, not \"%s\"",
		        g->cf.file, svc->cf->line, svc->cf->name, command);
	svc->program = arena_printf(&g->cf.arena, "%s/%s", g->core.daemon_directory, command);
	if (!svc->program)
		return err_set(e, ERR_CONFIG, "%s is too large", g->cf.file);
	if (access(svc->program, X_OK) < 0)
		return err_set(e, ERR_CONFIG, "%s, line %u: service %s: cannot execute %s: %s",
		        g->cf.file, svc->cf->line, svc->cf->name, svc->program, strerror(errno));
	return 0;
}

static unsigned keep_count(const struct master *m, const struct msvc *svc, unsigned keep)
{
	if (keep == KEEP_CORES)
		keep = m->cores;
	return svc->maxproc && keep > svc->maxproc ? svc->maxproc : keep;
}

static int service_init(struct master *m, struct generation *g, struct msvc *svc,
        const struct service *cf, struct err *e)
{
	svc->gen = g;
	svc->cf = cf;
	list_init(&svc->children);
	svc->facts = table_program(cf->command);
	if (cf->type == SERVICE_PASS)
		return err_set(e, ERR_CONFIG,
		        "%s, line %u: services of type pass do not exist here: "
		        "remove or comment out %s",
		        g->cf.file, cf->line, cf->name);
	svc->maxproc = cf->maxproc == SERVICE_DEFAULT ? (unsigned)g->core.default_process_limit
	                                              : (unsigned)cf->maxproc;
	svc->keep = keep_count(m, svc, svc->facts->keep);
	svc->keep_free = keep_count(m, svc, svc->facts->keep_free);
	svc->exclusive = svc->maxproc == 1 && cf->type != SERVICE_INET;
	int64_t now = clock_mono_ms();
	if (cf->wakeup > 0) {
		svc->wakeup_ms = now + (int64_t)cf->wakeup * 1000;
		if (!cf->wakeup_if_used && svc->keep == 0)
			svc->keep = 1;
	}
	return service_program(g, svc, e);
}

/* A value that a service would stumble over: better known before it is started. */
static int check_options(const struct generation *g, const struct service *cf, struct err *e)
{
	struct buf value;
	int rc = 0;
	buf_init(&value, CONFIG_VALUE_MAX);
	for (size_t i = 0; rc == 0 && i < cf->noptions; i++) {
		const struct param_row *row = params_find(sv_z(cf->options[i].name));
		long num;
		buf_reset(&value);
		if (!row || row->state != PARAM_IMPLEMENTED || row->type == PARAM_RAW)
			continue;
		if (config_expand(g->cfg, sv_z(cf->options[i].value), &value, e) < 0 ||
		        params_parse(row, buf_z(&value), &num, e) < 0)
			rc = err_prefix(e, "%s, line %u: service %s: -o %s", g->cf.file, cf->line,
			        cf->name, row->name);
	}
	buf_free(&value);
	return rc;
}

static int ignore_variable(void *arg, struct sv name, struct sv value)
{
	(void)arg;
	(void)name;
	(void)value;
	return 0;
}

static int check_environment(const struct config *cfg, const char *parameter, struct err *e)
{
	const char *list = config_str(cfg, parameter, e);
	if (!list)
		return -1;
	return environ_each(list, environ_own, ignore_variable, NULL, e) < 0 ? err_prefix(e, "%s", parameter)
	                                                                     : 0;
}

/* All sections, not only what master itself reads: a reload that passed may not end in throttled
 * services. */
static int check_parameters(const struct config *cfg, struct err *e)
{
#define X(s)                                           \
	do {                                           \
		struct params_##s p;                   \
		if (params_##s##_load(cfg, &p, e) < 0) \
			return -1;                     \
	} while (0);
	CONFIG_SECTIONS(X)
#undef X
	return check_environment(cfg, "import_environment", e) < 0
	               ? -1
	               : check_environment(cfg, "export_environment", e);
}

/* Beside smtp, its siblings (submission, submissions) start when somebody calls them. */
static bool has_elder(const struct generation *g, size_t i)
{
	const struct service *cf = &g->cf.services[i];
	for (size_t j = 0; j < i && cf->type == SERVICE_INET; j++)
		if (g->cf.services[j].type == SERVICE_INET && strcmp(g->cf.services[j].command, cf->command) == 0)
			return true;
	return false;
}

static int read_services(struct master *m, struct generation *g, struct err *e)
{
	if (g->cf.count > SERVICES_MAX)
		return err_set(
		        e, ERR_CONFIG, "%s has more than %d services", g->cf.file, SERVICES_MAX);
	if (g->cf.count == 0)
		return err_set(e, ERR_CONFIG, "%s names no service", g->cf.file);
	g->services = mem_array(g->cf.count, sizeof *g->services);
	for (size_t i = 0; i < g->cf.count; i++) {
		const struct service *cf = &g->cf.services[i];
		for (size_t j = 0; j < i; j++)
			if (strcmp(g->cf.services[j].name, cf->name) == 0 &&
			        (g->cf.services[j].type == SERVICE_INET) ==
			                (cf->type == SERVICE_INET))
				return err_set(e, ERR_CONFIG,
				        "%s, line %u: service %s stands in line %u "
				        "already",
				        g->cf.file, cf->line, cf->name, g->cf.services[j].line);
		if (check_options(g, cf, e) < 0 || service_init(m, g, &g->services[i], cf, e) < 0)
			return -1;
		if (has_elder(g, i))
			g->services[i].keep = 0;
		g->count++;
	}
	return 0;
}

int generation_read(struct master *m, struct generation **out, struct err *e)
{
	struct generation *g = mem_alloc(sizeof *g);
	g->number = m->next_number;
	snprintf(g->number_z, sizeof g->number_z, "%u", g->number);
	g->cfg = config_open(m->config_dir, e);
	bool have_cf = false;
	if (!g->cfg || params_core_load(g->cfg, &g->core, e) < 0 ||
	        params_master_load(g->cfg, &g->params, e) < 0 ||
	        params_tls_load(g->cfg, &g->tls, e) < 0 || check_parameters(g->cfg, e) < 0)
		goto fail;
	if (mastercf_open(m->config_dir, &g->cf, e) < 0)
		goto fail;
	have_cf = true;
	if (read_services(m, g, e) < 0)
		goto fail;
	*out = g;
	return 0;
fail:
	if (have_cf)
		mastercf_free(&g->cf);
	config_free(g->cfg);
	free(g->services);
	free(g);
	return -1;
}

void generation_free(struct generation *g)
{
	mastercf_free(&g->cf);
	config_free(g->cfg);
	free(g->services);
	free(g);
}

static void log_warnings(const struct generation *g)
{
	const char *w;
	for (size_t i = 0; (w = config_warning(g->cfg, i)); i++)
		log_warn("%s", w);
}

/* Tell the processes of G to accept no more and to finish. */
static void generation_retire(struct generation *g, int64_t now)
{
	g->retired_ms = now;
	g->end_ms = now + (int64_t)g->params.reload_grace * 1000;
	for (size_t i = 0; i < g->count; i++) {
		LIST_FOREACH (n, &g->services[i].children) {
			struct child *c = CONTAINER_OF(n, struct child, link);
			int64_t grace = g->services[i].facts->lasting ? 0 : g->end_ms - now;
			child_stop(c, "reload", now, grace);
		}
	}
}

/* End what still runs of G now: the limit on generations was reached, or its grace is over. */
static void generation_end(struct generation *g, int64_t now)
{
	g->end_ms = now;
	for (size_t i = 0; i < g->count; i++) {
		if (g->services[i].facts->lasting)
			continue;
		LIST_FOREACH (n, &g->services[i].children) {
			struct child *c = CONTAINER_OF(n, struct child, link);
			if (!c->kill_ms || c->kill_ms > now)
				c->kill_ms = now;
		}
	}
}

/* Before a new one is added: of those that were not told to end yet, keep the youngest two. */
static void limit_generations(struct master *m, int64_t now)
{
	size_t living = 0;
	LIST_FOREACH (n, &m->generations) {
		struct generation *g = CONTAINER_OF(n, struct generation, link);
		living += g->retired_ms == 0 || g->end_ms > now;
	}
	LIST_FOREACH (n, &m->generations) {
		struct generation *g = CONTAINER_OF(n, struct generation, link);
		if (living < GENERATIONS_MAX)
			break;
		if (g->end_ms <= now)
			continue;
		generation_end(g, now);
		living--;
	}
}

int generation_install(struct master *m, struct generation *g, struct err *e)
{
	struct list fresh;
	list_init(&fresh);
	for (size_t i = 0; i < g->count; i++) {
		if (sockets_make(m, &g->services[i], &fresh, e) == 0)
			continue;
		for (struct list_node *n; (n = list_pop(&fresh));)
			sock_free(CONTAINER_OF(n, struct msock, link));
		return -1;
	}
	int64_t now = clock_mono_ms();
	struct generation *old = m->current;
	if (old)
		generation_retire(old, now);
	limit_generations(m, now);
	sockets_adopt(m, g, &fresh);
	list_push(&m->generations, &g->link);
	m->current = g;
	m->next_number++;
	log_warnings(g);
	if (sockets_write_ports(m, e) < 0)
		log_error("%s", e->text); /* the ports are open; only their list is old */
	struct err le = ERR_INIT;
	if (sockets_open_log(m, g, &le) < 0)
		log_error("the log service cannot be reached: %s", le.text);
	return 0;
}

void generation_reload(struct master *m)
{
	struct generation *g;
	struct err e = ERR_INIT;
	m->want_reload = false;
	m->reload_err = (struct err)ERR_INIT;
	if (m->stopping) {
		err_set(&m->reload_err, ERR_TEMP, "the system is stopping");
	} else if (generation_read(m, &g, &e) < 0) {
		m->reload_err = e;
	} else if (strcmp(g->core.queue_directory, m->current->core.queue_directory) != 0) {
		err_set(&m->reload_err, ERR_CONFIG,
		        "queue_directory has changed: stop and start instead");
		generation_free(g);
	} else if (generation_install(m, g, &e) < 0) {
		m->reload_err = e;
		generation_free(g);
	}
	if (m->reload_err.cls == ERR_NONE)
		log_info("reload: generation=%u, services=%zu", m->current->number,
		        m->current->count);
	else
		log_error("reload refused, the configuration read before stays in service: %s",
		        m->reload_err.text);
	fiber_event_set(m->reloaded);
}

void generation_expire(struct master *m, int64_t now, int64_t *next)
{
	LIST_FOREACH_SAFE (n, &m->generations) {
		struct generation *g = CONTAINER_OF(n, struct generation, link);
		if (g->children == 0 && g != m->current) {
			list_remove(&m->generations, &g->link);
			log_info("generation %u has ended", g->number);
			generation_free(g);
			continue;
		}
		children_kill_late(m, g, now, next);
	}
}
