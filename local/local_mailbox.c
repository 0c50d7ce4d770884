/* A user's own mailbox. */
#include <stdio.h>
#include <unistd.h>

#include "lib/sys/log.h"
#include "local/local.h"

/* The mailbox of a user with this process's uid. */
static void to_own_mailbox(struct local_rcpt *r, const struct clnt_auth_identity *who, struct sv sender,
        bool in_parts, struct deliver_outcome *out)
{
	struct local *l = r->local;
	const struct mbox_rules rules = local_mbox_rules(l);
	struct deliver_mailbox m = {
		.store = l->store,
		.account = { .owner = who->name,
		        .home = who->home,
		        .mail = who->mail,
		        .uid = who->uid,
		        .create = true },
		.delivered_to = l->delivered_to_file ? local_delivered_to(r) : SV_NONE,
		.size_limit = l->core.mailbox_size_limit,
		.mbox = &rules,
		.maybe_before = in_parts,
	};
	struct sv elsewhere, before = r->rq->sender;
	r->rq->sender = sender; /* of a list: its owner */
	if (deliver_mailbox(r->rq, r->i, &m, out, &elsewhere) == 0)
		log_bug("nobody is there to redirect mail");
	r->rq->sender = before;
}

/* ... of another uid: that user's postman writes it. */
static void to_mailbox(struct local_rcpt *r, const struct clnt_auth_identity *who, struct sv sender,
        bool in_parts, struct deliver_outcome *out)
{
	const struct local_rights rights = { { .kind = "user", .name = who->name, .fd = -1 }, who };
	struct err e = ERR_INIT;
	if (who->uid == getuid()) {
		to_own_mailbox(r, who, sender, in_parts, out);
		return;
	}
	if (local_ask_mailbox(r, sender, &rights, who->mail, in_parts, out, &e) == 0)
		return;
	log_warn("%.*s: mailbox of %.*s: %s", SV_ARG(r->rq->queue_id), SV_ARG(who->name), e.text);
	*out = (struct deliver_outcome){ .status = DELIVER_DEFERRED, .dsn = DSN(4, 3, 0) };
	(void)snprintf(out->text, sizeof(out->text), "mailbox: %s", e.text);
}

static void unavailable(const char *what, const struct err *e, struct deliver_outcome *out)
{
	*out = (struct deliver_outcome){ .status = DELIVER_DEFERRED, .dsn = DSN(4, 3, 0) };
	(void)snprintf(out->text, sizeof(out->text), "%s unavailable: %s", what, e->text);
}

/* Postfix's order: mailbox_transport_maps, mailbox_transport, mailbox_command_maps, mailbox_command, mailbox. */
void local_mailbox(struct local_rcpt *r, const struct clnt_auth_identity *who, struct sv sender,
        int64_t until, bool in_parts, struct deliver_outcome *out)
{
	const struct params_local *p = &r->local->params;
	struct buf value;
	struct err e = ERR_INIT;
	buf_init(&value, MAP_VALUE_MAX);
	int rc = local_find(r, r->local->transport_maps, p->mailbox_transport, &value, &e);
	if (rc != 0) {
		if (rc == 1)
			local_pass(r, "mailbox_transport", buf_sv(&value), out);
		else
			unavailable("mailbox_transport_maps", &e, out);
		buf_free(&value);
		return;
	}
	rc = local_find(r, r->local->command_maps, p->mailbox_command, &value, &e);
	struct local_member command = { .kind = ALIAS_COMMAND,
		.text = buf_sv(&value),
		.source = LOCAL_FROM_CONFIG,
		.rights = { { .kind = "user", .name = who->name, .fd = -1 }, who },
		.where = "mailbox_command" };
	if (rc == 1)
		local_command(r, &command, sender, until, out);
	else if (rc < 0)
		unavailable("mailbox_command_maps", &e, out);
	else
		to_mailbox(r, who, sender, in_parts, out);
	buf_free(&value);
}
