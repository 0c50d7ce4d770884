/*
 * lib/base/sv.h - string views: a pointer and a length, no terminator.
 *
 * Layer:     base (pure).
 * Ownership: a view owns nothing; it lives as long as the octets it points at.
 * Security:  octets may be any value, NUL included; comparisons that ignore case fold ASCII only.
 *
 *     struct sv rest = SV("MAIL FROM:<a@b>");
 *     struct sv verb = sv_take_word(&rest);      // "MAIL", rest is "FROM:<a@b>"
 */
#ifndef BASE_SV_H
#define BASE_SV_H

#include "lib/base/attr.h"

struct sv {
	const char *p;
	size_t len;
};

#define SV(lit)      ((struct sv){ .p = ("" lit), .len = sizeof(lit) - 1 })
#define SV_INIT(lit) { .p = ("" lit), .len = sizeof(lit) - 1 }
#define SV_NONE      ((struct sv){ .p = "", .len = 0 })
/* for printf's "%.*s" */
#define SV_ARG(s) (int)((s).len > 65536 ? 65536 : (s).len), (s).p

struct sv sv_n(const char *p, size_t len);
struct sv sv_z(const char *z); /* NULL gives the empty view */

static inline bool sv_empty(struct sv s)
{
	return s.len == 0;
}

bool sv_eq(struct sv a, struct sv b);
bool sv_eqz(struct sv a, const char *z);
bool sv_ieq(struct sv a, struct sv b);
bool sv_ieqz(struct sv a, const char *z);
int sv_cmp(struct sv a, struct sv b);  /* octet order, shorter first */
int sv_icmp(struct sv a, struct sv b); /* the same, ASCII case ignored */
bool sv_starts(struct sv s, struct sv prefix);
bool sv_istarts(struct sv s, struct sv prefix);
bool sv_ends(struct sv s, struct sv suffix);
bool sv_iends(struct sv s, struct sv suffix);

/* Position of the octet (first, last) or of the text, or -1. */
ptrdiff_t sv_chr(struct sv s, char c);
ptrdiff_t sv_rchr(struct sv s, char c);
ptrdiff_t sv_find(struct sv s, struct sv needle);
ptrdiff_t sv_ifind(struct sv s, struct sv needle);

/* Sub-views; positions past the end are clamped. */
struct sv sv_from(struct sv s, size_t start);
struct sv sv_upto(struct sv s, size_t len);
struct sv sv_sub(struct sv s, size_t start, size_t len);

/* Blanks are space, tab, CR, LF. */
struct sv sv_trim(struct sv s);
struct sv sv_trim_right(struct sv s);
struct sv sv_trim_left(struct sv s);

/* Cut the first word (no blank inside) off *REST, with the blanks around it; empty at the end. */
struct sv sv_take_word(struct sv *rest);
/* Cut up to the first octet C off *REST (C itself is dropped); the whole rest when C is absent. */
struct sv sv_take_until(struct sv *rest, char c);
/* Cut the first line off *REST: up to LF, LF and one CR before it dropped. False at the end. */
bool sv_take_line(struct sv *rest, struct sv *line);

/* Every octet is printable ASCII (0x20..0x7e). */
bool sv_is_print(struct sv s);
/* Copy into a caller's array with a terminating NUL. -1 when it does not fit or holds a NUL. */
MUST_USE int sv_copyz(struct sv s, char *dst, size_t size);

char ascii_lower(char c);
char ascii_upper(char c);
bool ascii_is_alpha(char c);
bool ascii_is_digit(char c);
bool ascii_is_alnum(char c);
bool ascii_is_blank(char c); /* space, tab, CR, LF */

#endif
