#include "dnsd/dnsd.h"

#include <arpa/inet.h>

#define HOSTS_OCTETS_MAX (4 * 1024 * 1024)
#define HOSTS_LINES_MAX  20000
#define LINE_NAMES_MAX   64
#define HOSTS_TTL_S      60

/* ADDRESS in the one form that inet_ntop() writes; 0 when it is none. */
static uint16_t canonical_address(struct sv word, char out[INET6_ADDRSTRLEN])
{
	char z[INET6_ADDRSTRLEN];
	struct in6_addr bin;
	if (sv_copyz(word, z, sizeof z) < 0)
		return 0;
	if (inet_pton(AF_INET, z, &bin) == 1)
		return inet_ntop(AF_INET, &bin, out, INET6_ADDRSTRLEN) ? CLNT_DNS_A : 0;
	if (inet_pton(AF_INET6, z, &bin) == 1)
		return inet_ntop(AF_INET6, &bin, out, INET6_ADDRSTRLEN) ? CLNT_DNS_AAAA : 0;
	return 0;
}

static struct sv lower_copy(struct arena *a, struct sv s)
{
	char *p = arena_strdup(a, s);
	for (size_t i = 0; p && i < s.len; i++)
		p[i] = ascii_lower(p[i]);
	return p ? sv_n(p, s.len) : SV_NONE;
}

static void parse_line(struct dnsd_hosts *h, struct sv line)
{
	struct sv rest = sv_take_until(&line, '#');
	struct sv address = sv_take_word(&rest);
	char text[INET6_ADDRSTRLEN];
	struct sv names[LINE_NAMES_MAX];
	size_t n = 0;
	uint16_t type = canonical_address(address, text);
	if (type == 0)
		return;
	while (!sv_empty(rest) && n < LINE_NAMES_MAX) {
		struct sv name = sv_take_word(&rest);
		if (name.len > 0 && name.p[name.len - 1] == '.')
			name.len--;
		if (name.len > 0 && name.len <= DNS_NAME_MAX && sv_is_print(name))
			names[n++] = lower_copy(&h->arena, name);
	}
	struct host_line *l = &h->lines[h->count];
	l->names = n ? arena_array(&h->arena, n, sizeof *names) : NULL;
	if (!l->names)
		return;
	memcpy(l->names, names, n * sizeof *names);
	l->n = n;
	l->type = type;
	l->address = arena_sv(&h->arena, sv_z(text));
	if (l->address.p)
		h->count++;
}

void hosts_parse(struct dnsd_hosts *h, struct sv text)
{
	struct sv line, rest = text;
	size_t lines = 1;
	*h = (struct dnsd_hosts){ .count = 0 };
	arena_init(&h->arena, HOSTS_OCTETS_MAX);
	for (size_t i = 0; i < text.len; i++)
		lines += text.p[i] == '\n';
	if (lines > HOSTS_LINES_MAX)
		lines = HOSTS_LINES_MAX;
	h->lines = arena_array(&h->arena, lines, sizeof *h->lines);
	while (h->lines && h->count < lines && sv_take_line(&rest, &line))
		parse_line(h, line);
}

void hosts_fini(struct dnsd_hosts *h)
{
	arena_free(&h->arena);
	h->count = 0;
}

/* RFC 6761 6.3: localhost never leaves this machine, whatever the hosts file says. */
static struct dnsd_result *localhost(struct sv name, uint16_t type)
{
	bool is_v4 = type == CLNT_DNS_A;
	if (type == CLNT_DNS_PTR && (sv_eqz(name, "127.0.0.1") || sv_eqz(name, "::1"))) {
		struct dnsd_result *r = result_new(CLNT_DNS_ANSWER, type);
		(void)result_add(r, HOSTS_TTL_S, 0, SV("localhost"));
		return r;
	}
	if (!sv_eqz(name, "localhost") && !sv_ends(name, SV(".localhost")))
		return NULL;
	if (type != CLNT_DNS_A && type != CLNT_DNS_AAAA)
		return result_new(CLNT_DNS_NO_DATA, type);
	struct dnsd_result *r = result_new(CLNT_DNS_ANSWER, type);
	(void)result_add(r, HOSTS_TTL_S, 0, is_v4 ? SV("127.0.0.1") : SV("::1"));
	return r;
}

static bool line_has(const struct host_line *l, struct sv name)
{
	for (size_t i = 0; i < l->n; i++)
		if (sv_eq(l->names[i], name))
			return true;
	return false;
}

struct dnsd_result *hosts_lookup(const struct dnsd_hosts *h, struct sv name, uint16_t type)
{
	struct dnsd_result *r = NULL;
	bool known = false;
	if (type != CLNT_DNS_A && type != CLNT_DNS_AAAA && type != CLNT_DNS_PTR)
		return localhost(name, type);
	for (size_t i = 0; i < h->count; i++) {
		const struct host_line *l = &h->lines[i];
		if (type == CLNT_DNS_PTR ? !sv_eq(l->address, name) : !line_has(l, name))
			continue;
		known = true;
		if (type != CLNT_DNS_PTR && l->type != type)
			continue;
		if (!r)
			r = result_new(CLNT_DNS_ANSWER, type);
		(void)result_add(
		        r, HOSTS_TTL_S, 0, type == CLNT_DNS_PTR ? l->names[0] : l->address);
		if (type == CLNT_DNS_PTR)
			break;
		r->canonical = arena_sv(&r->arena, l->names[0]);
	}
	if (r)
		return r;
	r = localhost(name, type);
	/* a name that the hosts file gives an address of the other family: DNS is not asked, as in
	 * NSS */
	return !r && known ? result_new(CLNT_DNS_NO_DATA, type) : r;
}
