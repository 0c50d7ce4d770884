/* A user's own mailbox. */
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

void local_mailbox(struct local_rcpt *r, const struct clnt_auth_identity *who, bool maybe_before,
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
	struct sv mail = who->mail;
	if (sv_empty(mail))
		mail = sv_z(arena_printf(r->rq->arena, "maildir:%s",
		        *l->params.home_mailbox ? l->params.home_mailbox : "Maildir/"));
	const struct deliver_decider deciders[] = { { "mailbox_size_limit", size_limit, l } };
	struct deliver_mailbox m = {
		.store = l->store,
		.account = { .owner = who->name,
		        .home = who->home,
		        .mail = mail,
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
