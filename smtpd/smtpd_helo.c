/* HELO and EHLO (RFC 5321 4.1.1.1), and what EHLO offers. */
#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

/* smtpd_discard_ehlo_keywords: "pipelining, 8bitmime" */
bool smtpd_offers(const struct smtpd_session *s, const char *keyword)
{
	struct sv list = sv_z(s->proc->smtpd.smtpd_discard_ehlo_keywords);
	while (list.len) {
		struct sv word = sv_take_word(&list);
		while (word.len) {
			struct sv name = sv_take_until(&word, ',');
			if (sv_ieqz(name, keyword))
				return false;
		}
	}
	return true;
}

static void reply_ehlo(struct smtpd_session *s)
{
	const char *lines[9];
	char size[40];
	size_t n = 0;

	if (smtpd_offers(s, "pipelining"))
		lines[n++] = "PIPELINING";
	if (smtpd_offers(s, "size")) {
		if (s->proc->core.message_size_limit > 0)
			snprintf(size, sizeof(size), "SIZE %ld", s->proc->core.message_size_limit);
		else
			snprintf(size, sizeof(size), "SIZE");
		lines[n++] = size;
	}
	if (smtpd_offers(s, "vrfy") && !s->proc->smtpd.disable_vrfy_command)
		lines[n++] = "VRFY";
	if (s->proc->tls.offered && !s->tls && smtpd_offers(s, "starttls"))
		lines[n++] = "STARTTLS";
	if (smtpd_offers(s, "enhancedstatuscodes"))
		lines[n++] = "ENHANCEDSTATUSCODES";
	if (smtpd_offers(s, "8bitmime"))
		lines[n++] = "8BITMIME";
	if (smtpd_offers(s, "dsn"))
		lines[n++] = "DSN";
	if (s->proc->core.smtputf8_enable && smtpd_offers(s, "smtputf8"))
		lines[n++] = "SMTPUTF8";
	const char *last = s->proc->core.myhostname;
	for (size_t i = 0; i < n; i++) {
		smtpd_reply_more(s, 250, last);
		last = lines[i];
	}
	smtpd_reply(s, 250, NULL, "%s", last);
}

void smtpd_cmd_helo(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	bool extended = cmd->verb == SMTP_EHLO;
	struct smtp_fault fault;
	struct sv name;

	if (smtp_helo_parse(cmd->arg, extended, &name, &fault) < 0) {
		smtpd_refuse_fault(s, &fault);
		return;
	}
	smtpd_txn_reset(s);
	/* the name is kept for the session: one buffer for each greeting, and greetings are limited */
	struct sv copy = arena_sv(s->conn->arena, sv_upto(name, 255));
	if (!copy.p)
		return;
	s->helo = copy;
	s->esmtp = extended;
	if (!s->proc->smtpd.smtpd_delay_reject) {
		struct smtpd_verdict v = smtpd_access_check(s, SMTPD_STAGE_HELO, SV_NONE);
		if (v.action == SMTPD_REFUSE) {
			smtpd_refuse_verdict(s, extended ? "EHLO" : "HELO", &v);
			return;
		}
	}
	if (extended)
		reply_ehlo(s);
	else
		smtpd_reply(s, 250, NULL, "%s", s->proc->core.myhostname);
}
