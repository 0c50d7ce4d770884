#include "lib/map/cidr.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "lib/base/num.h"

int cidr_parse_addr(struct sv text, struct cidr_addr *out)
{
	char z[INET6_ADDRSTRLEN];
	*out = (struct cidr_addr){ .family = AF_INET };
	if (sv_copyz(text, z, sizeof(z)) < 0)
		return 0;
	if (inet_pton(AF_INET, z, out->octets) == 1)
		return 1;
	out->family = AF_INET6;
	return inet_pton(AF_INET6, z, out->octets) == 1;
}

static bool host_bits_set(const struct cidr *c)
{
	size_t n = c->net.family == AF_INET ? 4 : 16;
	for (size_t i = 0; i < n; i++) {
		unsigned keep = c->bits > i * 8 ? c->bits - (unsigned)i * 8 : 0;
		if (keep < 8 && (c->net.octets[i] & (0xffu >> keep)) != 0)
			return true;
	}
	return false;
}

int cidr_parse(struct sv text, struct cidr *out, const char **why)
{
	struct sv addr = text, mask = SV_NONE;
	bool has_mask;
	if (addr.len > 0 && addr.p[0] == '[') {
		ptrdiff_t end = sv_chr(addr, ']');
		struct sv after = sv_from(addr, end < 0 ? addr.len : (size_t)end + 1);
		*why = "\"[\" without \"]\"";
		if (end < 0)
			return -1;
		addr = sv_sub(addr, 1, (size_t)end - 1);
		*why = "text after \"]\"";
		if (after.len > 0 && after.p[0] != '/')
			return -1;
		mask = sv_from(after, 1);
		has_mask = after.len > 0;
	} else {
		has_mask = false;
	}
	ptrdiff_t slash = sv_chr(addr, '/');
	if (!has_mask && slash >= 0) {
		mask = sv_from(addr, (size_t)slash + 1);
		addr = sv_upto(addr, (size_t)slash);
		has_mask = true;
	}
	*why = "not an address";
	if (!cidr_parse_addr(addr, &out->net))
		return -1;
	out->bits = out->net.family == AF_INET ? 32 : 128;
	if (!has_mask)
		return 0;
	uint32_t bits;
	*why = "a wrong prefix length";
	if (num_u32(mask, &bits) < 0 || bits > out->bits)
		return -1;
	out->bits = bits;
	*why = "host bits are set behind the prefix";
	return host_bits_set(out) ? -1 : 0;
}

bool cidr_match(const struct cidr *net, const struct cidr_addr *addr)
{
	size_t whole = net->bits / 8;
	unsigned rest = net->bits % 8;
	if (net->net.family != addr->family || memcmp(net->net.octets, addr->octets, whole) != 0)
		return false;
	return rest == 0 ||
	       ((net->net.octets[whole] ^ addr->octets[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}
