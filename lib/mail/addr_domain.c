/* Domains, literals and IP addresses of lib/mail/addr.h. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "lib/base/utf8.h"
#include "lib/mail/addr.h"

static bool hostname_valid(struct sv name, bool utf8)
{
	bool numeric = true;
	size_t label = 0;
	if (name.len == 0 || name.len > ADDR_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];
		if (c == '.') {
			if (label == 0 || name.p[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		bool word = ascii_is_alnum(c) || c == '_' || (utf8 && (unsigned char)c >= 0x80);
		if (!word && c != '-')
			return false;
		if (c == '-' && label == 0)
			return false;
		if (!ascii_is_digit(c))
			numeric = false;
		if (++label > ADDR_LABEL_MAX)
			return false;
	}
	return label > 0 && name.p[name.len - 1] != '-' && !numeric;
}

bool addr_hostname_valid(struct sv name)
{
	return hostname_valid(name, false);
}

bool addr_hostname_valid_utf8(struct sv name)
{
	return hostname_valid(name, true) && utf8_valid(name);
}

bool addr_domain_valid(struct sv domain, unsigned flags)
{
	struct sv ip;
	int family;
	if (domain.len && domain.p[0] == '[')
		return addr_literal_ip(domain, &ip, &family);
	return flags & ADDR_UTF8 ? addr_hostname_valid_utf8(domain) : addr_hostname_valid(domain);
}

bool addr_literal_ip(struct sv domain, struct sv *ip, int *family)
{
	if (domain.len < 2 || domain.p[0] != '[' || domain.p[domain.len - 1] != ']')
		return false;
	struct sv in = sv_sub(domain, 1, domain.len - 2);
	if (sv_istarts(in, SV("IPv6:"))) {
		*ip = sv_from(in, 5);
		*family = AF_INET6;
		return addr_ipv6_valid(*ip);
	}
	*ip = in;
	*family = AF_INET;
	return addr_ipv4_valid(in);
}

bool addr_ipv4_valid(struct sv ip)
{
	char z[INET_ADDRSTRLEN];
	struct in_addr a;
	return sv_copyz(ip, z, sizeof(z)) == 0 && inet_pton(AF_INET, z, &a) == 1;
}

bool addr_ipv6_valid(struct sv ip)
{
	char z[INET6_ADDRSTRLEN];
	struct in6_addr a;
	return sv_copyz(ip, z, sizeof(z)) == 0 && inet_pton(AF_INET6, z, &a) == 1;
}
