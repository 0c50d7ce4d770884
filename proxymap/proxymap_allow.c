/* Which tables each class of callers may ask for. */
#include "lib/config/config.h"
#include "lib/config/mastercf.h"
#include "proxymap/proxymap.h"

/* Parameters of main.cf that hold tables, by the class of the programs that read them. */
static const char *const by_net[] = { "local_recipient_maps", "relay_recipient_maps", "virtual_alias_maps",
	"virtual_alias_domains", "virtual_mailbox_maps", "virtual_mailbox_domains", "canonical_maps",
	"recipient_canonical_maps", "sender_canonical_maps", "relay_domains", "mydestination", "mynetworks",
	"smtpd_client_event_limit_exceptions", "smtpd_sender_login_maps", "local_header_rewrite_clients",
	"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions",
	"smtpd_relay_restrictions", "smtpd_recipient_restrictions", "smtpd_data_restrictions",
	"smtpd_end_of_data_restrictions", "smtpd_forbid_bare_newline_exclusions",
	"tls_server_sni_maps", "relay_clientcerts" };
static const char *const by_out[] = { "smtp_generic_maps", "lmtp_generic_maps", "smtp_sasl_password_maps",
	"lmtp_sasl_password_maps", "smtp_tls_policy_maps", "lmtp_tls_policy_maps",
	"smtp_discard_ehlo_keyword_address_maps", "lmtp_discard_lhlo_keyword_address_maps", "mydestination" };
static const char *const by_queue[] = { "proxy_read_maps", "alias_maps", "transport_maps", "sender_bcc_maps",
	"recipient_bcc_maps", "relocated_maps", "sender_dependent_relayhost_maps",
	"sender_dependent_default_transport_maps" };

struct sv proxymap_table_name(struct sv table)
{
	return sv_istarts(table, SV("proxy:")) ? sv_from(table, 6) : table;
}

int proxymap_class(const char *listener)
{
	static const char *const names[PROXYMAP_CLASSES] = { [PROXYMAP_NET] = "net", [PROXYMAP_OUT] = "out",
		[PROXYMAP_QUEUE] = "queue" };
	for (int i = 0; i < PROXYMAP_CLASSES; i++)
		if (strcmp(listener, names[i]) == 0)
			return i;
	return -1;
}

/* The next word of a list; {...} belongs to the word that it stands in or is. */
static struct sv next_word(struct sv *rest)
{
	struct sv s = *rest;
	while (s.len && (ascii_is_blank(s.p[0]) || s.p[0] == ','))
		s = sv_from(s, 1);
	size_t n = 0, depth = 0;
	while (n < s.len && (depth || !(ascii_is_blank(s.p[n]) || s.p[n] == ','))) {
		depth += s.p[n] == '{';
		depth -= s.p[n] == '}' && depth;
		n++;
	}
	*rest = sv_from(s, n);
	return sv_upto(s, n);
}

void proxymap_allow_tables(struct htab *to, struct sv value)
{
	struct sv word;
	while ((word = next_word(&value)).len) {
		if (word.p[0] == '!')
			word = sv_from(word, 1);
		if (sv_chr(word, ':') > 0)
			htab_set(to, proxymap_table_name(word), to);
	}
}

static int allow_parameters(struct htab *to, const struct config *cfg, const char *const *names, size_t n,
	struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct buf value;
		buf_init(&value, CONFIG_VALUE_MAX);
		int rc = config_eval(cfg, names[i], &value, e);
		proxymap_allow_tables(to, buf_sv(&value));
		buf_free(&value);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* What -o of a service in master.cf says counts for the class of its program. */
static int allow_overrides(struct proxymap *p, const struct config *cfg, struct err *e)
{
	static const struct {
		const char *program;
		enum proxymap_class cls;
	} programs[] = { { "smtpd", PROXYMAP_NET }, { "login", PROXYMAP_NET }, { "smtp", PROXYMAP_OUT },
		{ "lmtp", PROXYMAP_OUT } };
	struct mastercf m;

	if (mastercf_open(config_dir(cfg), &m, e) < 0)
		return -1;
	int rc = 0;
	for (size_t i = 0; i < m.count && rc == 0; i++)
		for (size_t k = 0; k < ARRAY_LEN(programs); k++) {
			if (strcmp(m.services[i].command, programs[k].program) != 0)
				continue;
			for (size_t o = 0; o < m.services[i].noptions && rc == 0; o++) {
				struct buf value;
				buf_init(&value, CONFIG_VALUE_MAX);
				rc = config_expand(cfg, sv_z(m.services[i].options[o].value), &value, e);
				proxymap_allow_tables(&p->allowed[programs[k].cls], buf_sv(&value));
				buf_free(&value);
			}
		}
	mastercf_free(&m);
	return rc;
}

int proxymap_allow_load(struct proxymap *p, const struct config *cfg, struct err *e)
{
	if (allow_parameters(&p->allowed[PROXYMAP_NET], cfg, by_net, ARRAY_LEN(by_net), e) < 0 ||
		allow_parameters(&p->allowed[PROXYMAP_OUT], cfg, by_out, ARRAY_LEN(by_out), e) < 0 ||
		allow_parameters(&p->allowed[PROXYMAP_QUEUE], cfg, by_queue, ARRAY_LEN(by_queue), e) < 0)
		return -1;
	return allow_overrides(p, cfg, e);
}
