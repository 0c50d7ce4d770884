#include "smtpd/smtpd_maps.h"
#include "lib/clnt/clnt_auth.h"
#include "lib/clnt/clnt_rewrite.h"
#include "lib/config/params.h"
#include "lib/mail/addr.h"
#include "lib/map/maps.h"

static struct maps *open_list(const char *title, const char *list, const struct maps_env *env, struct err *e)
{
	struct maps *m = maps_open(title, list, env, 0, e);
	struct err why = ERR_INIT;
	/* a wrong table is told by each look-up that meets it; here pure tables are read before the jail */
	if (m && maps_check(m, &why) < 0)
		err_set(e, why.cls, "%s", why.text);
	return m;
}

int smtpd_maps_init(struct smtpd_maps *m, const struct maps_env *env, const struct params_core *core,
	struct err *e)
{
	const struct {
		struct maps **to;
		const char *title, *list;
	} all[] = {
		{ &m->recipient_canonical, "recipient_canonical_maps", core->recipient_canonical_maps },
		{ &m->canonical, "canonical_maps", core->canonical_maps },
		{ &m->virtual_alias, "virtual_alias_maps", core->virtual_alias_maps },
		{ &m->local_recipient, "local_recipient_maps", core->local_recipient_maps },
		{ &m->relay_recipient, "relay_recipient_maps", core->relay_recipient_maps },
		{ &m->virtual_mailbox, "virtual_mailbox_maps", core->virtual_mailbox_maps },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		*all[i].to = open_list(all[i].title, all[i].list, env, e);
		if (!*all[i].to)
			return -1;
	}
	m->delimiters = core->recipient_delimiter;
	m->double_bounce = core->double_bounce_sender;
	m->owner_request_special = core->owner_request_special;
	return 0;
}

void smtpd_maps_free(struct smtpd_maps *m)
{
	struct maps *all[] = { m->recipient_canonical, m->canonical, m->virtual_alias, m->local_recipient,
		m->relay_recipient, m->virtual_mailbox };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		maps_free(all[i]);
	*m = (struct smtpd_maps){ 0 };
}

static int find(const struct smtpd_maps *m, struct maps *table, struct sv address, bool local, struct err *e)
{
	const struct map_key_rules rules = { .delimiters = m->delimiters,
		.owner_request_special = m->owner_request_special, .local = local };
	struct map_keys keys;
	struct buf value;

	if (maps_empty(table))
		return 0;
	buf_init(&value, MAP_VALUE_MAX);
	map_keys_addr(&keys, address, &rules);
	int rc = maps_find_keys(table, &keys, &value, NULL, e);
	buf_free(&value);
	return rc;
}

/* Is there a user of that name in the instance's directory, the extension left out? */
static int is_user(const struct smtpd_maps *m, struct ipc_pool *auth, struct sv address, int64_t deadline,
	struct err *e)
{
	struct sv local, domain, user, ext;
	char delim;
	struct buf name;
	int rc = clnt_auth_exists(auth, address, deadline, e);

	if (rc != 0)
		return rc;
	addr_split(address, &local, &domain);
	if (addr_split_ext(local, m->delimiters, m->owner_request_special, &user, &ext, &delim) != 1)
		return 0;
	buf_init(&name, ADDR_MAX);
	buf_put_sv(&name, user);
	if (domain.len) {
		buf_putc(&name, '@');
		buf_put_sv(&name, domain);
	}
	rc = clnt_auth_exists(auth, buf_sv(&name), deadline, e);
	buf_free(&name);
	return rc;
}

static int local_listed(const struct smtpd_maps *m, struct ipc_pool *auth, struct sv address,
	int64_t deadline, struct err *e)
{
	struct sv local, domain;

	if (maps_empty(m->local_recipient))
		return 1; /* as in Postfix: no list, no check */
	addr_split(address, &local, &domain);
	/* RFC 5321 4.5.1: postmaster is always there; answers to our own reports come to the other two (qmgr
	 * drops what is for double_bounce_sender) and must not be refused: that would be answered again */
	if (sv_ieqz(local, "postmaster") || sv_ieqz(local, "mailer-daemon") ||
		sv_ieqz(local, m->double_bounce))
		return 1;
	int rc = find(m, m->local_recipient, address, true, e);
	return rc != 0 ? rc : is_user(m, auth, address, deadline, e);
}

int smtpd_maps_listed(const struct smtpd_maps *m, struct ipc_pool *auth, const struct clnt_resolved *r,
	const char **table, int64_t deadline, struct err *e)
{
	bool local = r->cls == REWRITE_CLASS_LOCAL;
	struct maps *const before[] = { m->recipient_canonical, m->canonical, m->virtual_alias };

	/* an address that cleanup will map to another one is good here */
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		int rc = find(m, before[i], r->recipient, local, e);
		if (rc != 0)
			return rc;
	}
	/* moved, closed by transport_maps, or in an alias domain without this alias */
	if (r->cls != REWRITE_CLASS_VIRTUAL_ALIAS && sv_eqz(r->transport, "error"))
		return SMTPD_MAPS_UNDELIVERABLE;
	switch ((enum rewrite_class)r->cls) {
	case REWRITE_CLASS_LOCAL:
		*table = "local recipient table";
		return local_listed(m, auth, r->recipient, deadline, e);
	case REWRITE_CLASS_VIRTUAL_ALIAS:
		*table = "virtual alias table";
		return 0;
	case REWRITE_CLASS_VIRTUAL_MAILBOX:
		*table = "virtual mailbox table";
		return maps_empty(m->virtual_mailbox)
			? 1 : find(m, m->virtual_mailbox, r->recipient, false, e);
	case REWRITE_CLASS_RELAY:
		*table = "relay recipient table";
		return maps_empty(m->relay_recipient)
			? 1 : find(m, m->relay_recipient, r->recipient, false, e);
	case REWRITE_CLASS_DEFAULT:
	default: return 1;
	}
}
