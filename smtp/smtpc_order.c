#include "smtp/smtpc_order.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

bool smtpc_order_bogus(int family, const char *ip)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (family == AF_INET) {
		if (inet_pton(AF_INET, ip, &v4) != 1)
			return true;
		unsigned first = ntohl(v4.s_addr) >> 24;
		return first == 0 || first >= 224;
	}
	return inet_pton(AF_INET6, ip, &v6) != 1 || IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_MULTICAST(&v6) ||
	       IN6_IS_ADDR_V4MAPPED(&v6) || IN6_IS_ADDR_V4COMPAT(&v6);
}

void smtpc_order_by_pref(struct smtpc_addr *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct smtpc_addr a = v[i];
		size_t at = i;
		for (; at > 0 && v[at - 1].pref > a.pref; at--)
			v[at] = v[at - 1];
		v[at] = a;
	}
}

size_t smtpc_order_better(const struct smtpc_addr *v, size_t n, unsigned pref)
{
	size_t i = 0;
	while (i < n && v[i].pref < pref)
		i++;
	return i;
}

static void shuffle(struct smtpc_addr *v, size_t n, const struct smtpc_order *how)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = (size_t)(how->random(how->ctx) % i);
		struct smtpc_addr a = v[i - 1];
		v[i - 1] = v[k];
		v[k] = a;
	}
}

static bool first_family(const struct smtpc_addr *a, enum smtpc_family first)
{
	return a->family == (first == SMTPC_FAMILY_IPV4 ? AF_INET : AF_INET6);
}

/* Inside of each preference: the family that is wanted first, else as it is. */
static void by_family(struct smtpc_addr *v, size_t n, enum smtpc_family first)
{
	for (size_t i = 1; i < n; i++) {
		struct smtpc_addr a = v[i];
		size_t at = i;
		bool wanted = first_family(&a, first);
		for (; wanted && at > 0 && v[at - 1].pref == a.pref && !first_family(&v[at - 1], first); at--)
			v[at] = v[at - 1];
		v[at] = a;
	}
}

/* A network without one of the families must not cost all tries: up to half of the places are kept for
 * the family that has fewer addresses. */
static size_t balance(struct smtpc_addr *v, size_t n, unsigned limit)
{
	size_t v4 = 0, kept = 0;
	for (size_t i = 0; i < n; i++)
		v4 += v[i].family == AF_INET;
	size_t fewer = v4 < n - v4 ? v4 : n - v4;
	if (fewer > limit / 2)
		fewer = limit / 2;
	int many = v4 < n - v4 ? AF_INET6 : AF_INET;
	size_t room = limit - fewer;
	for (size_t i = 0; i < n; i++) {
		if (v[i].family == many) {
			if (room == 0)
				continue;
			room--;
		}
		v[kept++] = v[i];
	}
	return kept;
}

size_t smtpc_order_choose(struct smtpc_addr *v, size_t n, const struct smtpc_order *how)
{
	if (how->shuffle)
		shuffle(v, n, how);
	smtpc_order_by_pref(v, n);
	if (how->first != SMTPC_FAMILY_ANY)
		by_family(v, n, how->first);
	for (size_t i = 0; i < n; i++)
		v[i].best = v[i].pref == v[0].pref;
	if (how->limit == 0 || n <= how->limit)
		return n;
	if (how->balance)
		n = balance(v, n, how->limit);
	return n < how->limit ? n : how->limit;
}
