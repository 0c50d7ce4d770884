/*
 * ${recipient} and so on. An argument that has a macro of a recipient in it stands once for each recipient.
 * "$name", "${name}" and "$(name)" are the same, "$$" is a '$'.
 */
#include "lib/mail/addr.h"
#include "pipe/pipe.h"

#define ARG_MAX_OCTETS (64 * 1024)

enum macro {
	CLIENT_ADDRESS,
	CLIENT_HELO,
	CLIENT_HOSTNAME,
	CLIENT_PORT,
	CLIENT_PROTOCOL,
	ENVID,
	NEXTHOP,
	QUEUE_ID,
	SASL_METHOD,
	SASL_SENDER,
	SASL_USERNAME,
	SENDER,
	SIZE,
	OF_RECIPIENT, /* from here on */
	DOMAIN = OF_RECIPIENT,
	EXTENSION,
	MAILBOX,
	ORIGINAL_RECIPIENT,
	RECIPIENT,
	USER,
	MACROS,
};

static const char *const names[MACROS] = { [CLIENT_ADDRESS] = "client_address", [CLIENT_HELO] = "client_helo",
	[CLIENT_HOSTNAME] = "client_hostname", [CLIENT_PORT] = "client_port", [CLIENT_PROTOCOL] = "client_protocol",
	[ENVID] = "envid", [NEXTHOP] = "nexthop", [QUEUE_ID] = "queue_id", [SASL_METHOD] = "sasl_method",
	[SASL_SENDER] = "sasl_sender", [SASL_USERNAME] = "sasl_username", [SENDER] = "sender", [SIZE] = "size",
	[DOMAIN] = "domain", [EXTENSION] = "extension", [MAILBOX] = "mailbox",
	[ORIGINAL_RECIPIENT] = "original_recipient", [RECIPIENT] = "recipient", [USER] = "user" };

struct work {
	const struct pipe_def *d;
	const struct deliver_request *rq;
	const struct pipe_rules *rules;
	size_t i; /* the recipient */
};

static int put_folded(struct buf *out, struct sv s, bool fold)
{
	return fold ? addr_fold(out, s) : buf_put_sv(out, s);
}

static int put_local(const struct work *w, struct sv local, struct buf *out)
{
	struct buf b;
	buf_init(&b, ARG_MAX_OCTETS);
	int rc = put_folded(&b, local, w->d->flags & PIPE_FOLD_LOCAL);
	if (rc == 0)
		rc = w->d->flags & PIPE_QUOTE ? addr_quote_local(out, buf_sv(&b)) : buf_put_sv(out, buf_sv(&b));
	buf_free(&b);
	return rc;
}

static int put_address(const struct work *w, struct sv address, struct buf *out)
{
	struct sv local = address, domain = SV_NONE;
	bool has_domain = addr_split(address, &local, &domain);
	if (put_local(w, has_domain ? local : address, out) < 0)
		return -1;
	if (!has_domain)
		return 0;
	return buf_putc(out, '@') < 0 ? -1 : put_folded(out, domain, w->d->flags & PIPE_FOLD_DOMAIN);
}

static int put_sender(const struct work *w, struct buf *out)
{
	struct sv sender = pipe_sender(w->d, w->rq);
	return w->d->flags & PIPE_QUOTE && !sv_empty(sender) ? addr_quote(out, sender) : buf_put_sv(out, sender);
}

static int put_of_recipient(const struct work *w, enum macro m, struct buf *out)
{
	if (w->rq->nrcpts == 0)
		return 0;
	const struct deliver_rcpt *r = &w->rq->rcpts[w->i];
	struct sv local, domain = SV_NONE, user, ext;
	char delimiter;
	if (!addr_split(r->recipient, &local, &domain))
		local = r->recipient;
	(void)addr_split_ext(local, w->rules->delimiters, w->rules->owner_request_special, &user, &ext, &delimiter);
	switch (m) {
	case DOMAIN: return put_folded(out, domain, w->d->flags & PIPE_FOLD_DOMAIN);
	case EXTENSION: return put_folded(out, ext, w->d->flags & PIPE_FOLD_LOCAL);
	case MAILBOX: return put_folded(out, local, w->d->flags & PIPE_FOLD_LOCAL);
	case USER: return put_folded(out, user, w->d->flags & PIPE_FOLD_LOCAL);
	case ORIGINAL_RECIPIENT: return put_address(w, sv_empty(r->original) ? r->recipient : r->original, out);
	default: return put_address(w, r->recipient, out);
	}
}

static int put_macro(const struct work *w, enum macro m, struct buf *out)
{
	const struct deliver_request *rq = w->rq;
	switch (m) {
	case CLIENT_ADDRESS: return buf_put_sv(out, rq->client_addr);
	case CLIENT_HELO: return buf_put_sv(out, rq->helo_name);
	case CLIENT_HOSTNAME: return buf_put_sv(out, rq->client_name);
	case CLIENT_PROTOCOL: return buf_put_sv(out, rq->protocol);
	case CLIENT_PORT:
	case SASL_METHOD:
	case SASL_SENDER: return 0; /* not kept with a mail */
	case ENVID: return buf_put_sv(out, rq->envid);
	case NEXTHOP: return put_folded(out, rq->nexthop, w->d->flags & PIPE_FOLD_DOMAIN);
	case QUEUE_ID: return buf_put_sv(out, rq->queue_id);
	case SASL_USERNAME: return buf_put_sv(out, rq->sasl_username);
	case SENDER: return put_sender(w, out);
	case SIZE: return buf_printf(out, "%llu", (unsigned long long)rq->content_size);
	default: return put_of_recipient(w, m, out);
	}
}

/* The name behind a '$' at the start of *REST, which moves past it. Empty: none that is well-formed. */
static struct sv take_name(struct sv *rest)
{
	struct sv s = *rest;
	char close = s.len == 0 ? '\0' : s.p[0] == '{' ? '}' : s.p[0] == '(' ? ')' : '\0';
	size_t from = close ? 1 : 0, n = from;
	while (n < s.len && (ascii_is_alnum(s.p[n]) || s.p[n] == '_'))
		n++;
	struct sv name = sv_sub(s, from, n - from);
	if (close && (n == s.len || s.p[n] != close))
		return SV_NONE;
	*rest = sv_from(s, n + (close ? 1 : 0));
	return name;
}

/* One argument for recipient W->i. *MANY: a macro of a recipient is in it. 0, or -1 with E. */
static int expand_one(const struct work *w, struct sv arg, struct buf *out, bool *many, struct err *e)
{
	struct sv rest = arg;
	while (!sv_empty(rest)) {
		struct sv text = sv_take_until(&rest, '$');
		int rc = buf_put_sv(out, text);
		bool dollar = text.p + text.len < arg.p + arg.len;
		if (rc == 0 && dollar && sv_starts(rest, SV("$"))) {
			rest = sv_from(rest, 1);
			rc = buf_putc(out, '$');
		} else if (rc == 0 && dollar) {
			struct sv name = take_name(&rest);
			size_t m = 0;
			while (m < MACROS && !sv_eqz(name, names[m]))
				m++;
			if (m == MACROS)
				return err_set(e, ERR_CONFIG, "argv=: unknown macro in \"%.*s\"", SV_ARG(arg));
			*many = *many || m >= OF_RECIPIENT;
			rc = put_macro(w, (enum macro)m, out);
		}
		if (rc < 0)
			return err_set(e, ERR_TEMP, "an argument of the program is too long");
	}
	/* "x$": nothing follows */
	return sv_ends(arg, SV("$")) && !sv_ends(arg, SV("$$"))
	               ? err_set(e, ERR_CONFIG, "argv=: \"%.*s\" ends in '$'", SV_ARG(arg))
	               : 0;
}

int pipe_expand(const struct pipe_def *d, const struct deliver_request *rq, const struct pipe_rules *rules,
        struct arena *a, struct sv_list *out, struct err *e)
{
	struct work w = { .d = d, .rq = rq, .rules = rules };
	size_t room = d->argc * (rq->nrcpts ? rq->nrcpts : 1);
	struct buf b;
	int rc = 0;
	if (room > PIPE_ARGV_MAX)
		return err_set(e, ERR_TEMP, "too many arguments: lower the transport's _destination_recipient_limit");
	*out = (struct sv_list){ .v = arena_array(a, room, sizeof(*out->v)) };
	buf_init(&b, ARG_MAX_OCTETS);
	for (size_t k = 0; out->v && k < d->argc && rc == 0; k++) {
		bool many = false;
		for (w.i = 0; rc == 0 && (w.i == 0 || (many && w.i < rq->nrcpts)); w.i++) {
			buf_reset(&b);
			rc = expand_one(&w, sv_z(d->argv[k]), &b, &many, e);
			if (rc == 0)
				out->v[out->n++] = sv_z(arena_strdup(a, buf_sv(&b)));
			if (a->exhausted)
				break;
		}
	}
	buf_free(&b);
	return rc == 0 && a->exhausted ? err_set(e, ERR_TEMP, "out of memory for arguments") : rc;
}
