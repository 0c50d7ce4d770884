/* Parameters and keys of TLS: once a process, before its jail closes. */
#include "lib/server/server.h"
#include "lib/sys/log.h"
#include "smtp/smtpc.h"

#define SESSIONS_MAX 200 /* servers whose sessions are kept */

/* X(field, smtp_..., lmtp_...) */
#define SETTINGS(X)                                                                              \
	X(level_word, smtp_tls_security_level, lmtp_tls_security_level)                          \
	X(policy_table, smtp_tls_policy_maps, lmtp_tls_policy_maps)                              \
	X(use, smtp_use_tls, lmtp_use_tls)                                                       \
	X(enforce, smtp_enforce_tls, lmtp_enforce_tls)                                           \
	X(enforce_peername, smtp_tls_enforce_peername, lmtp_tls_enforce_peername)                \
	X(wrapper, smtp_tls_wrappermode, lmtp_tls_wrappermode)                                   \
	X(note_offer, smtp_tls_note_starttls_offer, lmtp_tls_note_starttls_offer)                \
	X(keys.chain_files, smtp_tls_chain_files, lmtp_tls_chain_files)                          \
	X(keys.cert, smtp_tls_cert_file, lmtp_tls_cert_file)                                     \
	X(keys.key, smtp_tls_key_file, lmtp_tls_key_file)                                        \
	X(keys.eccert, smtp_tls_eccert_file, lmtp_tls_eccert_file)                               \
	X(keys.eckey, smtp_tls_eckey_file, lmtp_tls_eckey_file)                                  \
	X(keys.dcert, smtp_tls_dcert_file, lmtp_tls_dcert_file)                                  \
	X(keys.dkey, smtp_tls_dkey_file, lmtp_tls_dkey_file)                                     \
	X(ca_file, smtp_tls_CAfile, lmtp_tls_CAfile)                                             \
	X(ca_path, smtp_tls_CApath, lmtp_tls_CApath)                                             \
	X(ciphers, smtp_tls_ciphers, lmtp_tls_ciphers)                                           \
	X(mandatory_ciphers, smtp_tls_mandatory_ciphers, lmtp_tls_mandatory_ciphers)             \
	X(exclude, smtp_tls_exclude_ciphers, lmtp_tls_exclude_ciphers)                           \
	X(mandatory_exclude, smtp_tls_mandatory_exclude_ciphers, lmtp_tls_mandatory_exclude_ciphers) \
	X(protocols, smtp_tls_protocols, lmtp_tls_protocols)                                     \
	X(mandatory_protocols, smtp_tls_mandatory_protocols, lmtp_tls_mandatory_protocols)       \
	X(verify_match, smtp_tls_verify_cert_match, lmtp_tls_verify_cert_match)                  \
	X(secure_match, smtp_tls_secure_cert_match, lmtp_tls_secure_cert_match)                  \
	X(fingerprint_match, smtp_tls_fingerprint_cert_match, lmtp_tls_fingerprint_cert_match)   \
	X(digest, smtp_tls_fingerprint_digest, lmtp_tls_fingerprint_digest)                      \
	X(server_name, smtp_tls_servername, lmtp_tls_servername)                                 \
	X(loglevel, smtp_tls_loglevel, lmtp_tls_loglevel)                                        \
	X(verify_depth, smtp_tls_scert_verifydepth, lmtp_tls_scert_verifydepth)                  \
	X(session_lifetime, smtp_tls_session_cache_timeout, lmtp_tls_session_cache_timeout)      \
	X(timeout, smtp_starttls_timeout, lmtp_starttls_timeout)

static int load(struct smtpc_tls *t, const struct config *cfg, struct err *e)
{
	struct params_smtp smtp;
	struct params_lmtp lmtp;
	struct params_qmgr qmgr;
	if (params_tls_load(cfg, &t->params, e) < 0 || params_qmgr_load(cfg, &qmgr, e) < 0 ||
		(t->lmtp ? params_lmtp_load(cfg, &lmtp, e) : params_smtp_load(cfg, &smtp, e)) < 0)
		return -1;
	t->backoff = qmgr.minimal_backoff_time;
#define X(field, s, l) t->set.field = t->lmtp ? lmtp.l : smtp.s;
	SETTINGS(X)
#undef X
	return 0;
}

static const char *prefix(const struct smtpc_tls *t)
{
	return t->lmtp ? "lmtp" : "smtp";
}

static int choose_level(struct smtpc_tls *t, struct err *e)
{
	const struct smtpc_tls_settings *s = &t->set;
	struct sv word = sv_trim(sv_z(s->level_word));
	t->level = s->enforce ? s->enforce_peername ? TLS_LEVEL_VERIFY : TLS_LEVEL_ENCRYPT
		: s->use      ? TLS_LEVEL_MAY
			      : TLS_LEVEL_NONE;
	if (word.len) {
		int rc = tls_level_parse(word, &t->level);
		if (rc <= 0)
			return err_set(e, ERR_CONFIG, "%s_tls_security_level = %.*s: %s: none, may, encrypt, "
				"fingerprint, verify and secure are", prefix(t), SV_ARG(word),
				rc == 0 ? "this version does not have it" : "no level");
	}
	if (s->wrapper && t->level < TLS_LEVEL_ENCRYPT) {
		log_warn("%s_tls_wrappermode needs %s_tls_security_level = encrypt, which is taken", prefix(t),
			prefix(t));
		t->level = TLS_LEVEL_ENCRYPT;
	}
	return 0;
}

/* Words that every policy falls back to: wrong ones are found now. */
static int check_words(const struct smtpc_tls *t, struct err *e)
{
	const char *const protocols[] = { t->set.protocols, t->set.mandatory_protocols };
	struct tls_protocols range;
	struct tls_policy scratch;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (tls_protocols_parse(protocols[i], &range, e) < 0)
			return err_prefix(e, "%s_tls_%sprotocols", prefix(t), i ? "mandatory_" : "");
	const struct {
		const char *name, *value;
	} match[] = { { "verify", t->set.verify_match }, { "secure", t->set.secure_match },
		{ "fingerprint", t->set.fingerprint_match } };
	for (size_t i = 0; i < ARRAY_LEN(match); i++) {
		scratch.nmatch = 0;
		if (tls_policy_add_match(&scratch, sv_z(match[i].value), i == 2, e) < 0)
			return err_prefix(e, "%s_tls_%s_cert_match", prefix(t), match[i].name);
	}
	return 0;
}

static int make_context(struct smtpc_tls *t, struct tls_keys *keys, struct err *e)
{
	const struct params_tls *p = &t->params;
	const struct tls_curves curves = { p->tls_eecdh_auto_curves, p->tls_eecdh_strong_curve,
		p->tls_eecdh_ultra_curve };
	struct tls_common c = { .keys = keys, .trust = { t->set.ca_file, t->set.ca_path, p->tls_append_default_CA },
		.protocols = { 0x303, 0x304 }, .verify_depth = t->set.verify_depth, .digest = t->set.digest,
		.loglevel = t->set.loglevel };
	struct buf groups;
	buf_init(&groups, 1024);
	if (tls_options_parse(p->tls_ssl_options, &c.options, e) < 0)
		err_prefix(e, "tls_ssl_options");
	else if (tls_groups_compose(&curves, "auto", &groups, e) == 0) {
		c.groups = buf_z(&groups);
		t->ctx = tls_ctx_client(&c, e);
	}
	buf_free(&groups);
	return t->ctx ? 0 : -1;
}

/* What is wrong here is told once, and again by each mail that needs TLS; others go on. */
static void make_usable(struct smtpc_tls *t)
{
	struct tls_keys *keys = NULL;
	bool with_keys = !tls_key_files_none(&t->set.keys);
	if (with_keys)
		keys = tls_keys_open(&t->set.keys, &t->broken);
	for (size_t i = 0; keys && tls_keys_warning(keys, i); i++)
		log_warn("%s", tls_keys_warning(keys, i));
	if ((with_keys && !keys) || make_context(t, keys, &t->broken) < 0)
		log_error("TLS cannot be used: %s: mail that needs it waits", t->broken.text);
	tls_keys_free(keys);
}

int smtpc_tls_init(struct smtpc_tls *t, struct server *s, bool lmtp, const struct maps_env *env, struct err *e)
{
	t->maps_env = *env;
	t->lmtp = lmtp;
	if (load(t, server_config(s), e) < 0 || choose_level(t, e) < 0 || check_words(t, e) < 0)
		return -1;
	t->policies = maps_open(lmtp ? "lmtp_tls_policy_maps" : "smtp_tls_policy_maps", t->set.policy_table,
		&t->maps_env, 0, e);
	if (!t->policies)
		return -1;
	struct err why = ERR_INIT;
	if (maps_check(t->policies, &why) < 0)
		log_warn("%s", why.text);
	t->sessions = tls_sessions_new(SESSIONS_MAX, t->set.session_lifetime);
	if (t->level > TLS_LEVEL_NONE || !maps_empty(t->policies))
		make_usable(t);
	return 0;
}
