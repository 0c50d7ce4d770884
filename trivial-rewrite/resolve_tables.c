#include "trivial-rewrite/resolve_tables.h"

#include "lib/mail/addr.h"

static const char *const list_names[RESOLVE_LIST_COUNT] = {
	[RESOLVE_MYDESTINATION] = "mydestination",
	[RESOLVE_VIRTUAL_ALIAS_DOMAINS] = "virtual_alias_domains",
	[RESOLVE_VIRTUAL_MAILBOX_DOMAINS] = "virtual_mailbox_domains",
	[RESOLVE_RELAY_DOMAINS] = "relay_domains",
};

static int find_in_list(void *ctx, enum resolve_list which, struct sv domain, struct err *e)
{
	const struct resolve_tables *t = ctx;
	if (!t->lists[which]) {
		*e = t->list_err[which];
		return -1;
	}
	/* a virtual domain has exactly the names that are listed; a relay domain may have
	 * subdomains */
	return which == RESOLVE_RELAY_DOMAINS ? matchlist_domain(t->lists[which], domain, e)
	                                      : matchlist_string(t->lists[which], domain, e);
}

static bool find_own(void *ctx, struct sv ip)
{
	const struct resolve_tables *t = ctx;
	return own_addresses_have(t->own, ip);
}

static int find_transport(void *ctx, struct sv rcpt, struct buf *value, struct err *e)
{
	struct resolve_tables *t = ctx;
	if (!t->transports) {
		*e = t->transport_err;
		return -1;
	}
	if (maps_empty(t->transports))
		return 0;
	const struct map_key_rules rules = {
		.delimiters = t->core.recipient_delimiter,
		.owner_request_special = t->core.owner_request_special,
		.parents = matchlist_parent_flag(
		                   t->core.parent_domain_matches_subdomains, "transport_maps") != 0,
	};
	struct map_keys keys;
	map_keys_transport(&keys, rcpt, &rules);
	return maps_find_keys(t->transports, &keys, value, NULL, e);
}

static struct map_key_rules address_rules(const struct resolve_tables *t, bool local)
{
	return (struct map_key_rules){ .delimiters = t->core.recipient_delimiter,
		.owner_request_special = t->core.owner_request_special,
		.local = local };
}

static int find_by_sender(void *ctx, enum resolve_by_sender which, struct sv sender, struct buf *value,
        struct err *e)
{
	struct resolve_tables *t = ctx;
	const struct params_rewrite *w = &t->rewrite;
	struct map_keys keys;
	if (!t->by_sender[which]) {
		*e = t->by_sender_err[which];
		return -1;
	}
	if (maps_empty(t->by_sender[which]))
		return 0;
	const struct map_key_rules rules = address_rules(t, false);
	if (sender.len > 0)
		map_keys_addr(&keys, sender, &rules);
	else
		map_keys_one(&keys, sv_z(which == RESOLVE_SENDER_RELAYHOST
		                                 ? w->empty_address_relayhost_maps_lookup_key
		                                 : w->empty_address_default_transport_maps_lookup_key));
	return maps_find_keys(t->by_sender[which], &keys, value, NULL, e);
}

static int find_relocated(void *ctx, struct sv rcpt, bool local, struct buf *value, struct err *e)
{
	struct resolve_tables *t = ctx;
	struct map_keys keys;
	if (!t->relocated) {
		*e = t->relocated_err;
		return -1;
	}
	const struct map_key_rules rules = address_rules(t, local);
	map_keys_addr(&keys, rcpt, &rules);
	return maps_find_keys(t->relocated, &keys, value, NULL, e);
}

static void set_rules(struct resolve_tables *t)
{
	const struct params_core *c = &t->core;
	const struct params_rewrite *w = &t->rewrite;
	t->rules = (struct resolve_rules){
		.rewrite = { w->append_at_myorigin, w->append_dot_mydomain, w->swap_bangpath,
		        w->allow_percent_hack },
		.local = { sv_z(c->myorigin), sv_z(c->mydomain) },
		.dequoted = w->resolve_dequoted_address,
		.null_domain = w->resolve_null_domain,
		.numeric_domain = w->resolve_numeric_domain,
		.allow_min_user = w->allow_min_user,
		.smtputf8 = c->smtputf8_enable,
		.show_table_name = c->show_user_unknown_table_name,
		.empty_recipient = sv_z(c->empty_address_recipient),
		.myhostname = sv_z(c->myhostname),
		.local_transport = sv_z(c->local_transport),
		.virtual_transport = sv_z(c->virtual_transport),
		.relay_transport = sv_z(c->relay_transport),
		.default_transport = sv_z(c->default_transport),
		.relayhost = sv_z(c->relayhost),
		.ops = { .list = find_in_list,
		        .own_address = find_own,
		        .transport = find_transport,
		        .ctx = t },
	};
}

static void open_by_sender(struct resolve_tables *t)
{
	static const char *const titles[RESOLVE_SENDER_COUNT] = {
		[RESOLVE_SENDER_TRANSPORT] = "sender_dependent_default_transport_maps",
		[RESOLVE_SENDER_RELAYHOST] = "sender_dependent_relayhost_maps",
	};
	const char *const lists[RESOLVE_SENDER_COUNT] = {
		[RESOLVE_SENDER_TRANSPORT] = t->rewrite.sender_dependent_default_transport_maps,
		[RESOLVE_SENDER_RELAYHOST] = t->rewrite.sender_dependent_relayhost_maps,
	};
	for (size_t i = 0; i < RESOLVE_SENDER_COUNT; i++) {
		/* what a sender is allowed to choose is a next hop: no pattern may copy his text into it */
		t->by_sender[i] = maps_open(
		        titles[i], lists[i], &t->env, MAP_NO_SUBST, &t->by_sender_err[i]);
		if (!t->by_sender[i] || !maps_empty(t->by_sender[i]))
			t->rules.ops.by_sender = find_by_sender;
	}
}

int resolve_tables_open(struct resolve_tables *t, struct config *cfg, struct err *e)
{
	if (params_core_load(cfg, &t->core, e) < 0 || params_rewrite_load(cfg, &t->rewrite, e) < 0)
		return -1;
	const char *remote = config_str(cfg, "remote_header_rewrite_domain", e);
	if (!remote)
		return -1;
	t->remote = (struct rewrite_context){ sv_z(remote), sv_z(remote) };
	set_rules(t);

	const char *const values[RESOLVE_LIST_COUNT] = {
		[RESOLVE_MYDESTINATION] = t->core.mydestination,
		[RESOLVE_VIRTUAL_ALIAS_DOMAINS] = t->core.virtual_alias_domains,
		[RESOLVE_VIRTUAL_MAILBOX_DOMAINS] = t->core.virtual_mailbox_domains,
		[RESOLVE_RELAY_DOMAINS] = t->core.relay_domains,
	};
	for (size_t i = 0; i < RESOLVE_LIST_COUNT; i++) {
		unsigned flags = matchlist_parent_flag(
		        t->core.parent_domain_matches_subdomains, list_names[i]);
		t->lists[i] =
		        matchlist_open(list_names[i], values[i], flags, &t->env, &t->list_err[i]);
	}
	t->transports = maps_open(
	        "transport_maps", t->core.transport_maps, &t->env, MAP_NO_SUBST, &t->transport_err);
	open_by_sender(t);
	t->relocated = maps_open(
	        "relocated_maps", t->core.relocated_maps, &t->env, 0, &t->relocated_err);
	if (!t->relocated || !maps_empty(t->relocated))
		t->rules.ops.relocated = find_relocated;
	t->own = own_addresses_find(t->core.inet_interfaces, t->core.proxy_interfaces);
	return 0;
}

void resolve_tables_close(struct resolve_tables *t)
{
	for (size_t i = 0; i < RESOLVE_LIST_COUNT; i++)
		if (t->lists[i])
			matchlist_free(t->lists[i]);
	if (t->transports)
		maps_free(t->transports);
	for (size_t i = 0; i < RESOLVE_SENDER_COUNT; i++)
		maps_free(t->by_sender[i]);
	maps_free(t->relocated);
	own_addresses_free(t->own);
	t->own = NULL;
}
