/* MAIL FROM (RFC 5321 4.1.1.2, RFC 1870 6) and VRFY (3.5). */
#include <sys/statvfs.h>

#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

static unsigned args_flags(const struct smtpd_session *s)
{
	unsigned flags = SMTP_ARGS_SIZE | SMTP_ARGS_8BITMIME;
	if (s->proc->smtpd.strict_rfc821_envelopes)
		flags |= SMTP_ARGS_STRICT;
	if (s->proc->core.smtputf8_enable)
		flags |= SMTP_ARGS_SMTPUTF8;
	if (smtpd_offers(s, "dsn"))
		flags |= SMTP_ARGS_DSN;
	return flags;
}

/* Is there room in the queue for a mail of this size (0: unknown)? queue_minfree, as Postfix. */
static bool room_for(struct smtpd_session *s, uint64_t size)
{
	struct statvfs fs;
	if (fstatvfs(s->proc->queue_file, &fs) < 0)
		return true; /* cleanup will tell */
	uint64_t space = (uint64_t)fs.f_bavail * fs.f_frsize;
	long limit = s->proc->core.message_size_limit;
	uint64_t want = (uint64_t)s->proc->smtpd.queue_minfree;
	if (limit > 0 && want < (uint64_t)limit + (uint64_t)limit / 2 && want > 0)
		want = (uint64_t)limit + (uint64_t)limit / 2;
	if (space <= want || (size > 0 && size > space) || (fs.f_files > 0 && fs.f_favail == 0)) {
		log_warn("not enough free space in mail queue: %llu octets, %llu inodes",
			(unsigned long long)space, (unsigned long long)fs.f_favail);
		return false;
	}
	return true;
}

static bool check_size(struct smtpd_session *s, uint64_t size)
{
	long limit = s->proc->core.message_size_limit;
	if (limit > 0 && size > (uint64_t)limit) {
		smtpd_log_reject(s, "MAIL", "552 5.3.4 Message size exceeds fixed limit");
		smtpd_refuse_class(s, NOTIFY_CLASS_POLICY, 552, "5.3.4", "Message size exceeds fixed limit");
		return false;
	}
	if (!room_for(s, size)) {
		smtpd_refuse_class(s, NOTIFY_CLASS_RESOURCE, 452, "4.3.1", "Insufficient system storage");
		return false;
	}
	return true;
}

void smtpd_cmd_mail(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	struct smtp_mail mail;
	struct smtp_fault fault;

	if (s->helo.len == 0 && s->proc->smtpd.smtpd_helo_required) {
		smtpd_refuse(s, 503, "5.5.1", "Error: send HELO/EHLO first");
		return;
	}
	if (s->txn.active) {
		smtpd_refuse(s, 503, "5.5.1", "Error: nested MAIL command");
		return;
	}
	if (!smtpd_limit_message(s))
		return;
	if (smtp_mail_parse(cmd->arg, args_flags(s), &s->txn_arena, &mail, &fault) < 0) {
		smtpd_refuse_fault(s, &fault);
		smtpd_txn_reset(s);
		return;
	}
	if (!check_size(s, mail.size)) {
		smtpd_txn_reset(s);
		return;
	}
	s->txn.mail = mail;
	s->txn.active = true;
	if (!s->proc->smtpd.smtpd_delay_reject) {
		struct smtpd_verdict v = smtpd_access_check(s, SMTPD_STAGE_SENDER, SV_NONE);
		if (v.action == SMTPD_REFUSE) {
			smtpd_refuse_verdict(s, "MAIL", &v);
			smtpd_txn_reset(s);
			return;
		}
	}
	smtpd_reply(s, 250, "2.1.0", "Ok");
}

void smtpd_cmd_vrfy(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	struct smtp_fault fault;
	struct sv address;
	bool utf8;

	if (s->proc->smtpd.disable_vrfy_command) {
		smtpd_refuse(s, 502, "5.5.1", "VRFY command is disabled");
		return;
	}
	if (smtp_vrfy_parse(cmd->arg, args_flags(s), s->conn->arena, &address, &utf8, &fault) < 0) {
		smtpd_refuse_fault(s, &fault);
		return;
	}
	/* the same rules as for RCPT, so that VRFY tells a stranger nothing that RCPT would not */
	struct smtpd_verdict v = smtpd_rcpt_verdict(s, address);
	if (v.action == SMTPD_REFUSE)
		smtpd_refuse_verdict(s, "VRFY", &v);
	else
		smtpd_reply(s, 252, "2.0.0", "%.*s", SV_ARG(address));
}
