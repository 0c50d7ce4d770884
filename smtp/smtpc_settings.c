#include "smtp/smtpc_settings.h"

#include <sys/socket.h>

#include "lib/mail/addr.h"
#include "lib/sys/log.h"
#include "smtp/smtpc_ehlo.h"

/* What both names of the program have, as X(where it is kept, smtp's, lmtp's). */
#define COMMON(X)                                                                                          \
	X(order.shuffle, smtp_randomize_addresses, lmtp_randomize_addresses)                               \
	X(order.balance, smtp_balance_inet_protocols, lmtp_balance_inet_protocols)                         \
	X(ports.standard, smtp_tcp_port, lmtp_tcp_port)                                                    \
	X(fallback_relay, smtp_fallback_relay, lmtp_fallback_relay)                                        \
	X(generic_maps, smtp_generic_maps, lmtp_generic_maps)                                              \
	X(defer_without_address, smtp_defer_if_no_mx_address_found, lmtp_defer_if_no_mx_address_found)     \
	X(bind_address, smtp_bind_address, lmtp_bind_address)                                              \
	X(bind_address6, smtp_bind_address6, lmtp_bind_address6)                                           \
	X(bind_enforce, smtp_bind_address_enforce, lmtp_bind_address_enforce)                              \
	X(helo_name, smtp_helo_name, lmtp_lhlo_name)                                                       \
	X(skip_5xx, smtp_skip_5xx_greeting, lmtp_skip_5xx_greeting)                                        \
	X(quote, smtp_quote_rfc821_envelope, lmtp_quote_rfc821_envelope)                                   \
	X(skip_quit, smtp_skip_quit_response, lmtp_skip_quit_response)                                     \
	X(whole_requests, smtp_per_request_deadline, lmtp_per_request_deadline)                            \
	X(times.connect, smtp_connect_timeout, lmtp_connect_timeout)                                       \
	X(times.helo, smtp_helo_timeout, lmtp_lhlo_timeout)                                                \
	X(times.mail, smtp_mail_timeout, lmtp_mail_timeout)                                                \
	X(times.rcpt, smtp_rcpt_timeout, lmtp_rcpt_timeout)                                                \
	X(times.data_init, smtp_data_init_timeout, lmtp_data_init_timeout)                                 \
	X(times.data_xfer, smtp_data_xfer_timeout, lmtp_data_xfer_timeout)                                 \
	X(times.data_done, smtp_data_done_timeout, lmtp_data_done_timeout)                                 \
	X(times.rset, smtp_rset_timeout, lmtp_rset_timeout)                                                \
	X(times.quit, smtp_quit_timeout, lmtp_quit_timeout)                                                \
	X(keep, smtp_connection_cache_on_demand, lmtp_connection_cache_on_demand)                          \
	X(keep_always, smtp_connection_cache_destinations, lmtp_connection_cache_destinations)             \
	X(keep_idle_s, smtp_connection_cache_time_limit, lmtp_connection_cache_time_limit)                 \
	X(keep_age_s, smtp_connection_reuse_time_limit, lmtp_connection_reuse_time_limit)

/* Counts: not negative, by the table. */
#define COUNTS(X)                                                                                          \
	X(order.limit, smtp_mx_address_limit, lmtp_mx_address_limit)                                       \
	X(session_limit, smtp_mx_session_limit, lmtp_mx_session_limit)                                     \
	X(line_limit, smtp_line_length_limit, lmtp_line_length_limit)                                      \
	X(min_rate, smtp_min_data_rate, lmtp_min_data_rate)                                                \
	X(keep_count, smtp_connection_reuse_count_limit, lmtp_connection_reuse_count_limit)

static int family(const char *param, const char *value, enum smtpc_family *out, struct err *e)
{
	static const struct {
		const char *name;
		enum smtpc_family family;
	} names[] = { { "any", SMTPC_FAMILY_ANY }, { "ipv4", SMTPC_FAMILY_IPV4 }, { "ipv6", SMTPC_FAMILY_IPV6 } };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(value, names[i].name) == 0) {
			*out = names[i].family;
			return 0;
		}
	return err_set(e, ERR_CONFIG, "%s = %s: any, ipv4 or ipv6 is needed", param, value);
}

/* smtp_host_lookup: "dns" asks for MX records, too; "native" for addresses only. */
static int host_lookup(const char *param, const char *value, bool *mx, struct err *e)
{
	struct sv list = sv_z(value), word;
	*mx = false;
	while (smtpc_dest_take(&list, &word)) {
		if (sv_ieqz(word, "dns"))
			*mx = true;
		else if (!sv_ieqz(word, "native"))
			return err_set(e, ERR_CONFIG, "%s = %s: dns or native is needed", param, value);
	}
	return 0;
}

static int protocols(const char *value, struct smtpc_settings *out, struct err *e)
{
	struct sv list = sv_z(value), word;
	while (smtpc_dest_take(&list, &word)) {
		bool all = sv_ieqz(word, "all");
		out->ipv4 |= all || sv_ieqz(word, "ipv4");
		out->ipv6 |= all || sv_ieqz(word, "ipv6");
	}
	if (out->ipv4 || out->ipv6)
		return 0;
	return err_set(e, ERR_CONFIG, "inet_protocols = %s: all, ipv4 or ipv6 is needed", value);
}

static void discard(const char *param, const char *value, struct smtpc_settings *s)
{
	struct sv unknown;
	if (smtpc_ehlo_words(sv_z(value), &s->discard, &unknown) == 0)
		log_warn("%s: \"%.*s\" is no extension that is known here; ignored", param, SV_ARG(unknown));
}

static int load_smtp(const struct config *cfg, struct smtpc_settings *s, struct err *e)
{
	struct params_smtp p;
	if (params_smtp_load(cfg, &p, e) < 0)
		return -1;
#define X(field, smtp, lmtp) s->field = p.smtp;
	COMMON(X)
#undef X
#define X(field, smtp, lmtp) s->field = (unsigned)p.smtp;
	COUNTS(X)
#undef X
	s->always_ehlo = p.smtp_always_send_ehlo;
	s->never_ehlo = p.smtp_never_send_ehlo;
	discard("smtp_discard_ehlo_keywords", p.smtp_discard_ehlo_keywords, s);
	return family("smtp_address_preference", p.smtp_address_preference, &s->order.first, e) < 0 ||
			host_lookup("smtp_host_lookup", p.smtp_host_lookup, &s->use_mx, e) < 0
		? -1
		: 0;
}

static int load_lmtp(const struct config *cfg, struct smtpc_settings *s, struct err *e)
{
	struct params_lmtp p;
	if (params_lmtp_load(cfg, &p, e) < 0)
		return -1;
#define X(field, smtp, lmtp) s->field = p.lmtp;
	COMMON(X)
#undef X
#define X(field, smtp, lmtp) s->field = (unsigned)p.lmtp;
	COUNTS(X)
#undef X
	s->always_ehlo = true;
	s->assume_final = p.lmtp_assume_final;
	s->keep = s->keep && p.lmtp_cache_connection;
	discard("lmtp_discard_lhlo_keywords", p.lmtp_discard_lhlo_keywords, s);
	return family("lmtp_address_preference", p.lmtp_address_preference, &s->order.first, e) < 0 ||
			host_lookup("lmtp_host_lookup", p.lmtp_host_lookup, &s->use_mx, e) < 0
		? -1
		: 0;
}

bool smtpc_source_address(struct sv list, int family, char out[SMTPC_IP_MAX])
{
	struct sv word;
	size_t n = 0;
	out[0] = '\0';
	while (smtpc_dest_take(&list, &word)) {
		if (word.len > 2 && word.p[0] == '[' && sv_ends(word, SV("]")))
			word = sv_sub(word, 1, word.len - 2);
		bool v4 = addr_ipv4_valid(word);
		if (!v4 && !addr_ipv6_valid(word)) {
			out[0] = '\0'; /* "all", or a name: whatever it stands for */
			return false;
		}
		if ((family == AF_INET) != v4)
			continue;
		if (++n > 1 || sv_copyz(word, out, SMTPC_IP_MAX) < 0) {
			out[0] = '\0';
			return false;
		}
	}
	if (sv_starts(sv_z(out), SV("127.")) || strcmp(out, "::1") == 0)
		out[0] = '\0';
	return out[0] != '\0';
}

int smtpc_settings_load(const struct config *cfg, bool lmtp, struct smtpc_settings *out, struct err *e)
{
	struct params_core core;
	struct params_cleanup cleanup;
	struct params_other other;
	*out = (struct smtpc_settings){ .lmtp = lmtp };
	if (params_core_load(cfg, &core, e) < 0 || params_cleanup_load(cfg, &cleanup, e) < 0 ||
		params_other_load(cfg, &other, e) < 0)
		return -1;
	if ((lmtp ? load_lmtp(cfg, out, e) : load_smtp(cfg, out, e)) < 0 ||
		protocols(core.inet_protocols, out, e) < 0)
		return -1;
	(void)smtpc_source_address(sv_z(core.inet_interfaces), AF_INET, out->only4);
	(void)smtpc_source_address(sv_z(core.inet_interfaces), AF_INET6, out->only6);
	out->ports.lmtp = lmtp;
	out->ports.names = other.known_tcp_ports;
	out->use_mx = out->use_mx && !other.disable_dns_lookups;
	out->convert_8bit = !cleanup.disable_mime_output_conversion;
	out->ignore_mx_error = other.ignore_mx_lookup_error;
	if (sv_empty(sv_z(out->helo_name)))
		return err_set(e, ERR_CONFIG, "%s is empty", lmtp ? "lmtp_lhlo_name" : "smtp_helo_name");
	return 0;
}
