#include "smtpd/smtpd_access.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

/* --- parsing ----------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	bool stops_relay;
} known[] = {
#define X(k, n, stops) [SMTPD_##k] = { n, stops },
	SMTPD_RESTRICTIONS(X)
#undef X
};

static enum smtpd_restriction kind_of(struct sv word)
{
	for (size_t k = 1; k < ARRAY_LEN(known); k++)
		if (sv_ieqz(word, known[k].name))
			return (enum smtpd_restriction)k;
	return SMTPD_UNSUPPORTED;
}

/* The next word of a list separated by blanks and commas; {...} is one word. */
static struct sv next_word(struct sv *rest)
{
	struct sv s = *rest;
	while (s.len && (ascii_is_blank(s.p[0]) || s.p[0] == ','))
		s = sv_from(s, 1);
	size_t n = 0, depth = 0;
	while (n < s.len && (depth || !(ascii_is_blank(s.p[n]) || s.p[n] == ','))) {
		if (s.p[n] == '{')
			depth++;
		else if (s.p[n] == '}' && depth)
			depth--;
		n++;
	}
	*rest = sv_from(s, n);
	return sv_upto(s, n);
}

int smtpd_rules_parse(struct smtpd_rules *r, const char *parameter, const char *value)
{
	struct sv rest = sv_z(value), word;
	bool warn_only = false;

	*r = (struct smtpd_rules){ .parameter = parameter };
	while ((word = next_word(&rest)).len) {
		if (sv_ieqz(word, "warn_if_reject")) {
			warn_only = true;
			continue;
		}
		r->rule = mem_realloc(r->rule, (r->n + 1) * sizeof(*r->rule));
		r->rule[r->n++] = (struct smtpd_rule){ kind_of(word), warn_only, mem_svdup(word) };
		warn_only = false;
	}
	return 0;
}

void smtpd_rules_free(struct smtpd_rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		free((void *)(uintptr_t)r->rule[i].name);
	free(r->rule);
	*r = (struct smtpd_rules){ 0 };
}

bool smtpd_rules_stop_relay(const struct smtpd_rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (known[r->rule[i].kind].stops_relay && !r->rule[i].warn_only)
			return true;
	return false;
}

int smtpd_access_init(struct smtpd_access *a, const struct params_smtpd *p, struct err *e)
{
	const struct {
		const char *parameter, *value;
	} lists[SMTPD_STAGES] = {
		[SMTPD_STAGE_CLIENT] = { "smtpd_client_restrictions", p->smtpd_client_restrictions },
		[SMTPD_STAGE_HELO] = { "smtpd_helo_restrictions", p->smtpd_helo_restrictions },
		[SMTPD_STAGE_SENDER] = { "smtpd_sender_restrictions", p->smtpd_sender_restrictions },
		[SMTPD_STAGE_RELAY] = { "smtpd_relay_restrictions", p->smtpd_relay_restrictions },
		[SMTPD_STAGE_RECIPIENT] = { "smtpd_recipient_restrictions",
			p->smtpd_recipient_restrictions },
		[SMTPD_STAGE_DATA] = { "smtpd_data_restrictions", p->smtpd_data_restrictions },
		[SMTPD_STAGE_END_OF_DATA] = { "smtpd_end_of_data_restrictions",
			p->smtpd_end_of_data_restrictions },
	};
	for (size_t i = 0; i < SMTPD_STAGES; i++)
		smtpd_rules_parse(&a->stage[i], lists[i].parameter, lists[i].value);
	if (smtpd_rules_stop_relay(&a->stage[SMTPD_STAGE_RELAY]) ||
		smtpd_rules_stop_relay(&a->stage[SMTPD_STAGE_RECIPIENT]))
		return 0;
	smtpd_access_free(a);
	return err_set(e, ERR_CONFIG,
		"%s: smtpd_relay_restrictions and smtpd_recipient_restrictions let anyone relay: put "
		"reject_unauth_destination, defer_unauth_destination, reject or defer into one of them",
		config_where(p->config, "smtpd_relay_restrictions"));
}

void smtpd_access_free(struct smtpd_access *a)
{
	for (size_t i = 0; i < SMTPD_STAGES; i++)
		smtpd_rules_free(&a->stage[i]);
}

void smtpd_access_warn(const struct smtpd_access *a, const struct params_smtpd *p)
{
	for (size_t i = 0; i < SMTPD_STAGES; i++)
		for (size_t k = 0; k < a->stage[i].n; k++)
			if (a->stage[i].rule[k].kind == SMTPD_UNSUPPORTED)
				log_warn("%s: %s: \"%s\" is not a restriction of this version: mail that "
					 "reaches it is answered 451; remove it",
					config_where(p->config, a->stage[i].parameter),
					a->stage[i].parameter, a->stage[i].rule[k].name);
}

/* --- verdicts ---------------------------------------------------------------------------------- */

static const struct smtpd_verdict dunno = { .action = SMTPD_DUNNO };
static const struct smtpd_verdict permit = { .action = SMTPD_OK };

static struct smtpd_verdict refuse(struct smtpd_session *s, int code, const char *dsn, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static struct smtpd_verdict refuse(struct smtpd_session *s, int code, const char *dsn, const char *fmt, ...)
{
	char text[900];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	const char *kept = arena_strdup(&s->txn_arena, sv_z(text));
	return (struct smtpd_verdict){ SMTPD_REFUSE, code, dsn,
		kept ? kept : "Error: session uses too much memory", NOTIFY_CLASS_POLICY };
}

static struct smtpd_verdict of_class(struct smtpd_verdict v, enum notify_class class)
{
	v.class = class;
	return v;
}

static struct smtpd_verdict trouble(struct smtpd_session *s, const char *what, const struct err *e)
{
	log_warn("%s: %s: %s", s->peer.namaddr, what, e->text);
	return of_class(refuse(s, 451, "4.3.0", "%s: Temporary lookup failure", what), NOTIFY_CLASS_DATA);
}

/* Where would RECIPIENT go? False: *v says why it cannot be found out. */
static bool resolve(struct smtpd_session *s, struct sv recipient, struct clnt_resolved *out,
	struct smtpd_verdict *v)
{
	struct err e = ERR_INIT;
	char *shown = arena_printf(&s->txn_arena, "<%.*s>", SV_ARG(recipient));

	if (clnt_resolve_addr(s->proc->rewriter, s->txn.mail.sender, recipient, &s->txn_arena, out,
		    smtpd_deadline(s), &e) != 1) {
		*v = trouble(s, shown ? shown : "", &e);
		return false;
	}
	if (out->flags & REWRITE_TEMP) {
		err_set(&e, ERR_TEMP, "trivial-rewrite could not resolve it");
		*v = trouble(s, shown ? shown : "", &e);
		return false;
	}
	return true;
}

/* Is this host, or a domain it relays for, where the mail belongs, without a route inside? */
static struct smtpd_verdict auth_destination(struct smtpd_session *s, struct sv recipient, int code,
	const char *dsn)
{
	struct clnt_resolved r;
	struct smtpd_verdict v;

	if (!resolve(s, recipient, &r, &v))
		return v;
	bool ours = (r.cls & (REWRITE_CLASS_LOCAL | REWRITE_CLASS_VIRTUAL_ALIAS |
			     REWRITE_CLASS_VIRTUAL_MAILBOX | REWRITE_CLASS_RELAY)) != 0;
	if (ours && !(r.flags & REWRITE_MALFORMED) &&
		(!(r.flags & REWRITE_ROUTED) || s->proc->smtpd.allow_untrusted_routing))
		return permit;
	return refuse(s, code, dsn, "<%.*s>: Relay access denied", SV_ARG(recipient));
}

struct smtpd_verdict smtpd_access_syntax(struct smtpd_session *s, struct sv recipient)
{
	struct clnt_resolved r;
	struct smtpd_verdict v;

	if (!resolve(s, recipient, &r, &v))
		return v;
	if (r.flags & REWRITE_MALFORMED)
		return of_class(refuse(s, 501, "5.1.3", "Bad recipient address syntax"), NOTIFY_CLASS_PROTOCOL);
	return dunno;
}

static int unknown_code(const struct params_smtpd *p, enum rewrite_class cls)
{
	switch (cls) {
	case REWRITE_CLASS_VIRTUAL_ALIAS: return p->unknown_virtual_alias_reject_code;
	case REWRITE_CLASS_VIRTUAL_MAILBOX: return p->unknown_virtual_mailbox_reject_code;
	case REWRITE_CLASS_RELAY: return p->unknown_relay_recipient_reject_code;
	case REWRITE_CLASS_LOCAL:
	case REWRITE_CLASS_DEFAULT:
	default: return p->unknown_local_recipient_reject_code;
	}
}

/* The error transport would return the mail with WHY ("5.1.6 User has moved to ..."): better not to take it. */
static struct smtpd_verdict undeliverable(struct smtpd_session *s, struct sv recipient, struct sv why)
{
	char text[DSN_TEXT_MAX];
	struct dsn_code code;
	dsn_split(why, DSN(5, 1, 0), &code, &why);
	char *dsn = arena_printf(&s->txn_arena, "%s", dsn_format(code, text));
	return of_class(refuse(s, code.cls == 4 ? 450 : 550, dsn ? dsn : "5.1.0",
				"<%.*s>: Recipient address rejected: %.*s", SV_ARG(recipient), SV_ARG(why)),
		NOTIFY_CLASS_BOUNCE);
}

struct smtpd_verdict smtpd_access_unlisted(struct smtpd_session *s, struct sv recipient)
{
	struct clnt_resolved r;
	struct smtpd_verdict v;
	struct err e = ERR_INIT;
	const char *table = NULL;

	if (!s->proc->smtpd.smtpd_reject_unlisted_recipient)
		return dunno;
	if (!resolve(s, recipient, &r, &v))
		return v;
	switch (smtpd_maps_listed(&s->proc->maps, s->proc->auth, &r, &table, smtpd_deadline(s), &e)) {
	case 1: return dunno;
	case 0: break;
	case SMTPD_MAPS_UNDELIVERABLE: return undeliverable(s, recipient, r.nexthop);
	default: return trouble(s, "Recipient address", &e);
	}
	v = refuse(s, unknown_code(&s->proc->smtpd, (enum rewrite_class)r.cls), "5.1.1",
		"<%.*s>: Recipient address rejected: User unknown%s%s", SV_ARG(recipient),
		s->proc->core.show_user_unknown_table_name ? " in " : "",
		s->proc->core.show_user_unknown_table_name ? table : "");
	return of_class(v, NOTIFY_CLASS_BOUNCE);
}

static struct smtpd_verdict non_fqdn(struct smtpd_session *s, struct sv address, const char *which)
{
	struct sv local, domain;
	/* <> and <postmaster> need no domain */
	if (address.len == 0 || sv_ieqz(address, "postmaster"))
		return dunno;
	if (addr_split(address, &local, &domain) && domain.len && domain.p[0] == '[')
		return dunno;
	if (domain.len && sv_chr(domain, '.') > 0 && domain.p[domain.len - 1] != '.')
		return dunno;
	return refuse(s, s->proc->smtpd.non_fqdn_reject_code, which[0] == 'S' ? "5.5.2" : "5.5.2",
		"<%.*s>: %s address rejected: need fully-qualified address", SV_ARG(address), which);
}

#define DOMAIN_TAKES_NO_MAIL 2

/* Has DOMAIN an MX or an address? 1 yes, 0 no, DOMAIN_TAKES_NO_MAIL (RFC 7505), -1 not known now. */
static int domain_exists(struct smtpd_session *s, struct sv domain, struct err *e)
{
	static const unsigned types[] = { CLNT_DNS_MX, CLNT_DNS_A, CLNT_DNS_AAAA };
	bool unsure = false;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct clnt_dns_answer answer;
		int rc = clnt_dns_query(s->proc->dns, domain, types[i], &s->txn_arena, &answer,
			smtpd_deadline(s), e);
		if (rc == 1 && answer.n)
			return clnt_dns_is_null_mx(&answer) ? DOMAIN_TAKES_NO_MAIL : 1;
		unsure |= rc < 0;
	}
	return unsure ? -1 : 0;
}

static struct smtpd_verdict unknown_domain(struct smtpd_session *s, struct sv address, bool sender)
{
	const char *which = sender ? "Sender" : "Recipient";
	struct sv local, domain;
	struct clnt_resolved r;
	struct smtpd_verdict v;
	struct err e = ERR_INIT;

	if (address.len == 0 || !addr_split(address, &local, &domain) || domain.len == 0)
		return dunno;
	if (domain.p[0] == '[')
		return dunno;
	if (!resolve(s, address, &r, &v))
		return v;
	if (r.cls != REWRITE_CLASS_DEFAULT) /* domains of our own need no DNS */
		return dunno;
	switch (domain_exists(s, domain, &e)) {
	case 1: return dunno;
	case DOMAIN_TAKES_NO_MAIL: /* RFC 7505 4.1, 4.2 */
		return refuse(s, sender ? 550 : 556, sender ? "5.7.27" : "5.1.10",
			"<%.*s>: %s address rejected: Domain %.*s does not accept mail (nullMX)", SV_ARG(address),
			which, SV_ARG(domain));
	case 0:
		return refuse(s, s->proc->smtpd.unknown_address_reject_code, sender ? "4.1.8" : "4.1.2",
			"<%.*s>: %s address rejected: Domain not found", SV_ARG(address), which);
	default:
		return refuse(s, 450, "4.4.3", "<%.*s>: %s address rejected: Domain lookup failed, try "
					      "again later", SV_ARG(address), which);
	}
}

static struct smtpd_verdict bad_helo(struct smtpd_session *s, bool fqdn_only)
{
	struct sv h = s->helo;
	bool literal = h.len > 2 && h.p[0] == '[' && addr_domain_valid(h, 0);

	if (h.len == 0 || literal)
		return dunno;
	if (!fqdn_only && !addr_hostname_valid(h))
		return refuse(s, s->proc->smtpd.invalid_hostname_reject_code, "5.5.2",
			"<%.*s>: Helo command rejected: Invalid name", SV_ARG(h));
	if (fqdn_only && (!addr_hostname_valid(h) || sv_chr(h, '.') < 0))
		return refuse(s, s->proc->smtpd.non_fqdn_reject_code, "5.5.2",
			"<%.*s>: Helo command rejected: need fully-qualified hostname", SV_ARG(h));
	return dunno;
}

/* What is refused by a bare "reject" or "defer" depends on where it stands. */
static struct smtpd_verdict refuse_all(struct smtpd_session *s, enum smtpd_stage stage, struct sv rcpt,
	bool defer)
{
	int code = defer ? 450 : 554;
	const char *dsn = defer ? "4.7.1" : "5.7.1";
	const char *tail = defer ? "try again later" : "Access denied";

	switch (stage) {
	case SMTPD_STAGE_HELO:
		return refuse(s, code, dsn, "<%.*s>: Helo command rejected: %s", SV_ARG(s->helo), tail);
	case SMTPD_STAGE_SENDER:
		return refuse(s, code, dsn, "<%.*s>: Sender address rejected: %s",
			SV_ARG(s->txn.mail.sender), tail);
	case SMTPD_STAGE_RELAY:
	case SMTPD_STAGE_RECIPIENT:
		return refuse(s, code, dsn, "<%.*s>: Recipient address rejected: %s", SV_ARG(rcpt), tail);
	case SMTPD_STAGE_DATA:
		return refuse(s, code, dsn, "<DATA>: Data command rejected: %s", tail);
	case SMTPD_STAGE_END_OF_DATA:
		return refuse(s, code, dsn, "<END-OF-MESSAGE>: End-of-data rejected: %s", tail);
	case SMTPD_STAGE_CLIENT:
	case SMTPD_STAGES:
	default:
		return refuse(s, code, dsn, "<%s>: Client host rejected: %s", s->peer.namaddr, tail);
	}
}

/* permit_tls_clientcerts: a certificate that relay_clientcerts names, whoever signed it. */
static struct smtpd_verdict clientcert(struct smtpd_session *s)
{
	struct err e = ERR_INIT;
	int rc = smtpd_tls_clientcert_listed(s, &e);
	return rc < 0 ? trouble(s, "relay_clientcerts", &e) : rc == 1 ? permit : dunno;
}

static struct smtpd_verdict apply(struct smtpd_session *s, const struct smtpd_rules *list,
	const struct smtpd_rule *r, enum smtpd_stage stage, struct sv rcpt)
{
	struct smtpd_verdict v;

	switch (r->kind) {
	case SMTPD_PERMIT: return permit;
	case SMTPD_REJECT: return refuse_all(s, stage, rcpt, false);
	case SMTPD_DEFER: return refuse_all(s, stage, rcpt, true);
	case SMTPD_PERMIT_MYNETWORKS: return s->peer.mynetworks ? permit : dunno;
	case SMTPD_PERMIT_SASL: return dunno; /* nobody has signed in: AUTH is not offered */
	case SMTPD_PERMIT_TLS_CLIENTCERTS: return clientcert(s);
	case SMTPD_PERMIT_TLS_ALL_CLIENTCERTS:
		return s->tls && tls_facts(s->tls)->peer >= TLS_PEER_TRUSTED ? permit : dunno;
	case SMTPD_REJECT_PLAINTEXT_SESSION:
		return s->tls ? dunno : refuse(s, s->proc->smtpd.plaintext_reject_code, "4.7.1",
			"Session encryption is required");
	case SMTPD_PERMIT_AUTH_DESTINATION:
		v = rcpt.len ? auth_destination(s, rcpt, 554, "5.7.1") : dunno;
		return v.action == SMTPD_REFUSE && v.code == 554 ? dunno : v;
	case SMTPD_REJECT_UNAUTH_DESTINATION:
		v = auth_destination(s, rcpt, s->proc->smtpd.relay_domains_reject_code, "5.7.1");
		return v.action == SMTPD_OK ? dunno : v;
	case SMTPD_DEFER_UNAUTH_DESTINATION:
		v = auth_destination(s, rcpt, 454, "4.7.1");
		return v.action == SMTPD_OK ? dunno : v;
	case SMTPD_REJECT_UNLISTED_RECIPIENT: return smtpd_access_unlisted(s, rcpt);
	case SMTPD_REJECT_NON_FQDN_SENDER: return non_fqdn(s, s->txn.mail.sender, "Sender");
	case SMTPD_REJECT_NON_FQDN_RECIPIENT: return rcpt.len ? non_fqdn(s, rcpt, "Recipient") : dunno;
	case SMTPD_REJECT_UNKNOWN_SENDER_DOMAIN: return unknown_domain(s, s->txn.mail.sender, true);
	case SMTPD_REJECT_UNKNOWN_RECIPIENT_DOMAIN: return unknown_domain(s, rcpt, false);
	case SMTPD_REJECT_INVALID_HELO: return bad_helo(s, false);
	case SMTPD_REJECT_NON_FQDN_HELO: return bad_helo(s, true);
	case SMTPD_REJECT_UNAUTH_PIPELINING:
		/* smtpd_session.c refuses that by itself; here for smtpd_forbid_unauth_pipelining=no */
		return stage == SMTPD_STAGE_DATA && stream_buffered(s->io).len
			? refuse(s, 503, "5.5.0", "<DATA>: Data command rejected: Improper use of SMTP "
						  "command pipelining")
			: dunno;
	case SMTPD_REJECT_UNKNOWN_CLIENT:
		return s->peer.name_status == 2 ? dunno
			: refuse(s, 450, "4.7.25", "Client host rejected: cannot find your hostname, [%s]",
				  s->peer.addr);
	case SMTPD_UNSUPPORTED:
	default:
		log_warn("%s: \"%s\" is not a restriction of this version", list->parameter, r->name);
		return of_class(refuse(s, 451, "4.3.5", "Server configuration error"), NOTIFY_CLASS_SOFTWARE);
	}
}

struct smtpd_verdict smtpd_access_check(struct smtpd_session *s, enum smtpd_stage stage, struct sv recipient)
{
	const struct smtpd_rules *list = &s->proc->access.stage[stage];

	for (size_t i = 0; i < list->n; i++) {
		struct smtpd_verdict v = apply(s, list, &list->rule[i], stage, recipient);
		if (v.action == SMTPD_REFUSE && list->rule[i].warn_only) {
			log_info("%s: reject_warning: %s from %s: %d %s %s",
				s->txn.queue_id ? s->txn.queue_id : "NOQUEUE", s->where, s->peer.namaddr,
				v.code, v.dsn, v.text);
			continue;
		}
		if (v.action != SMTPD_DUNNO)
			return v;
	}
	return dunno;
}
