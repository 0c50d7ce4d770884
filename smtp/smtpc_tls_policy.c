/* What is demanded of a server: the destination's entry in smtp_tls_policy_maps, and the parameters behind it. */
#include "lib/mail/addr.h"
#include "lib/sys/log.h"
#include "smtp/smtpc.h"

#define DSN_POLICY DSN(4, 7, 5)

static int trouble(struct smtpc_tls *t, struct sv key, const struct err *e, struct smtpc_why *why)
{
	log_warn("%s: \"%.*s\": %s", maps_title(t->policies), SV_ARG(key), e->text);
	smtpc_because(why, DSN_POLICY, "client TLS configuration problem");
	return -1;
}

/*
 * The next hop as it is written; a domain's parents, too (".example.org"): those are entries for the domains of
 * recipients, never for what has brackets or a port. 1, 0, -1.
 */
static int find(struct maps *m, struct sv dest, struct buf *value, struct err *e)
{
	char lower[300];
	if (dest.len >= sizeof(lower))
		return 0;
	for (size_t i = 0; i < dest.len; i++)
		lower[i] = ascii_lower(dest.p[i]);
	struct sv key = sv_n(lower, dest.len);
	int rc = maps_find(m, key, value, e);
	if (!addr_hostname_valid(key))
		return rc;
	for (ptrdiff_t dot; rc == 0 && (dot = sv_chr(key, '.')) >= 0;) {
		struct sv parent = sv_from(key, (size_t)dot);
		rc = maps_find(m, parent, value, e);
		key = sv_from(parent, 1);
	}
	return rc;
}

/* "hostname", "nexthop", "dot-nexthop" become names; others are names. NULL: no memory. */
static const char *name_for(struct sv word, const struct smtpc_place *to, struct arena *a)
{
	struct sv host = to->addr ? to->addr->host : to->dest->name;
	if (sv_ieqz(word, "hostname"))
		return arena_strdup(a, host);
	if (sv_ieqz(word, "nexthop"))
		return arena_strdup(a, to->dest->name);
	if (sv_ieqz(word, "dot-nexthop"))
		return arena_printf(a, ".%.*s", SV_ARG(to->dest->name));
	return arena_strdup(a, word);
}

static int set_match(struct smtpc_tls *t, struct tls_policy *line, const struct smtpc_place *to, struct arena *a,
	struct smtpc_policy *out, struct err *e)
{
	bool prints = line->level == TLS_LEVEL_FINGERPRINT;
	const char *standard = prints			? t->set.fingerprint_match
		: line->level == TLS_LEVEL_SECURE ? t->set.secure_match
						  : t->set.verify_match;
	if (line->nmatch == 0 && tls_policy_add_match(line, sv_z(standard), prints, e) < 0)
		return -1;
	const char **names = arena_array(a, line->nmatch + 1, sizeof(*names));
	for (size_t i = 0; names && i < line->nmatch; i++)
		if (!(names[i] = prints ? arena_strdup(a, line->match[i]) : name_for(line->match[i], to, a)))
			names = NULL;
	if (!names)
		return err_set(e, ERR_TEMP, "no memory for the names of a server");
	if (prints && line->nmatch == 0)
		return err_set(e, ERR_CONFIG, "level fingerprint, and no fingerprint is given");
	if (prints) {
		out->tls.fingerprint = names;
		out->tls.nfingerprint = line->nmatch;
	} else {
		out->tls.match = names;
		out->tls.nmatch = line->nmatch;
	}
	return 0;
}

static int set_ciphers(struct smtpc_tls *t, const struct tls_policy *line, struct arena *a, struct smtpc_policy *out,
	struct err *e)
{
	const struct params_tls *p = &t->params;
	const struct tls_grades grades = { .high = p->tls_high_cipherlist, .medium = p->tls_medium_cipherlist,
		.low = p->tls_low_cipherlist, .export = p->tls_export_cipherlist, .null = p->tls_null_cipherlist };
	bool must = line->level >= TLS_LEVEL_ENCRYPT;
	const char *grade = must ? t->set.mandatory_ciphers : t->set.ciphers;
	struct buf list;
	if (line->ciphers.len)
		grade = arena_strdup(a, line->ciphers);
	char *more = arena_printf(a, "%s %.*s", must ? t->set.mandatory_exclude : "", SV_ARG(line->exclude));
	if (!grade || !more)
		return err_set(e, ERR_TEMP, "no memory for a list of ciphers");
	buf_init(&list, 16384);
	int rc = tls_ciphers_compose(&grades, grade, t->set.exclude, more, &list, e);
	if (rc == 0 && !(out->tls.ciphers = arena_strdup(a, buf_sv(&list))))
		rc = err_set(e, ERR_TEMP, "no memory for a list of ciphers");
	buf_free(&list);
	return rc;
}

static int set_protocols(struct smtpc_tls *t, const struct tls_policy *line, struct arena *a,
	struct smtpc_policy *out, struct err *e)
{
	const char *range = line->level >= TLS_LEVEL_ENCRYPT ? t->set.mandatory_protocols : t->set.protocols;
	if (line->protocols.len)
		range = arena_strdup(a, line->protocols);
	return range ? tls_protocols_parse(range, &out->tls.protocols, e) : err_set(e, ERR_TEMP, "no memory");
}

/* A name to ask for (SNI); an address is none (RFC 6066 3). */
static void set_server_name(struct smtpc_tls *t, const struct tls_policy *line, const struct smtpc_place *to,
	struct arena *a, struct smtpc_policy *out)
{
	char lower[256];
	struct sv word = line->server_name.len ? line->server_name : sv_z(t->set.server_name);
	const char *name = word.len ? name_for(word, to, a) : NULL;
	if (name && tls_sni_name(sv_z(name), lower) == 1)
		out->tls.server_name = arena_strdup(a, sv_z(lower));
}

/* Sessions are used again under the same rules only: whoever has to be more careful later begins anew. */
static int set_key(struct smtpc_tls *t, const struct smtpc_place *to, struct arena *a, struct smtpc_policy *out,
	struct err *e)
{
	struct buf key;
	buf_init(&key, 16384);
	buf_printf(&key, "%s:%u %s %x-%x %s %s", to->addr->ip, to->dest->port, tls_level_name(out->level),
		(unsigned)out->tls.protocols.min, (unsigned)out->tls.protocols.max, out->tls.ciphers,
		out->tls.server_name ? out->tls.server_name : "");
	for (size_t i = 0; i < out->tls.nmatch; i++)
		buf_printf(&key, " %s", out->tls.match[i]);
	for (size_t i = 0; i < out->tls.nfingerprint; i++)
		buf_printf(&key, " %s", out->tls.fingerprint[i]);
	out->key = out->tls.session_key = key.overflow ? NULL : arena_strdup(a, buf_sv(&key));
	out->tls.sessions = t->sessions;
	buf_free(&key);
	return out->key ? 0 : err_set(e, ERR_TEMP, "the policy is too long");
}

static int complete(struct smtpc_tls *t, struct tls_policy *line, const struct smtpc_place *to, struct arena *a,
	struct smtpc_policy *out, struct err *e)
{
	out->level = out->tls.level = line->level;
	out->tls.wildcard_many = t->params.tls_wildcard_matches_multiple_labels;
	if (line->level == TLS_LEVEL_NONE)
		return 0;
	if (set_match(t, line, to, a, out, e) < 0 || set_ciphers(t, line, a, out, e) < 0 ||
		set_protocols(t, line, a, out, e) < 0)
		return -1;
	set_server_name(t, line, to, a, out);
	return set_key(t, to, a, out, e);
}

int smtpc_tls_policy(struct smtpc_tls *t, struct smtpc_place *to, struct arena *a, struct smtpc_why *why)
{
	struct tls_policy line = { .level = t->level };
	struct err e = ERR_INIT;
	struct buf value;
	to->policy = (struct smtpc_policy){ .level = TLS_LEVEL_NONE, .key = "none" };
	if (!to->addr) /* a socket of this machine */
		return 0;
	buf_init(&value, MAP_VALUE_MAX);
	int rc = maps_empty(t->policies) ? 0 : find(t->policies, to->dest->text, &value, &e);
	if (rc == 1)
		rc = tls_policy_parse(buf_sv(&value), &line, &e);
	if (rc >= 0)
		rc = complete(t, &line, to, a, &to->policy, &e);
	buf_free(&value);
	return rc < 0 ? trouble(t, to->dest->text, &e, why) : 0;
}
