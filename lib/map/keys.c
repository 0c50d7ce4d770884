#include "lib/map/keys.h"

#include "lib/mail/addr.h"

static void add(struct map_keys *k, struct sv key, bool partial, bool no_ext)
{
	if (k->n < MAP_KEYS_MAX && key.len > 0)
		k->v[k->n++] = (struct map_key){ .key = key, .partial = partial, .no_ext = no_ext };
}

/* A key of two parts, kept in the structure. */
static struct sv join(struct map_keys *k, struct sv a, struct sv b)
{
	if (a.len + b.len > sizeof(k->text) - k->used)
		return SV_NONE;
	char *at = k->text + k->used;
	memcpy(at, a.p, a.len);
	memcpy(at + a.len, b.p, b.len);
	k->used += a.len + b.len;
	return sv_n(at, a.len + b.len);
}

static void start(struct map_keys *k)
{
	k->n = 0;
	k->used = 0;
	k->ext = SV_NONE;
}

struct parts {
	struct sv local, user, at_domain; /* at_domain: "@domain", or empty */
	bool ext;
};

/* False: too long to be in any table. */
static bool take_apart(struct map_keys *k, struct sv address, const struct map_key_rules *rules,
		       struct parts *out)
{
	struct sv domain, ext = SV_NONE;
	char delimiter = '\0';
	start(k);
	if (address.len == 0 || address.len > MAP_KEYS_ADDR_MAX)
		return false;
	bool has_domain = addr_split(address, &out->local, &domain);
	if (!has_domain)
		out->local = address;
	out->at_domain = sv_from(address, out->local.len);
	out->user = out->local;
	out->ext = rules->delimiters && *rules->delimiters &&
		   addr_split_ext(out->local, rules->delimiters, rules->owner_request_special,
				  &out->user, &ext, &delimiter) == 1;
	if (out->ext)
		k->ext = sv_sub(out->local, out->user.len, out->local.len - out->user.len);
	return true;
}

/* The domain, then each parent: ".parent", or "parent" where those match subdomains. */
static void add_domains(struct map_keys *k, struct sv domain, bool parents)
{
	add(k, domain, true, false);
	ptrdiff_t dot;
	/* a literal has no parents */
	if (domain.len > 0 && domain.p[0] == '[')
		return;
	while ((dot = sv_chr(sv_from(domain, 1), '.')) >= 0) {
		domain = sv_from(domain, (size_t)dot + 1);
		add(k, parents ? sv_from(domain, 1) : domain, true, false);
	}
}

void map_keys_addr(struct map_keys *out, struct sv address, const struct map_key_rules *rules)
{
	struct parts p;
	if (!take_apart(out, address, rules, &p))
		return;
	add(out, address, false, false);
	if (p.at_domain.len == 0) {
		if (p.ext)
			add(out, p.user, true, true);
		return;
	}
	if (p.ext)
		add(out, join(out, p.user, p.at_domain), true, true);
	if (rules->with_domain) {
		/* access(5): the domain comes before "user@" */
		add_domains(out, sv_from(p.at_domain, 1), rules->parents);
		add(out, join(out, p.local, SV("@")), true, false);
		if (p.ext)
			add(out, join(out, p.user, SV("@")), true, true);
		return;
	}
	if (rules->local) {
		add(out, p.local, true, false);
		if (p.ext)
			add(out, p.user, true, true);
	}
	if (!rules->no_at_domain)
		add(out, p.at_domain, true, false);
}

void map_keys_transport(struct map_keys *out, struct sv address, const struct map_key_rules *rules)
{
	struct parts p;
	if (!take_apart(out, address, rules, &p))
		return;
	add(out, address, false, false);
	if (p.ext)
		add(out, join(out, p.user, p.at_domain), true, true);
	if (p.at_domain.len > 1)
		add_domains(out, sv_from(p.at_domain, 1), rules->parents);
	add(out, SV("*"), true, false);
}

void map_keys_domain(struct map_keys *out, struct sv domain, bool parents)
{
	start(out);
	if (domain.len == 0 || domain.len > MAP_KEYS_ADDR_MAX)
		return;
	add_domains(out, domain, parents);
	out->v[0].partial = false;
}

void map_keys_ip(struct map_keys *out, struct sv ip)
{
	start(out);
	add(out, ip, false, false);
	char separator = sv_chr(ip, ':') >= 0 ? ':' : '.';
	ptrdiff_t at;
	while ((at = sv_rchr(ip, separator)) > 0) {
		ip = sv_upto(ip, (size_t)at);
		add(out, ip, true, false);
	}
}

void map_keys_one(struct map_keys *out, struct sv key)
{
	start(out);
	add(out, key, false, false);
}

struct sv map_keys_unmatched_ext(const struct map_keys *keys, size_t which)
{
	bool bare = which < keys->n && keys->v[which].no_ext;
	return bare ? keys->ext : SV_NONE;
}
