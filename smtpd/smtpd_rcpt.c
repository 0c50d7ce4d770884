/* RCPT TO (RFC 5321 4.1.1.3): restrictions, limits, and the first recipient opens a queue file. */
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

struct smtpd_verdict smtpd_rcpt_verdict(struct smtpd_session *s, struct sv recipient)
{
	static const enum smtpd_stage delayed[] = { SMTPD_STAGE_CLIENT, SMTPD_STAGE_HELO,
		SMTPD_STAGE_SENDER };
	struct smtpd_verdict v = smtpd_access_syntax(s, recipient);

	if (v.action == SMTPD_REFUSE)
		return v;
	if (s->proc->smtpd.smtpd_delay_reject)
		for (size_t i = 0; i < ARRAY_LEN(delayed); i++) {
			v = smtpd_access_check(s, delayed[i], SV_NONE);
			if (v.action == SMTPD_REFUSE)
				return v;
		}
	v = smtpd_access_check(s, SMTPD_STAGE_RELAY, recipient);
	if (v.action == SMTPD_REFUSE)
		return v;
	v = smtpd_access_check(s, SMTPD_STAGE_RECIPIENT, recipient);
	if (v.action == SMTPD_REFUSE)
		return v;
	return smtpd_access_unlisted(s, recipient);
}

/* ENVID= and ORCPT= are kept decoded: what was xtext on the wire is text in the queue. */
static struct sv decoded(struct arena *a, int (*decode)(struct buf *, struct sv), struct sv value)
{
	struct buf b;
	buf_init(&b, DSN_ORCPT_MAX);
	struct sv out = value.len > 0 && decode(&b, value) == 1 ? arena_sv(a, buf_sv(&b)) : SV_NONE;
	buf_free(&b);
	return out;
}

static int decode_envid(struct buf *out, struct sv xtext)
{
	return xtext_decode(out, xtext, false);
}

/* The queue file of this transaction, opened by the first recipient that is accepted. */
static bool open_queue_file(struct smtpd_session *s)
{
	struct clnt_cleanup_open open = {
		.sender = s->txn.mail.sender,
		.smtputf8 = s->txn.mail.smtputf8,
		.body_type = s->txn.mail.body == SMTP_BODY_8BITMIME ? SV("8BITMIME")
			: s->txn.mail.body == SMTP_BODY_7BIT        ? SV("7BIT")
								    : SV_NONE,
		.envid = decoded(&s->txn_arena, decode_envid, s->txn.mail.envid),
		.ret = s->txn.mail.ret,
		.client_name = sv_z(s->peer.name),
		.client_addr = sv_z(s->peer.addr),
		.client_port = sv_z(s->peer.port),
		.helo_name = s->helo,
		.protocol = s->esmtp ? SV("ESMTP") : SV("SMTP"),
		.rewrite_context = s->peer.local_rewrite ? SV("local") : SV("remote"),
		.origin = SV("smtpd"),
		.uid = -1,
		.size_hint = s->txn.mail.size,
	};
	struct err e = ERR_INIT;

	if (s->txn.queue_id)
		return true;
	if (clnt_cleanup_open(s->cleanup, &open, &e) < 0) {
		log_warn("%s: cannot open a queue file: %s", s->peer.namaddr, e.text);
		smtpd_refuse_class(s, NOTIFY_CLASS_RESOURCE, 451, "4.3.0", "Error: queue file write error");
		return false;
	}
	s->txn.queue_id = arena_strdup(&s->txn_arena, sv_z(clnt_cleanup_id(s->cleanup)));
	if (!s->txn.queue_id)
		return false; /* memory of the session: told by the dialogue's loop */
	log_info("%s: client=%s", s->txn.queue_id, s->peer.namaddr);
	return true;
}

static bool add_recipient(struct smtpd_session *s, const struct smtp_rcpt *rcpt, struct arena *scratch)
{
	struct clnt_cleanup_rcpt r = { .address = rcpt->recipient, .original = rcpt->recipient,
		.orcpt = decoded(scratch, dsn_orcpt_decode, rcpt->orcpt), .notify = rcpt->notify };
	struct err e = ERR_INIT;

	if (clnt_cleanup_rcpt(s->cleanup, &r, &e) == 0)
		return true;
	/* the queue file is of no use any more, and with it the recipients accepted so far: the mail
	 * will be refused at DATA */
	log_warn("%s: cannot add a recipient: %s", s->txn.queue_id, e.text);
	smtpd_refuse_class(s, NOTIFY_CLASS_RESOURCE, 451, "4.3.0", "Error: queue file write error");
	return false;
}

void smtpd_cmd_rcpt(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	const struct params_smtpd *p = &s->proc->smtpd;
	struct smtp_rcpt rcpt;
	struct smtp_fault fault;
	unsigned flags = (p->strict_rfc821_envelopes ? SMTP_ARGS_STRICT : 0u) |
		(s->txn.mail.smtputf8 ? SMTP_ARGS_SMTPUTF8 | SMTP_ARGS_UTF8_NOW : 0u) |
		(smtpd_offers(s, "dsn") ? SMTP_ARGS_DSN : 0u);

	if (!s->txn.active) {
		smtpd_refuse(s, 503, "5.5.1", "Error: need MAIL command");
		return;
	}
	s->txn.rcpt_tried++;
	if (!smtpd_limit_recipient(s))
		return;
	/* counted before anything is kept: a flood of recipients costs no memory */
	if (s->txn.rcpt_ok >= (unsigned)p->smtpd_recipient_limit) {
		if (s->txn.rcpt_tried > (unsigned)p->smtpd_recipient_limit +
				(unsigned)p->smtpd_recipient_overshoot_limit)
			smtpd_refuse_class(s, NOTIFY_CLASS_POLICY, 452, "4.5.3", "Error: too many recipients");
		else
			smtpd_reply(s, 452, "4.5.3", "Error: too many recipients");
		return;
	}
	struct arena scratch; /* refused recipients leave nothing in the transaction */
	arena_init(&scratch, 256 * 1024);
	if (smtp_rcpt_parse(cmd->arg, flags, &scratch, &rcpt, &fault) < 0) {
		smtpd_refuse_fault(s, &fault);
		goto out;
	}
	struct smtpd_verdict v = smtpd_rcpt_verdict(s, rcpt.recipient);
	if (v.action == SMTPD_REFUSE) {
		smtpd_refuse_verdict(s, "RCPT", &v);
		goto out;
	}
	if (!open_queue_file(s) || !add_recipient(s, &rcpt, &scratch))
		goto out;
	s->txn.rcpt_ok++;
	s->txn.last_rcpt = s->txn.rcpt_ok == 1 ? arena_sv(&s->txn_arena, rcpt.recipient) : SV_NONE;
	smtpd_reply(s, 250, "2.1.5", "Ok");
out:
	arena_free(&scratch);
}
