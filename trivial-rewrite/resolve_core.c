/*
 * Finding the final form of a recipient:
 *
 *     work = address
 *     repeat
 *         drop a dot at the end, and an '@' at the end if resolve_null_domain
 *         user@domain, domain not ours         -> done, foreign
 *         user@domain, domain ours             -> remember domain, work = user
 *         '@', '%' or '!' left in work         -> rewrite, again
 *         nothing left                         -> work = empty_address_recipient, again
 *         no domain seen at all                -> work = work@myhostname, again
 *         otherwise                            -> done, ours: work@remembered domain
 *
 * 1. Each round shortens the address or is one of two that happen at most once in a sane setup; the
 *    bound catches the rest (an empty_address_recipient that is itself empty).
 * 2. What leaves this loop as ours has no routing operator in its local part, unless the operator
 * is switched off in main.cf.
 */
#include "trivial-rewrite/resolve_core.h"

#include "lib/mail/addr.h"

#define WORK_MAX (4 * ADDR_MAX)

struct resolving {
	const struct resolve_rules *r;
	struct sv sender;
	struct arena *arena;
	struct err *e;
	struct buf work;
	struct buf next;  /* the other half of a rewrite */
	struct sv domain; /* remembered domain of ours */
	bool saw_domain;
	bool foreign;
};

static int list_has(
        const struct resolve_rules *r, enum resolve_list which, struct sv domain, struct err *e)
{
	return r->ops.list(r->ops.ctx, which, domain, e);
}

/* Is DOMAIN one of which this host is the final destination? 1, 0, -1. */
static int domain_is_ours(struct resolving *s, struct sv domain)
{
	struct sv ip;
	int family;
	if (sv_ends(domain, SV(".")))
		domain = sv_upto(domain, domain.len - 1);
	if (domain.len == 0 || sv_ends(domain, SV(".")))
		return 0;
	char *low = arena_strdup(s->arena, domain);
	if (!low)
		return err_set(s->e, ERR_TEMP, "address too long");
	for (size_t i = 0; low[i]; i++)
		low[i] = ascii_lower(low[i]);
	int rc = list_has(s->r, RESOLVE_MYDESTINATION, sv_n(low, domain.len), s->e);
	if (rc != 0)
		return rc;
	if (addr_literal_ip(domain, &ip, &family))
		return s->r->ops.own_address(s->r->ops.ctx, ip) ? 1 : 0;
	return 0;
}

static void strip_end(struct resolving *s)
{
	struct sv w = buf_sv(&s->work);
	if (w.len > 2 && w.p[w.len - 1] == '.' && w.p[w.len - 2] != '.' && w.p[w.len - 2] != '@' &&
	        sv_chr(w, '@') >= 0)
		buf_truncate(&s->work, w.len - 1);
	w = buf_sv(&s->work);
	if (s->r->null_domain && sv_ends(w, SV("@")))
		buf_truncate(&s->work, w.len - 1);
}

/* Does the local part W ask for another round of rewriting? */
static bool has_operator(const struct resolve_rules *r, struct sv w)
{
	if (!r->dequoted && addr_local_needs_quote(w))
		return false;
	return sv_chr(w, '@') >= 0 || (r->rewrite.swap_bangpath && sv_chr(w, '!') >= 0) ||
	       (r->rewrite.percent_hack && sv_chr(w, '%') >= 0);
}

static int rewrite_work(struct resolving *s)
{
	buf_reset(&s->next);
	if (rewrite_addr(&s->r->rewrite, &s->r->local, buf_sv(&s->work), s->r->dequoted, &s->next) <
	        0)
		return -1;
	buf_reset(&s->work);
	return buf_put_sv(&s->work, buf_sv(&s->next));
}

/* "user@1.2.3.4" is no mail domain; resolve_numeric_domain makes it user@[1.2.3.4]. It must come
 * before the question whether the domain is ours. True: work has changed. */
static bool bracket_number(struct resolving *s, struct sv local, struct sv domain)
{
	bool ipv6 = addr_ipv6_valid(domain);
	if (!s->r->numeric_domain || !(ipv6 || addr_ipv4_valid(domain)))
		return false;
	buf_reset(&s->next);
	buf_put_sv(&s->next, local);
	buf_puts(&s->next, ipv6 ? "@[IPv6:" : "@[");
	buf_put_sv(&s->next, domain);
	buf_putc(&s->next, ']');
	buf_reset(&s->work);
	buf_put_sv(&s->work, buf_sv(&s->next));
	return true;
}

/* One round: 1 done, 0 again, -1 look-up failed, -2 too long. */
static int resolve_round(struct resolving *s)
{
	struct sv local, domain;
	strip_end(s);
	if (addr_split(buf_sv(&s->work), &local, &domain)) {
		if (bracket_number(s, local, domain))
			return s->work.overflow ? -2 : 0;
		int ours = domain.len > 0 ? domain_is_ours(s, domain) : 1;
		if (ours < 0)
			return -1;
		if (!ours) {
			s->foreign = true;
			return 1;
		}
		s->domain = arena_sv(s->arena, domain);
		s->saw_domain = true;
		buf_truncate(&s->work, local.len);
	}
	if (has_operator(s->r, buf_sv(&s->work)))
		return rewrite_work(s) < 0 ? -2 : 0;
	if (s->work.len == 0)
		return buf_put_sv(&s->work, s->r->empty_recipient) < 0 ? -2 : 0;
	if (!s->saw_domain) {
		buf_putc(&s->work, '@');
		return buf_put_sv(&s->work, s->r->myhostname) < 0 ? -2 : 0;
	}
	buf_putc(&s->work, '@');
	return buf_put_sv(&s->work, s->domain) < 0 ? -2 : 1;
}

static int malformed(struct clnt_resolved *out, struct sv recipient)
{
	*out = (struct clnt_resolved){ .transport = SV("error"),
		.nexthop = SV("5.1.3 Bad recipient address syntax"),
		.recipient = recipient,
		.flags = REWRITE_MALFORMED,
		.cls = REWRITE_CLASS_DEFAULT };
	return 1;
}

/* Is what was found an address with a real domain? */
static bool well_formed(const struct resolving *s)
{
	struct sv local, domain;
	return addr_split(buf_sv(&s->work), &local, &domain) && local.len > 0 &&
	       addr_domain_valid(domain, s->r->smtputf8 ? ADDR_UTF8 : 0);
}

static bool is_routed(struct sv recipient)
{
	struct sv local, domain;
	if (!addr_split(recipient, &local, &domain))
		return false;
	return sv_chr(local, '@') >= 0 || sv_chr(local, '!') >= 0 || sv_chr(local, '%') >= 0;
}

/* Split "transport:nexthop" of main.cf; an explicit nexthop replaces *NEXTHOP. */
static void apply_setting(struct sv setting, struct clnt_resolved *out)
{
	ptrdiff_t colon = sv_chr(setting, ':');
	out->transport = colon < 0 ? setting : sv_upto(setting, (size_t)colon);
	if (colon >= 0 && (size_t)colon + 1 < setting.len)
		out->nexthop = sv_from(setting, (size_t)colon + 1);
}

/*
 * What a table says for the sender of the mail. 1 *value; 0 nothing, or DUNNO, which leaves the global setting
 * in force; -1.
 */
static int ask_by_sender(struct resolving *s, enum resolve_by_sender which, const char *title,
        struct sv *value)
{
	const struct resolve_ops *ops = &s->r->ops;
	if (!ops->by_sender)
		return 0;
	buf_reset(&s->next);
	int rc = ops->by_sender(ops->ctx, which, s->sender, &s->next, s->e);
	if (rc <= 0)
		return rc;
	*value = arena_sv(s->arena, sv_trim(buf_sv(&s->next)));
	if (!value->p)
		return err_set(s->e, ERR_TEMP, "%s: entry too long", title);
	if (value->len == 0)
		return err_set(s->e, ERR_CONFIG, "%s: empty result for sender <%.*s>", title,
		        SV_ARG(s->sender));
	return !sv_ieqz(*value, "DUNNO");
}

/* Transport and next hop of mail for other hosts; .nexthop is the recipient's domain. */
static int route_away(struct resolving *s, struct clnt_resolved *out, const char **blame)
{
	const struct resolve_rules *r = s->r;
	bool relay = out->cls == REWRITE_CLASS_RELAY;
	struct sv setting = relay ? r->relay_transport : r->default_transport, host;

	*blame = relay ? "relay_transport" : "default_transport";
	if (r->ops.by_sender)
		out->flags |= REWRITE_BY_SENDER;
	int rc = ask_by_sender(s, RESOLVE_SENDER_RELAYHOST, "sender_dependent_relayhost_maps", &host);
	if (rc < 0)
		return -1;
	if (rc == 0)
		host = r->relayhost;
	if (host.len > 0)
		out->nexthop = host;
	if (!relay) {
		static const char title[] = "sender_dependent_default_transport_maps";
		rc = ask_by_sender(s, RESOLVE_SENDER_TRANSPORT, title, &setting);
		if (rc < 0)
			return -1;
		if (rc == 0)
			setting = r->default_transport;
		else
			*blame = title;
	}
	apply_setting(setting, out);
	return 0;
}

/* The class of a domain that is not ours, with its transport and nexthop. */
static int classify(
        struct resolving *s, struct sv domain, struct clnt_resolved *out, const char **blame)
{
	const struct resolve_rules *r = s->r;
	int rc = list_has(r, RESOLVE_VIRTUAL_ALIAS_DOMAINS, domain, s->e);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		out->cls = REWRITE_CLASS_VIRTUAL_ALIAS;
		out->flags |= REWRITE_LOCAL;
		out->transport = SV("error");
		out->nexthop = r->show_table_name ? SV("5.1.1 User unknown in virtual alias table")
		                                  : SV("5.1.1 User unknown");
		*blame = "virtual_alias_domains";
		return 0;
	}
	rc = list_has(r, RESOLVE_VIRTUAL_MAILBOX_DOMAINS, domain, s->e);
	if (rc < 0)
		return -1;
	out->nexthop = domain;
	if (rc > 0) {
		out->cls = REWRITE_CLASS_VIRTUAL_MAILBOX;
		out->flags |= REWRITE_LOCAL;
		*blame = "virtual_transport";
		apply_setting(r->virtual_transport, out);
		return 0;
	}
	rc = list_has(r, RESOLVE_RELAY_DOMAINS, domain, s->e);
	if (rc < 0)
		return -1;
	out->cls = rc > 0 ? REWRITE_CLASS_RELAY : REWRITE_CLASS_DEFAULT;
	return route_away(s, out, blame);
}

void resolve_transport_entry(
        struct sv entry, struct sv domain, struct sv *transport, struct sv *nexthop)
{
	struct sv rest = sv_trim(entry);
	struct sv name = sv_trim(sv_take_until(&rest, ':'));
	rest = sv_trim(rest);
	if (name.len > 0) {
		*transport = name;
		*nexthop = sv_eqz(name, "error") || sv_eqz(name, "retry")
		                   ? SV("Address is undeliverable")
		                   : domain;
	}
	if (rest.len > 0)
		*nexthop = rest;
}

/* relocated(5): who has moved gets no mail here, wherever transport_maps would send it. */
static int look_for_moved(struct resolving *s, struct clnt_resolved *out)
{
	const struct resolve_ops *ops = &s->r->ops;
	if (!ops->relocated || sv_eqz(out->transport, "error"))
		return 0;
	buf_reset(&s->next);
	int rc = ops->relocated(
	        ops->ctx, out->recipient, out->cls == REWRITE_CLASS_LOCAL, &s->next, s->e);
	if (rc <= 0)
		return rc;
	struct sv where = sv_trim(buf_sv(&s->next));
	char *text = arena_printf(s->arena, "5.1.6 User has moved to %.*s", SV_ARG(where));
	if (!text)
		return err_set(s->e, ERR_TEMP, "relocated_maps: entry too long");
	out->transport = SV("error");
	out->nexthop = sv_z(text);
	return 0;
}

static int route(struct resolving *s, struct clnt_resolved *out)
{
	const struct resolve_rules *r = s->r;
	const char *blame = "local_transport";
	struct sv local, domain;
	char *low = arena_strdup(s->arena, out->recipient);
	if (!low)
		return err_set(s->e, ERR_TEMP, "address too long");
	addr_split(out->recipient, &local, &domain);
	for (size_t i = (size_t)(domain.p - out->recipient.p); i < out->recipient.len; i++)
		low[i] = ascii_lower(low[i]);
	domain.p = low + (domain.p - out->recipient.p);

	if (!s->foreign) {
		out->cls = REWRITE_CLASS_LOCAL;
		out->flags |= REWRITE_LOCAL;
		out->nexthop = domain;
		apply_setting(r->local_transport, out);
	} else if (classify(s, domain, out, &blame) < 0) {
		return -1;
	}
	if (out->cls != REWRITE_CLASS_VIRTUAL_ALIAS) {
		buf_reset(&s->next);
		int rc = r->ops.transport(r->ops.ctx, out->recipient, &s->next, s->e);
		if (rc < 0)
			return -1;
		if (rc > 0) {
			struct sv entry = arena_sv(s->arena, buf_sv(&s->next));
			if (!entry.p)
				return err_set(s->e, ERR_TEMP, "transport_maps: entry too long");
			blame = "transport_maps";
			resolve_transport_entry(entry, domain, &out->transport, &out->nexthop);
		}
	}
	if (out->transport.len == 0)
		return err_set(s->e, ERR_CONFIG, "%s: names no transport for \"%.*s\"", blame,
		        SV_ARG(domain));
	return look_for_moved(s, out) < 0 ? -1 : 1;
}

static int resolve_steps(struct resolving *s, struct sv addr, struct clnt_resolved *out)
{
	size_t rounds = addr.len + 100;
	int rc = 0;

	if (buf_put_sv(&s->work, rewrite_strip_routes(addr)) < 0)
		return malformed(out, arena_sv(s->arena, sv_upto(addr, ADDR_MAX)));
	while (rc == 0 && rounds-- > 0)
		rc = resolve_round(s);
	if (rc == -1)
		return -1;
	bool good = rc == 1 && well_formed(s);
	struct sv recipient = arena_sv(s->arena, buf_sv(&s->work));
	if (!recipient.p)
		return err_set(s->e, ERR_TEMP, "address too long");
	if (!good || recipient.len > ADDR_MAX)
		return malformed(out, recipient);
	*out = (struct clnt_resolved){ .recipient = recipient };
	/* a program that gets it as an argument would take it for an option */
	if (!s->r->allow_min_user && recipient.p[0] == '-')
		return malformed(out, recipient);
	if (is_routed(recipient))
		out->flags |= REWRITE_ROUTED;
	return route(s, out);
}

int resolve_addr(const struct resolve_rules *r, struct sv sender, struct sv addr,
        struct arena *a, struct clnt_resolved *out, struct err *e)
{
	struct resolving s = { .r = r, .sender = sender, .arena = a, .e = e };
	buf_init(&s.work, WORK_MAX);
	buf_init(&s.next, WORK_MAX);
	int rc = resolve_steps(&s, addr, out);
	buf_free(&s.work);
	buf_free(&s.next);
	return rc;
}
