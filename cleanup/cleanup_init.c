/* cleanup/cleanup_init.c - parameters, tables, clients. */
#include "cleanup/cleanup.h"

#include "lib/fiber/fiber.h"
#include "lib/server/server.h"
#include "lib/sys/log.h"

static const struct {
	const char *name;
	unsigned bit;
} class_names[] = {
	{ "envelope_sender", CLASS_ENV_SENDER },
	{ "envelope_recipient", CLASS_ENV_RCPT },
	{ "header_sender", CLASS_HDR_SENDER },
	{ "header_recipient", CLASS_HDR_RCPT },
};

/* Blanks and commas separate the words of a list. */
static bool take_item(struct sv *rest, struct sv *item)
{
	size_t i = 0, end;
	while (i < rest->len && (ascii_is_blank(rest->p[i]) || rest->p[i] == ','))
		i++;
	for (end = i; end < rest->len && !ascii_is_blank(rest->p[end]) && rest->p[end] != ','; end++)
		;
	*item = sv_sub(*rest, i, end - i);
	*rest = sv_from(*rest, end);
	return item->len > 0;
}

static int parse_classes(const char *param, const char *value, unsigned *out, struct err *e)
{
	struct sv rest = sv_z(value), item;
	*out = 0;
	while (take_item(&rest, &item)) {
		unsigned bit = 0;
		for (size_t i = 0; i < ARRAY_LEN(class_names); i++)
			if (sv_ieqz(item, class_names[i].name))
				bit = class_names[i].bit;
		if (!bit)
			return err_set(e, ERR_CONFIG, "%s: unknown class \"%.*s\"", param, SV_ARG(item));
		*out |= bit;
	}
	return 0;
}

static bool lists(const char *list, const char *word)
{
	struct sv rest = sv_z(list), item;
	while (take_item(&rest, &item))
		if (sv_ieqz(item, word))
			return true;
	return false;
}

static int open_maps(struct cleanup *c, const char *title, const char *list, struct maps **out, struct err *e)
{
	*out = maps_open(title, list, &c->env, 0, e);
	return *out ? 0 : -1;
}

int cleanup_tables(struct cleanup *c, const struct config *cfg, struct err *e)
{
	const struct params_cleanup *p = &c->p;
	const struct params_core *core = &c->core;
	if (params_core_load(cfg, &c->core, e) < 0 || params_cleanup_load(cfg, &c->p, e) < 0)
		return -1;
	if (parse_classes("canonical_classes", p->canonical_classes, &c->both_canon.classes, e) < 0 ||
		parse_classes("sender_canonical_classes", p->sender_canonical_classes,
			&c->sender_canon.classes, e) < 0 ||
		parse_classes("recipient_canonical_classes", p->recipient_canonical_classes,
			&c->rcpt_canon.classes, e) < 0 ||
		parse_classes("masquerade_classes", p->masquerade_classes, &c->masquerade_classes, e) < 0)
		return -1;
	const char *propagate = core->propagate_unmatched_extensions;
	c->propagate_canonical = lists(propagate, "canonical");
	c->propagate_virtual = lists(propagate, "virtual");
	const struct {
		const char *title, *list;
		struct maps **out;
	} all[] = {
		{ "canonical_maps", core->canonical_maps, &c->both_canon.maps },
		{ "sender_canonical_maps", core->sender_canonical_maps, &c->sender_canon.maps },
		{ "recipient_canonical_maps", core->recipient_canonical_maps, &c->rcpt_canon.maps },
		{ "virtual_alias_maps", core->virtual_alias_maps, &c->virtual_alias },
		{ "sender_bcc_maps", p->sender_bcc_maps, &c->sender_bcc },
		{ "recipient_bcc_maps", p->recipient_bcc_maps, &c->rcpt_bcc },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (open_maps(c, all[i].title, all[i].list, all[i].out, e) < 0)
			return -1;
	unsigned parent = matchlist_parent_flag(core->parent_domain_matches_subdomains, "mydestination");
	c->mydestination = matchlist_open("mydestination", core->mydestination, parent, &c->env, e);
	c->masquerade_exceptions =
		matchlist_open("masquerade_exceptions", p->masquerade_exceptions, 0, &c->env, e);
	return c->mydestination && c->masquerade_exceptions ? 0 : -1;
}

void cleanup_tables_free(struct cleanup *c)
{
	struct maps **all[] = { &c->both_canon.maps, &c->sender_canon.maps, &c->rcpt_canon.maps,
		&c->virtual_alias, &c->sender_bcc, &c->rcpt_bcc };
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		maps_free(*all[i]);
		*all[i] = NULL;
	}
	matchlist_free(c->mydestination);
	c->mydestination = NULL;
	matchlist_free(c->masquerade_exceptions);
	c->masquerade_exceptions = NULL;
}

int cleanup_paths(struct server *s, struct err *e)
{
	const char *spool = config_str(server_config(s), "queue_directory", e);
	if (!spool || server_allow_write(s, spool) < 0)
		return -1;
	/* tables may lie anywhere the admin says: they are the admin's word, read only */
	return server_allow_read(s, "/");
}

int cleanup_pre_jail(struct server *s, struct err *e)
{
	struct cleanup *c = mem_alloc(sizeof(*c));
	server_set_state(s, c);
	c->env.proxymap = server_pool(s, "proxymap", 20);
	if (cleanup_tables(c, server_config(s), e) < 0)
		return -1;
	if (queue_open(&c->queue, c->core.queue_directory, e) < 0 || queue_create_dirs(&c->queue, e) < 0)
		return -1;
	fiber_pool_size(FIBER_POOL_DURABLE, 16);
	return 0;
}

int cleanup_post_jail(struct server *s, UNUSED struct err *e)
{
	struct cleanup *c = server_state(s);
	c->rewrite = clnt_rewrite_new(server_pool(s, c->core.rewrite_service_name, 50));
	c->qmgr = clnt_qmgr_new(server_pool(s, c->core.queue_service_name, 4));
	return 0;
}
