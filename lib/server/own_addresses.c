#include "lib/server/own_addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/sys/log.h"

#define OWN_ADDRESSES_MAX 512

struct own_address {
	int family;
	struct in6_addr addr; /* AF_INET: its first four octets */
};

struct own_addresses {
	struct own_address *own;
	size_t nown;
};

static bool parse_ip(struct sv text, struct own_address *out)
{
	char z[INET6_ADDRSTRLEN + 1];
	*out = (struct own_address){ 0 };
	if (sv_copyz(text, z, sizeof(z)) < 0)
		return false;
	if (inet_pton(AF_INET, z, &out->addr) == 1)
		out->family = AF_INET;
	else if (inet_pton(AF_INET6, z, &out->addr) == 1)
		out->family = AF_INET6;
	return out->family != 0;
}

static void add(struct own_addresses *t, const struct own_address *a)
{
	if (t->nown >= OWN_ADDRESSES_MAX) {
		log_warn("more than %d addresses of this host: the rest is not seen as local",
		        OWN_ADDRESSES_MAX);
		return;
	}
	t->own = mem_realloc(t->own, (t->nown + 1) * sizeof(*t->own));
	t->own[t->nown++] = *a;
}

static void add_sockaddr(struct own_addresses *t, const struct sockaddr *sa)
{
	struct own_address a = { .family = sa->sa_family };
	if (sa->sa_family == AF_INET)
		memcpy(&a.addr, &((const struct sockaddr_in *)(const void *)sa)->sin_addr,
		        sizeof(struct in_addr));
	else if (sa->sa_family == AF_INET6)
		a.addr = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	else
		return;
	add(t, &a);
}

static void add_interfaces(struct own_addresses *t, bool loopback_only)
{
	struct ifaddrs *list;
	if (getifaddrs(&list) < 0) {
		log_warn("inet_interfaces: cannot list this host's addresses: %m");
		return;
	}
	for (const struct ifaddrs *i = list; i; i = i->ifa_next)
		if (i->ifa_addr && (!loopback_only || (i->ifa_flags & IFF_LOOPBACK)))
			add_sockaddr(t, i->ifa_addr);
	freeifaddrs(list);
}

static void add_name(struct own_addresses *t, const char *param, struct sv word)
{
	struct own_address a;
	char name[256];
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	if (word.len > 2 && word.p[0] == '[' && sv_ends(word, SV("]")))
		word = sv_sub(word, 1, word.len - 2);
	if (parse_ip(word, &a)) {
		add(t, &a);
		return;
	}
	int rc = sv_copyz(word, name, sizeof(name)) < 0 ? EAI_NONAME
	                                                : getaddrinfo(name, NULL, &hints, &list);
	if (rc != 0) {
		log_warn("%s: \"%.*s\": %s; mail to its address literal is not local", param,
		        SV_ARG(word), gai_strerror(rc));
		return;
	}
	for (const struct addrinfo *i = list; i; i = i->ai_next)
		add_sockaddr(t, i->ai_addr);
	freeaddrinfo(list);
}

static void add_list(struct own_addresses *t, const char *param, const char *value)
{
	struct sv rest = sv_z(value);
	while (rest.len > 0) {
		size_t n = 0;
		while (n < rest.len && rest.p[n] != ',' && !ascii_is_blank(rest.p[n]))
			n++;
		struct sv word = sv_upto(rest, n);
		rest = sv_from(rest, n < rest.len ? n + 1 : n);
		if (word.len == 0)
			continue;
		if (sv_ieqz(word, "all"))
			add_interfaces(t, false);
		else if (sv_ieqz(word, "loopback-only"))
			add_interfaces(t, true);
		else
			add_name(t, param, word);
	}
}

struct own_addresses *own_addresses_find(const char *inet_interfaces, const char *proxy_interfaces)
{
	struct own_addresses *t = mem_alloc(sizeof(*t));
	add_list(t, "inet_interfaces", inet_interfaces);
	add_list(t, "proxy_interfaces", proxy_interfaces);
	return t;
}

void own_addresses_free(struct own_addresses *t)
{
	if (!t)
		return;
	free(t->own);
	free(t);
}

bool own_addresses_have(const struct own_addresses *t, struct sv ip)
{
	struct own_address a;
	if (!parse_ip(ip, &a))
		return false;
	for (size_t i = 0; i < t->nown; i++)
		if (t->own[i].family == a.family &&
		        memcmp(&t->own[i].addr, &a.addr, sizeof(a.addr)) == 0)
			return true;
	return false;
}
