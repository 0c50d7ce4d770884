#include "lib/config/computed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "lib/config/paths.h"

/* A host name without a dot gets $mydomain when main.cf sets that, else "localdomain". */
static int my_hostname(const struct config *cfg, struct buf *out, struct err *e)
{
	struct sv domain;
	paths_builtin("hostname", out);
	if (sv_chr(buf_sv(out), '.') >= 0)
		return 0;
	buf_putc(out, '.');
	if (config_get_set(cfg, "mydomain", &domain))
		return config_expand(cfg, domain, out, e);
	buf_puts(out, "localdomain");
	return 0;
}

/* $myhostname without its first label; a host name of one label has the domain "localdomain". */
static int my_domain(const struct config *cfg, struct buf *out, struct err *e)
{
	const char *host = config_str(cfg, "myhostname", e);
	if (!host)
		return -1;
	const char *dot = strchr(host, '.');
	buf_puts(out, dot ? dot + 1 : "localdomain");
	return 0;
}

enum style { STYLE_HOST, STYLE_SUBNET, STYLE_CLASS };

static int style_of(const struct config *cfg, enum style *out, struct err *e)
{
	static const char *const names[] = { [STYLE_HOST] = "host", [STYLE_SUBNET] = "subnet",
					     [STYLE_CLASS] = "class" };
	const char *text = config_str(cfg, "mynetworks_style", e);
	if (!text)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(text, names[i]) == 0) {
			*out = (enum style)i;
			return 0;
		}
	}
	return err_set(e, ERR_CONFIG, "%s: mynetworks_style = %s: not host, subnet or class",
		       config_where(cfg, "mynetworks_style"), text);
}

static unsigned mask_bits(const struct sockaddr *mask, const void *octets, size_t n)
{
	unsigned bits = 0;
	const unsigned char *p = octets;
	for (size_t i = 0; mask && i < n; i++)
		bits += (unsigned)__builtin_popcount(p[i]);
	return bits;
}

/* Bits of the historical class of an IPv4 network: A 8, B 16, C 24. */
static unsigned class_bits(unsigned char first)
{
	return first < 128 ? 8 : first < 192 ? 16 : 24;
}

static void put_network(struct buf *out, int family, unsigned char *octets, size_t n, unsigned bits)
{
	char text[INET6_ADDRSTRLEN];
	struct buf one;
	for (size_t i = 0; i < n; i++) {
		unsigned keep = bits > i * 8 ? bits - (unsigned)i * 8 : 0;
		if (keep < 8)
			octets[i] = (unsigned char)(octets[i] & (0xff00u >> keep));
	}
	if (!inet_ntop(family, octets, text, sizeof(text)))
		return;
	buf_init(&one, 128);
	buf_printf(&one, family == AF_INET ? "%s/%u" : "[%s]/%u", text, bits);
	/* several interfaces may share a network */
	if (sv_find(buf_sv(out), buf_sv(&one)) < 0) {
		if (out->len > 0)
			buf_putc(out, ' ');
		buf_put_sv(out, buf_sv(&one));
	}
	buf_free(&one);
}

static void put_interface(struct buf *out, const struct ifaddrs *i, enum style style, int family)
{
	unsigned char octets[16];
	if (!i->ifa_addr || i->ifa_addr->sa_family != family)
		return;
	if (family == AF_INET) {
		memcpy(octets, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr,
		       4);
		const struct sockaddr_in *m = (const void *)i->ifa_netmask;
		unsigned bits = 32;
		/* loopback is a whole network in every style */
		if (octets[0] == 127 || style == STYLE_CLASS)
			bits = class_bits(octets[0]);
		else if (style == STYLE_SUBNET)
			bits = mask_bits(i->ifa_netmask, m ? &m->sin_addr : NULL, 4);
		put_network(out, family, octets, 4, bits);
		return;
	}
	memcpy(octets, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, 16);
	const struct sockaddr_in6 *m = (const void *)i->ifa_netmask;
	unsigned bits = style == STYLE_HOST
				? 128
				: mask_bits(i->ifa_netmask, m ? &m->sin6_addr : NULL, 16);
	put_network(out, family, octets, 16, bits);
}

static int my_networks(const struct config *cfg, struct buf *out, struct err *e)
{
	enum style style;
	struct ifaddrs *all;
	const char *protocols = config_str(cfg, "inet_protocols", e);
	if (!protocols || style_of(cfg, &style, e) < 0)
		return -1;
	if (getifaddrs(&all) < 0)
		return err_sys(e, errno, "cannot list the network interfaces for mynetworks");
	bool v4 = strstr(protocols, "ipv4") || strstr(protocols, "all");
	bool v6 = strstr(protocols, "ipv6") || strstr(protocols, "all");
	for (const struct ifaddrs *i = all; v4 && i; i = i->ifa_next)
		put_interface(out, i, style, AF_INET);
	for (const struct ifaddrs *i = all; v6 && i; i = i->ifa_next)
		put_interface(out, i, style, AF_INET6);
	freeifaddrs(all);
	return 0;
}

int computed_default(const struct config *cfg, const char *kind, struct buf *out, struct err *e)
{
	if (strcmp(kind, "myhostname") == 0)
		return my_hostname(cfg, out, e);
	if (strcmp(kind, "mydomain") == 0)
		return my_domain(cfg, out, e);
	if (strcmp(kind, "mynetworks") == 0)
		return my_networks(cfg, out, e);
	if (strcmp(kind, "config_directory") == 0) {
		buf_puts(out, config_dir(cfg));
		return 0;
	}
	if (paths_builtin(kind, out))
		return 0;
	return err_set(e, ERR_BUG, "a default of unknown kind @%s", kind);
}
