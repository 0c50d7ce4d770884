/* Keys and certificates of the services that speak TLS: what smtpd would stumble over is told before it is started. */
#include "admin/merpati/check.h"
#include "lib/base/hash.h"
#include "lib/config/mastercf.h"
#include "lib/tls/tls_keys.h"

struct looking {
	const struct instance *in;
	check_tls_fn *say;
	void *arg;
	struct htab said; /* the same files are named by several services: once is enough */
};

static void tell(struct looking *l, bool wrong, const char *text)
{
	if (htab_get(&l->said, sv_z(text)))
		return;
	htab_set(&l->said, sv_z(text), l);
	l->say(l->arg, wrong, text);
}

static bool wants_tls(const struct params_tls *p)
{
	struct sv level = sv_trim(sv_z(p->smtpd_tls_security_level));
	if (p->smtpd_tls_wrappermode)
		return true;
	return level.len ? !sv_ieqz(level, "none") : p->smtpd_use_tls || p->smtpd_enforce_tls;
}

static void look_at_keys(struct looking *l, const struct params_tls *p)
{
	const struct tls_key_files files = { p->smtpd_tls_chain_files, p->smtpd_tls_cert_file, p->smtpd_tls_key_file,
		p->smtpd_tls_eccert_file, p->smtpd_tls_eckey_file, p->smtpd_tls_dcert_file, p->smtpd_tls_dkey_file };
	struct err e = ERR_INIT;
	if (!wants_tls(p))
		return;
	if (tls_key_files_none(&files)) {
		tell(l, true, "TLS is asked for, but there is no certificate: set smtpd_tls_chain_files");
		return;
	}
	struct tls_keys *keys = tls_keys_open(&files, &e);
	if (!keys)
		tell(l, true, e.text);
	for (size_t i = 0; keys && tls_keys_warning(keys, i); i++)
		tell(l, false, tls_keys_warning(keys, i));
	tls_keys_free(keys);
}

/* As the service itself reads it: main.cf, then its -o options. */
static void look_at_service(struct looking *l, const struct service *s)
{
	struct params_tls p;
	struct err e = ERR_INIT;
	struct config *cfg = config_open(l->in->dir, &e);
	int rc = cfg ? config_service(cfg, s->name, &e) : -1;
	for (size_t i = 0; rc == 0 && i < s->noptions; i++)
		rc = config_override(cfg, s->options[i].name, s->options[i].value, &e);
	if (rc == 0)
		rc = params_tls_load(cfg, &p, &e);
	if (rc == 0)
		look_at_keys(l, &p);
	else
		tell(l, true, e.text);
	config_free(cfg);
}

void check_tls_each(const struct instance *in, check_tls_fn *say, void *arg)
{
	struct looking l = { .in = in, .say = say, .arg = arg };
	struct mastercf m;
	struct err e = ERR_INIT;
	if (mastercf_open(in->dir, &m, &e) < 0)
		return; /* told by whoever looks at services */
	htab_init(&l.said, (struct hash_seed){ 0, 0 });
	for (size_t i = 0; i < m.count; i++)
		if (strcmp(m.services[i].command, "smtpd") == 0)
			look_at_service(&l, &m.services[i]);
	htab_free(&l.said);
	mastercf_free(&m);
}

static void found(void *arg, bool wrong, const char *text)
{
	check_finding(arg, wrong, "%s", text);
}

void check_tls(struct check *c)
{
	check_tls_each(c->in, found, c);
}
