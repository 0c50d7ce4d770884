#include "lib/mail/idna.h"

#include "lib/base/utf8.h"
#include "lib/mail/addr.h"

#ifdef WITH_IDN
#include <idn2.h>

bool idna_available(void)
{
	return true;
}

enum { IDNA_INPUT_MAX = 1024 };

typedef int convert_fn(const char *in, char **out);

static int up(const char *in, char **out)
{
	return idn2_to_ascii_8z(in, out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
}

static int down(const char *in, char **out)
{
	return idn2_to_unicode_8z8z(in, out, IDN2_NONTRANSITIONAL);
}

static int convert(struct sv domain, convert_fn *fn, struct buf *out, struct err *e)
{
	char in[IDNA_INPUT_MAX];
	char *z = NULL;
	if (!utf8_valid(domain) || sv_copyz(domain, in, sizeof(in)) < 0)
		return err_set(e, ERR_PERM, "domain name is too long or not UTF-8");
	int code = fn(in, &z);
	if (code != IDN2_OK)
		return err_set(e, ERR_PERM, "domain name is not valid: %s", idn2_strerror(code));
	int rc = buf_puts(out, z);
	idn2_free(z);
	return rc < 0 ? err_set(e, ERR_PERM, "domain name too long") : 1;
}

/* Is there an A-label form of UNICODE, and is it the one that UNICODE was made of? */
static int check_round_trip(struct sv from, struct sv unicode, struct err *e)
{
	struct buf back;
	buf_init(&back, IDNA_INPUT_MAX);
	int rc = convert(unicode, up, &back, e);
	if (rc == 1 && utf8_is_ascii(from) && !sv_ieq(buf_sv(&back), from))
		rc = err_set(e, ERR_PERM, "domain name is not in its canonical form");
	buf_free(&back);
	return rc;
}

int idna_to_ascii(struct buf *out, struct sv domain, struct err *e)
{
	struct buf u, a;
	int rc;
	buf_init(&u, IDNA_INPUT_MAX);
	buf_init(&a, IDNA_INPUT_MAX);
	if (utf8_is_ascii(domain)) {
		rc = addr_fold(&a, domain) < 0 ? err_set(e, ERR_PERM, "domain name too long") : 1;
		if (rc == 1 && sv_ifind(domain, SV("xn--")) >= 0)
			rc = idna_to_unicode(&u, domain, e); /* refuses what is no valid A-label */
	} else {
		rc = convert(domain, up, &a, e);
		if (rc == 1)
			rc = convert(buf_sv(&a), down, &u, e);
	}
	if (rc == 1 && !addr_hostname_valid(buf_sv(&a)))
		rc = err_set(e, ERR_PERM, "domain name is not valid");
	if (rc == 1 && buf_put_sv(out, buf_sv(&a)) < 0)
		rc = err_set(e, ERR_PERM, "domain name too long");
	buf_free(&u);
	buf_free(&a);
	return rc;
}

int idna_to_unicode(struct buf *out, struct sv domain, struct err *e)
{
	struct buf u, folded;
	buf_init(&u, IDNA_INPUT_MAX);
	buf_init(&folded, domain.len);
	addr_fold(&folded, domain);
	/* names like "r3---sn.example" are in use, though UTS #46 does not like them */
	bool plain = utf8_is_ascii(domain) && sv_ifind(domain, SV("xn--")) < 0;
	int rc = plain ? buf_put_sv(&u, buf_sv(&folded)) + 1 : convert(buf_sv(&folded), down, &u, e);
	if (rc == 1 && !plain)
		rc = check_round_trip(domain, buf_sv(&u), e);
	if (rc == 0 || (rc == 1 && buf_put_sv(out, buf_sv(&u)) < 0))
		rc = err_set(e, ERR_PERM, "domain name too long");
	buf_free(&u);
	buf_free(&folded);
	return rc;
}

#else

bool idna_available(void)
{
	return false;
}

static int ascii_only(struct buf *out, struct sv domain, struct err *e)
{
	if (!utf8_is_ascii(domain) || !addr_hostname_valid(domain))
		return err_set(e, ERR_PERM,
			"internationalized domain names are not supported by this build");
	return addr_fold(out, domain) < 0 ? err_set(e, ERR_PERM, "domain name too long") : 1;
}

int idna_to_ascii(struct buf *out, struct sv domain, struct err *e)
{
	return ascii_only(out, domain, e);
}

int idna_to_unicode(struct buf *out, struct sv domain, struct err *e)
{
	return ascii_only(out, domain, e);
}
#endif
