#include "smtp/smtpc_dest.h"

#include "lib/base/num.h"
#include "lib/mail/addr.h"

static bool is_separator(char c)
{
	return c == ',' || ascii_is_blank(c);
}

bool smtpc_dest_take(struct sv *list, struct sv *one)
{
	while (list->len > 0 && is_separator(list->p[0]))
		*list = sv_from(*list, 1);
	size_t n = 0;
	while (n < list->len && !is_separator(list->p[n]))
		n++;
	*one = sv_upto(*list, n);
	*list = sv_from(*list, n);
	return n > 0;
}

/* One group of KNOWN: "name=name=number". */
static bool named(struct sv group, struct sv port, unsigned *out)
{
	bool found = false;
	uint32_t n;
	while (!sv_empty(group)) {
		struct sv word = sv_take_until(&group, '=');
		if (num_u32(word, &n) == 1 && n > 0 && n <= 65535) {
			*out = n;
			return found;
		}
		found = found || sv_ieq(word, port);
	}
	return false;
}

int smtpc_dest_port(struct sv port, const char *known, unsigned *out)
{
	struct sv list = sv_z(known), group;
	uint32_t n;
	if (num_u32(port, &n) == 1) {
		if (n == 0 || n > 65535)
			return -1;
		*out = n;
		return 1;
	}
	while (smtpc_dest_take(&list, &group))
		if (named(group, port, out))
			return 1;
	return -1;
}

/* "[host]:port", "host:port": the parts. False: the brackets are not whole. */
static bool split(struct sv text, struct sv *host, struct sv *port, bool *quoted)
{
	*port = SV_NONE;
	*quoted = text.len > 0 && text.p[0] == '[';
	if (!*quoted) {
		ptrdiff_t colon = sv_rchr(text, ':');
		*host = colon < 0 ? text : sv_upto(text, (size_t)colon);
		if (colon >= 0)
			*port = sv_from(text, (size_t)colon + 1);
		return sv_chr(*host, ':') < 0 && (colon < 0 || port->len > 0);
	}
	ptrdiff_t end = sv_chr(text, ']');
	if (end < 0)
		return false;
	*host = sv_sub(text, 1, (size_t)end - 1);
	struct sv rest = sv_from(text, (size_t)end + 1);
	if (rest.len == 0)
		return true;
	*port = sv_from(rest, 1);
	return rest.p[0] == ':' && port->len > 0;
}

int smtpc_dest_parse(struct sv text, const struct smtpc_ports *ports, struct smtpc_dest *out, struct err *e)
{
	struct sv host, port, rest = text;
	bool quoted;
	*out = (struct smtpc_dest){ .text = text };
	if (ports->lmtp && sv_istarts(rest, SV("unix:"))) {
		out->kind = SMTPC_DEST_UNIX;
		out->name = sv_from(rest, sizeof("unix:") - 1);
		if (out->name.len > 0)
			return 1;
		return err_set(e, ERR_CONFIG, "next hop \"%.*s\" names no socket", SV_ARG(text));
	}
	if (sv_istarts(rest, SV("inet:")))
		rest = sv_from(rest, sizeof("inet:") - 1);
	bool whole = split(rest, &host, &port, &quoted);
	if (whole && quoted && sv_istarts(host, SV("IPv6:")))
		host = sv_from(host, sizeof("IPv6:") - 1);
	if (!whole || host.len == 0)
		return err_set(e, ERR_CONFIG, "next hop \"%.*s\" is neither host, host:port nor [host]:port",
			SV_ARG(text));
	if (port.len == 0)
		port = sv_z(ports->standard);
	if (smtpc_dest_port(port, ports->names, &out->port) < 0)
		return err_set(e, ERR_CONFIG,
			"next hop \"%.*s\": \"%.*s\" is no port number and not in known_tcp_ports", SV_ARG(text),
			SV_ARG(port));
	out->name = host;
	out->kind = quoted || ports->lmtp ? SMTPC_DEST_HOST : SMTPC_DEST_DOMAIN;
	if (addr_ipv4_valid(host) || addr_ipv6_valid(host))
		out->kind = SMTPC_DEST_ADDRESS;
	return 1;
}
