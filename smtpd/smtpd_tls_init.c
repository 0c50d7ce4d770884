/* From parameters to a context: once a process, before its jail closes. */
#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

/* A value that is wrong: where it stands, and why. */
static int wrong(const struct params_tls *p, const char *name, struct err *e)
{
	return err_prefix(e, "%s: %s", config_where(p->config, name), name);
}

static int choose_level(struct smtpd_tls *t, struct err *e)
{
	const struct params_tls *p = &t->params;
	struct sv word = sv_trim(sv_z(p->smtpd_tls_security_level));
	enum tls_level level = p->smtpd_enforce_tls ? TLS_LEVEL_ENCRYPT
		: p->smtpd_use_tls		    ? TLS_LEVEL_MAY
						    : TLS_LEVEL_NONE;
	if (word.len) {
		int rc = tls_level_parse(word, &level);
		if (rc < 0) {
			err_set(e, ERR_CONFIG, "\"%.*s\" is none of none, may, encrypt", SV_ARG(word));
			return wrong(p, "smtpd_tls_security_level", e);
		}
		if (rc == 0 || level > TLS_LEVEL_ENCRYPT) {
			log_warn("%s: smtpd_tls_security_level: \"%.*s\" is for clients: a server's is \"encrypt\"",
				config_where(p->config, "smtpd_tls_security_level"), SV_ARG(word));
			level = TLS_LEVEL_ENCRYPT;
		}
	}
	t->wrapper = p->smtpd_tls_wrappermode;
	t->level = t->wrapper ? TLS_LEVEL_ENCRYPT : level;
	return 0;
}

static int set_protocols(const struct smtpd_tls *t, struct tls_common *c, struct err *e)
{
	const struct params_tls *p = &t->params;
	bool must = t->level >= TLS_LEVEL_ENCRYPT;
	const char *value = must ? p->smtpd_tls_mandatory_protocols : p->smtpd_tls_protocols;
	if (tls_protocols_parse(value, &c->protocols, e) < 0)
		return wrong(p, must ? "smtpd_tls_mandatory_protocols" : "smtpd_tls_protocols", e);
	return 0;
}

static int set_ciphers(const struct smtpd_tls *t, struct buf *ciphers, struct buf *groups, struct err *e)
{
	const struct params_tls *p = &t->params;
	const struct tls_grades grades = { .high = p->tls_high_cipherlist, .medium = p->tls_medium_cipherlist,
		.low = p->tls_low_cipherlist, .export = p->tls_export_cipherlist, .null = p->tls_null_cipherlist };
	const struct tls_curves curves = { .automatic = p->tls_eecdh_auto_curves,
		.strong = p->tls_eecdh_strong_curve, .ultra = p->tls_eecdh_ultra_curve };
	bool must = t->level >= TLS_LEVEL_ENCRYPT;
	if (tls_ciphers_compose(&grades, must ? p->smtpd_tls_mandatory_ciphers : p->smtpd_tls_ciphers,
		    p->smtpd_tls_exclude_ciphers, must ? p->smtpd_tls_mandatory_exclude_ciphers : NULL, ciphers, e) < 0)
		return wrong(p, must ? "smtpd_tls_mandatory_ciphers" : "smtpd_tls_ciphers", e);
	if (tls_groups_compose(&curves, p->smtpd_tls_eecdh_grade, groups, e) < 0)
		return wrong(p, "smtpd_tls_eecdh_grade", e);
	return 0;
}

static struct tls_ctx *make_context(struct smtpd_tls *t, const char *service, struct tls_keys *keys, struct err *e)
{
	const struct params_tls *p = &t->params;
	struct buf ciphers, groups;
	struct tls_ctx *ctx = NULL;
	struct tls_server_config c = {
		.common = {
			.keys = keys,
			.trust = { p->smtpd_tls_CAfile, p->smtpd_tls_CApath, p->tls_append_default_CA },
			.verify_depth = p->smtpd_tls_ccert_verifydepth,
			.digest = p->smtpd_tls_fingerprint_digest,
			.loglevel = p->smtpd_tls_loglevel,
		},
		.server_preference = p->tls_preempt_cipherlist,
		.dh_file = p->smtpd_tls_dh1024_param_file,
		.ask_certificate = p->smtpd_tls_ask_ccert || p->smtpd_tls_req_ccert,
		.alpn = "smtp",
		.service = service,
		.ticket_lifetime = p->smtpd_tls_session_cache_timeout,
		.tickets = t->tickets,
		.sni = maps_empty(t->sni_maps) ? NULL : smtpd_tls_keys_for,
		.sni_arg = t,
	};
	buf_init(&ciphers, 16384);
	buf_init(&groups, 1024);
	if (tls_options_parse(p->tls_ssl_options, &c.common.options, e) < 0)
		wrong(p, "tls_ssl_options", e);
	else if (set_protocols(t, &c.common, e) == 0 && set_ciphers(t, &ciphers, &groups, e) == 0) {
		c.common.ciphers = buf_z(&ciphers);
		c.common.groups = buf_z(&groups);
		ctx = tls_ctx_server(&c, e);
	}
	buf_free(&ciphers);
	buf_free(&groups);
	return ctx;
}

static void make_usable(struct smtpd_tls *t, const char *service)
{
	const struct params_tls *p = &t->params;
	const struct tls_key_files files = { p->smtpd_tls_chain_files, p->smtpd_tls_cert_file, p->smtpd_tls_key_file,
		p->smtpd_tls_eccert_file, p->smtpd_tls_eckey_file, p->smtpd_tls_dcert_file, p->smtpd_tls_dkey_file };
	struct err e = ERR_INIT;

	if (tls_key_files_none(&files)) {
		log_error("TLS is asked for, but there is no certificate: set smtpd_tls_chain_files (service %s)",
			service);
		t->offered = t->level >= TLS_LEVEL_ENCRYPT;
		return;
	}
	struct tls_keys *keys = tls_keys_open(&files, &e);
	for (size_t i = 0; keys && tls_keys_warning(keys, i); i++)
		log_warn("%s", tls_keys_warning(keys, i));
	t->ctx = keys ? make_context(t, service, keys, &e) : NULL;
	tls_keys_free(keys);
	if (!t->ctx)
		log_error("TLS cannot be used (service %s): %s; `merpati check` tells when it is mended", service,
			e.text);
}

int smtpd_tls_init(struct smtpd_process *proc, struct server *s, struct err *e)
{
	struct smtpd_tls *t = &proc->tls;
	if (params_tls_load(server_config(s), &t->params, e) < 0 || choose_level(t, e) < 0)
		return -1;
	t->sni_maps = maps_open("tls_server_sni_maps", t->params.tls_server_sni_maps, &proc->maps_env, 0, e);
	t->clientcerts = t->sni_maps ? maps_open("relay_clientcerts", proc->smtpd.relay_clientcerts, &proc->maps_env,
					       0, e) : NULL;
	if (!t->clientcerts)
		return -1;
	if (t->level == TLS_LEVEL_NONE)
		return 0;
	t->offered = true;
	t->tickets = tls_tickets_new();
	make_usable(t, server_service(s));
	if (t->level < TLS_LEVEL_ENCRYPT && t->params.smtpd_tls_req_ccert)
		log_warn("%s: smtpd_tls_req_ccert: TLS is not demanded (smtpd_tls_security_level), so that a "
			 "certificate is asked for only", config_where(t->params.config, "smtpd_tls_req_ccert"));
	return 0;
}

void smtpd_tls_new_tickets(struct server *s, struct sv keys)
{
	struct smtpd_process *p = server_state(s);
	if (p && p->tls.tickets && tls_tickets_set(p->tls.tickets, keys) < 0)
		log_warn("master sent keys of tickets that are none: the old ones stay");
}
