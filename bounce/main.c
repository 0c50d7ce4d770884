/* bounce, defer, trace: logs of what happened to recipients, and notifications. See README. */
#include "bounce/bounce.h"
#include "lib/sys/jail.h"
#include "lib/sys/log.h"

static void warn(void *arg, const char *text)
{
	(void)arg;
	log_warn("%s", text);
}

/* A report with the built-in text is better than none: trouble with the file is only told. */
static void read_templates(struct bounce *b, const struct config *cfg)
{
	struct err e = ERR_INIT;
	if (bouncecf_open(&b->templates, cfg, NULL, warn, NULL, &e) < 0)
		log_warn("bounce_template_file: %s; the built-in templates are used", e.text);
	bouncecf_expand(&b->templates, cfg, warn, NULL);
}

static int pre_jail(struct server *s, struct err *e)
{
	struct bounce *b = mem_alloc(sizeof(*b));
	struct config *cfg = server_config(s);
	server_set_state(s, b);
	if (params_core_load(cfg, &b->core, e) < 0 || params_bounce_load(cfg, &b->p, e) < 0 ||
	        config_time(cfg, "maximal_queue_lifetime", 'd', &b->queue_lifetime, e) < 0)
		return -1;
	if (notify_classes_parse(b->core.notify_classes, &b->notify_classes, e) < 0)
		return err_prefix(e, "%s", config_where(cfg, "notify_classes"));
	read_templates(b, cfg);
	return queue_open(&b->q, b->core.queue_directory, e);
}

static int post_jail(struct server *s, struct err *e)
{
	struct bounce *b = server_state(s);
	(void)e;
	b->cleanup = server_pool(s, b->core.cleanup_service_name, 8);
	return 0;
}

static int paths(struct server *s, struct err *e)
{
	(void)e;
	return server_allow_write(s, ".");
}

int main(int argc, char **argv)
{
	static const struct server_def def = {
		.name = "bounce",
		.client_limit = 100,
		.arena_ceiling = 64u << 20,
		.jail = JAIL_ACCEPT | JAIL_PASS_FD | JAIL_UNIX | JAIL_READ_FILES | JAIL_WRITE_FILES,
		.paths = paths,
		.pre_jail = pre_jail,
		.post_jail = post_jail,
		.serve = bounce_serve,
	};
	return server_main(argc, argv, &def);
}
