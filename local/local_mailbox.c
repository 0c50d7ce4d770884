/* A user's own mailbox. */
#include <stdio.h>
#include <unistd.h>

#include "lib/sys/log.h"
#include "local/local.h"

/* mailbox_size_limit bounds each file of a Maildir. */
static int size_limit(void *ctx, const struct deliver_request *rq, size_t rcpt,
        struct deliver_decision *out, struct err *e)
{
	const struct local *l = ctx;
	(void)rcpt;
	(void)e;
	if (l->core.mailbox_size_limit > 0 &&
	        rq->content_size > (uint64_t)l->core.mailbox_size_limit) {
		out->verdict = DELIVER_REJECT;
		out->dsn = DSN(5, 2, 3);
		out->text = SV("message is larger than mailbox_size_limit");
	}
	return 0;
}

static void to_maildir(struct local_rcpt *r, const struct clnt_auth_identity *who, bool maybe_before,
        struct deliver_outcome *out)
{
	struct local *l = r->local;
	if (who->uid != getuid()) {
		/* no process of that user can be asked for: the admin must know */
		log_warn("%.*s: <%.*s>: this process has uid %u, the mailbox belongs to uid %u",
		        SV_ARG(r->rq->queue_id), SV_ARG(r->address), (unsigned)getuid(),
		        (unsigned)who->uid);
		*out = (struct deliver_outcome){ .status = DELIVER_DEFERRED,
			.dsn = DSN(4, 3, 5),
			.text = "the mailbox belongs to another system user" };
		return;
	}
	const struct deliver_decider deciders[] = { { "mailbox_size_limit", size_limit, l } };
	struct deliver_mailbox m = {
		.store = l->store,
		.account = { .owner = who->name,
		        .home = who->home,
		        .mail = who->mail,
		        .uid = who->uid,
		        .create = true },
		.delivered_to = l->delivered_to_file ? r->address : SV_NONE,
		.deciders = deciders,
		.ndeciders = ARRAY_LEN(deciders),
		.maybe_before = maybe_before,
	};
	struct sv redirect;
	if (deliver_mailbox(r->rq, r->i, &m, out, &redirect) == 0)
		*out = (struct deliver_outcome){
			.status = DELIVER_DEFERRED,
			.dsn = DSN(4, 3, 0),
			.text = "a filter wants to redirect the mail, which nothing here asks for"
		};
}

static void unavailable(const char *what, const struct err *e, struct deliver_outcome *out)
{
	*out = (struct deliver_outcome){ .status = DELIVER_DEFERRED, .dsn = DSN(4, 3, 0) };
	(void)snprintf(out->text, sizeof(out->text), "%s unavailable: %s", what, e->text);
}

/* Postfix's order: mailbox_transport_maps, mailbox_transport, mailbox_command_maps, mailbox_command, mailbox. */
void local_mailbox(struct local_rcpt *r, const struct clnt_auth_identity *who, struct sv sender,
        int64_t until, bool maybe_before, struct deliver_outcome *out)
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
		to_maildir(r, who, maybe_before, out);
	buf_free(&value);
}
