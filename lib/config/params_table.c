/* lib/config/params_table.c - the rows of lib/config/params, and finding one. */
#include "lib/config/params.h"

#define PASTE_(a, b)  a##b
#define PASTE(a, b)   PASTE_(a, b)
#define STRUCT_OF(s)  struct PASTE(params_, s)
#define SECTION_OF(s) PASTE(SECTION_, s)

#define ROW(T, n, st, off, d, lo_, hi_, since_, sum, txt)                                     \
	{ .name = n, .def = d, .since = since_, .summary = sum, .text = txt,                   \
	  .type = PARAM_##T, .state = PARAM_##st, .section = SECTION_OF(SEC), .offset = off,   \
	  .lo = lo_, .hi = hi_ },
#define PARAM(T, n, ...) ROW(T, #n, IMPLEMENTED, offsetof(STRUCT_OF(SEC), n), __VA_ARGS__)
#define PARAM_AS(T, field, str, ...)                                                          \
	ROW(T, str, IMPLEMENTED, offsetof(STRUCT_OF(SEC), field), __VA_ARGS__)
#define KNOWN(T, n, ...)     ROW(T, #n, KNOWN, 0, __VA_ARGS__)
#define TRANSPORT(T, n, ...) ROW(T, #n, IMPLEMENTED, 0, __VA_ARGS__)
#define KNOWN_TRANSPORT(T, n, ...) ROW(T, #n, KNOWN, 0, __VA_ARGS__)

/* clang-format off */
static const struct param_row table[] = {
#define SEC core
#include "lib/config/params/core.def"
#undef SEC
#define SEC smtpd
#include "lib/config/params/smtpd.def"
#undef SEC
#define SEC smtp
#include "lib/config/params/smtp.def"
#undef SEC
#define SEC lmtp
#include "lib/config/params/lmtp.def"
#undef SEC
#define SEC cleanup
#include "lib/config/params/cleanup.def"
#undef SEC
#define SEC qmgr
#include "lib/config/params/qmgr.def"
#undef SEC
#define SEC rewrite
#include "lib/config/params/rewrite.def"
#undef SEC
#define SEC local
#include "lib/config/params/local.def"
#undef SEC
#define SEC virtual
#include "lib/config/params/virtual.def"
#undef SEC
#define SEC bounce
#include "lib/config/params/bounce.def"
#undef SEC
#define SEC pickup
#include "lib/config/params/pickup.def"
#undef SEC
#define SEC sendmail
#include "lib/config/params/sendmail.def"
#undef SEC
#define SEC master
#include "lib/config/params/master.def"
#undef SEC
#define SEC anvil
#include "lib/config/params/anvil.def"
#undef SEC
#define SEC dnsd
#include "lib/config/params/dnsd.def"
#undef SEC
#define SEC proxymap
#include "lib/config/params/proxymap.def"
#undef SEC
#define SEC auth
#include "lib/config/params/auth.def"
#undef SEC
#define SEC login
#include "lib/config/params/login.def"
#undef SEC
#define SEC pop3d
#include "lib/config/params/pop3d.def"
#undef SEC
#define SEC imapd
#include "lib/config/params/imapd.def"
#undef SEC
#define SEC postman
#include "lib/config/params/postman.def"
#undef SEC
#define SEC store
#include "lib/config/params/store.def"
#undef SEC
#define SEC postlogd
#include "lib/config/params/postlogd.def"
#undef SEC
#define SEC tls
#include "lib/config/params/tls.def"
#undef SEC
#define SEC postscreen
#include "lib/config/params/postscreen.def"
#undef SEC
#define SEC verify
#include "lib/config/params/verify.def"
#undef SEC
#define SEC other
#include "lib/config/params/other.def"
#undef SEC
};

static const struct param_row transport_table[] = {
#define SEC transport
#include "lib/config/params/transport.def"
#undef SEC
};
/* clang-format on */

static const char *const section_names[SECTION_COUNT] = {
#define X(s) [SECTION_##s] = #s,
	CONFIG_SECTIONS(X)
#undef X
	[SECTION_transport] = "transport",
};

static const char *const type_names[] = {
	[PARAM_STR] = "text",   [PARAM_RAW] = "text, expanded when used",
	[PARAM_BOOL] = "yes/no", [PARAM_INT] = "number",
	[PARAM_TIME] = "time",   [PARAM_SIZE] = "octets",
	[PARAM_LINE] = "text, or a file with it in its first line",
};

const char *params_section_name(enum param_section s)
{
	return (size_t)s < SECTION_COUNT ? section_names[s] : "?";
}

const char *params_type_name(enum param_type t)
{
	return (size_t)t < ARRAY_LEN(type_names) ? type_names[t] : "?";
}

const struct param_row *params_rows(size_t *count)
{
	*count = ARRAY_LEN(table);
	return table;
}

const struct param_row *params_transport_rows(size_t *count)
{
	*count = ARRAY_LEN(transport_table);
	return transport_table;
}

/* Rows are sorted inside a section (tests/unit/config/test_params.c): search each in halves. */
static const struct param_row *find_between(size_t lo, size_t hi, struct sv name)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = sv_cmp(name, sv_z(table[mid].name));
		if (c == 0)
			return &table[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const struct param_row *params_find(struct sv name)
{
	for (size_t start = 0; start < ARRAY_LEN(table);) {
		size_t end = start;
		while (end < ARRAY_LEN(table) && table[end].section == table[start].section)
			end++;
		const struct param_row *row = find_between(start, end, name);
		if (row)
			return row;
		start = end;
	}
	return NULL;
}

const struct param_row *params_find_transport(struct sv name)
{
	const struct param_row *best = NULL;
	for (size_t i = 0; i < ARRAY_LEN(transport_table); i++) {
		struct sv suffix = sv_z(transport_table[i].name);
		if (name.len > suffix.len && sv_ends(name, suffix) &&
		    (!best || suffix.len > strlen(best->name)))
			best = &transport_table[i];
	}
	return best;
}
