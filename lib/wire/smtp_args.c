#include "lib/wire/smtp_args.h"

#include <stdarg.h>

#include "lib/base/num.h"
#include "lib/base/utf8.h"

static int fault_set(struct smtp_fault *f, int code, struct dsn_code dsn, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static int fault_set(struct smtp_fault *f, int code, struct dsn_code dsn, const char *fmt, ...)
{
	va_list ap;
	f->code = code;
	f->dsn = dsn;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	for (char *p = f->text; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	return -1;
}

static int fault_memory(struct smtp_fault *f)
{
	return fault_set(f, 451, DSN(4, 3, 0), "Error: session limit on memory reached");
}

static int fault_param(struct smtp_fault *f, const char *name)
{
	return fault_set(f, 501, DSN(5, 5, 4), "Bad %s parameter syntax", name);
}

enum whose { SENDER, RECIPIENT };

/* The path at the start of ARG, into the arena. */
static int take_path(struct sv arg, unsigned flags, enum whose whose, bool utf8, struct arena *a,
	struct sv *address, struct sv *rest, struct smtp_fault *f)
{
	unsigned how = (flags & SMTP_ARGS_STRICT ? ADDR_STRICT_LENGTH : ADDR_LOOSE) |
		       (utf8 ? ADDR_UTF8 : 0) | (whose == SENDER ? ADDR_EMPTY_OK : 0);
	struct addr_path path;
	struct buf b;
	const char *why;
	buf_init(&b, ADDR_MAX + 256);
	int rc = addr_path_parse(arg, how, &b, &path, &why);
	if (rc == 1) {
		*rest = path.rest;
		*address = arena_sv(a, path.internal);
		if (!address->p)
			rc = fault_memory(f);
	} else if (!utf8 && addr_path_parse(arg, how | ADDR_UTF8, &b, &path, &why) == 1) {
		rc = fault_set(f, 553, DSN(5, 6, 7), "Address requires the SMTPUTF8 extension");
	} else if (whose == SENDER) {
		rc = fault_set(f, 501, DSN(5, 1, 7), "Bad sender address syntax");
	} else {
		rc = fault_set(f, 501, DSN(5, 1, 3), "Bad recipient address syntax");
	}
	buf_free(&b);
	return rc;
}

/* One ESMTP parameter: "NAME" or "NAME=value". */
struct param {
	struct sv word, name, value;
	bool has_value;
};

static bool take_param(struct sv *rest, struct param *p)
{
	p->word = sv_take_word(rest);
	if (p->word.len == 0)
		return false;
	p->value = p->word;
	p->has_value = sv_chr(p->word, '=') >= 0;
	p->name = sv_take_until(&p->value, '=');
	return true;
}

static int fault_unsupported(struct smtp_fault *f, const struct param *p)
{
	return fault_set(f, 555, DSN(5, 5, 4), "Unsupported option: %.*s",
		(int)(p->word.len > 100 ? 100 : p->word.len), p->word.p);
}

static int param_size(const struct param *p, uint64_t *size, struct smtp_fault *f)
{
	if (p->value.len == 0)
		return fault_set(f, 501, DSN(5, 5, 4), "Bad message size syntax");
	for (size_t i = 0; i < p->value.len; i++)
		if (!ascii_is_digit(p->value.p[i]))
			return fault_set(f, 501, DSN(5, 5, 4), "Bad message size syntax");
	if (num_u64(p->value, size) != 1)
		*size = UINT64_MAX; /* more digits than fit: over any limit */
	return 1;
}

static int param_body(const struct param *p, enum smtp_body *body, struct smtp_fault *f)
{
	if (sv_ieqz(p->value, "8BITMIME"))
		*body = SMTP_BODY_8BITMIME;
	else if (sv_ieqz(p->value, "7BIT"))
		*body = SMTP_BODY_7BIT;
	else
		return fault_unsupported(f, p);
	return 1;
}

static int param_envid(const struct param *p, struct arena *a, struct sv *envid,
	struct smtp_fault *f)
{
	struct buf b;
	buf_init(&b, DSN_ENVID_MAX);
	bool ok = p->value.len > 0 && p->value.len <= DSN_ENVID_MAX &&
		  xtext_decode(&b, p->value, false) == 1;
	buf_free(&b);
	if (!ok)
		return fault_param(f, "ENVID");
	*envid = arena_sv(a, p->value);
	return envid->p ? 1 : fault_memory(f);
}

static int param_auth(const struct param *p, struct arena *a, struct sv *auth,
	struct smtp_fault *f)
{
	struct buf b;
	buf_init(&b, ADDR_MAX);
	int rc = 1;
	if (p->value.len == 0 || xtext_decode(&b, p->value, true) != 1)
		rc = fault_set(f, 501, DSN(5, 5, 4), "Malformed AUTH= parameter");
	else if (!sv_eqz(buf_sv(&b), "<>") && !(*auth = arena_sv(a, buf_sv(&b))).p)
		rc = fault_memory(f);
	buf_free(&b);
	return rc;
}

/* Parameters of MAIL, each with the flag that allows it; the index is its bit in the seen mask. */
enum mail_param { P_SIZE, P_BODY, P_SMTPUTF8, P_RET, P_ENVID, P_AUTH };
static const struct {
	const char *name;
	unsigned need;
} mail_params[] = {
	[P_SIZE] = { "SIZE", SMTP_ARGS_SIZE },
	[P_BODY] = { "BODY", SMTP_ARGS_8BITMIME },
	[P_SMTPUTF8] = { "SMTPUTF8", SMTP_ARGS_SMTPUTF8 },
	[P_RET] = { "RET", SMTP_ARGS_DSN },
	[P_ENVID] = { "ENVID", SMTP_ARGS_DSN },
	[P_AUTH] = { "AUTH", SMTP_ARGS_AUTH },
};

static int mail_param(const struct param *p, unsigned flags, unsigned *seen, struct arena *a,
	struct smtp_mail *m, struct smtp_fault *f)
{
	size_t i = 0;
	while (i < ARRAY_LEN(mail_params) && !sv_ieqz(p->name, mail_params[i].name))
		i++;
	if (i == ARRAY_LEN(mail_params) || !(flags & mail_params[i].need) ||
		p->has_value == (i == P_SMTPUTF8))
		return fault_unsupported(f, p);
	if (*seen & 1u << i)
		return fault_set(f, 501, DSN(5, 5, 4), "Duplicate %s parameter", mail_params[i].name);
	*seen |= 1u << i;
	switch ((enum mail_param)i) {
	case P_SIZE: return param_size(p, &m->size, f);
	case P_BODY: return param_body(p, &m->body, f);
	case P_SMTPUTF8: m->smtputf8 = true; return 1;
	case P_RET: return dsn_ret_parse(p->value, &m->ret) == 1 ? 1 : fault_param(f, "RET");
	case P_ENVID: return param_envid(p, a, &m->envid, f);
	case P_AUTH: m->has_auth = true; return param_auth(p, a, &m->auth, f);
	}
	return fault_unsupported(f, p);
}

/* "FROM:" or "TO:" at the start, cut off. */
static bool take_keyword(struct sv *arg, const char *word)
{
	if (!sv_istarts(*arg, sv_z(word)))
		return false;
	*arg = sv_from(*arg, strlen(word));
	return arg->len > 0;
}

/* The parameter must be known before the path is read: it decides what the path may hold. */
static bool says_smtputf8(struct sv arg)
{
	struct param p;
	while (take_param(&arg, &p))
		if (sv_ieqz(p.word, "SMTPUTF8"))
			return true;
	return false;
}

int smtp_mail_parse(struct sv arg, unsigned flags, struct arena *a, struct smtp_mail *out,
	struct smtp_fault *fault)
{
	struct smtp_mail m = { .sender = SV_NONE, .envid = SV_NONE, .auth = SV_NONE };
	struct sv rest;
	struct param p;
	unsigned seen = 0;
	if (!take_keyword(&arg, "FROM:"))
		return fault_set(fault, 501, DSN(5, 5, 4), "Syntax: MAIL FROM:<address>");
	bool utf8 = (flags & SMTP_ARGS_SMTPUTF8) && says_smtputf8(arg);
	if (take_path(arg, flags, SENDER, utf8, a, &m.sender, &rest, fault) < 0)
		return -1;
	while (take_param(&rest, &p))
		if (mail_param(&p, flags, &seen, a, &m, fault) < 0)
			return -1;
	*out = m;
	return 1;
}

static bool orcpt_valid(struct sv value, bool utf8)
{
	struct sv type, addr;
	struct buf b;
	if (value.len > DSN_ORCPT_MAX || dsn_addr_split(value, &type, &addr) != 1 || addr.len == 0)
		return false;
	buf_init(&b, DSN_ORCPT_MAX);
	bool ok = xtext_decode(&b, addr, utf8 && sv_ieqz(type, "utf-8")) == 1;
	buf_free(&b);
	return ok;
}

int smtp_rcpt_parse(struct sv arg, unsigned flags, struct arena *a, struct smtp_rcpt *out,
	struct smtp_fault *fault)
{
	struct smtp_rcpt r = { .recipient = SV_NONE, .orcpt = SV_NONE };
	bool utf8 = (flags & SMTP_ARGS_UTF8_NOW) != 0;
	struct sv rest;
	struct param p;
	if (!take_keyword(&arg, "TO:"))
		return fault_set(fault, 501, DSN(5, 5, 4), "Syntax: RCPT TO:<address>");
	if (take_path(arg, flags, RECIPIENT, utf8, a, &r.recipient, &rest, fault) < 0)
		return -1;
	while (take_param(&rest, &p)) {
		if (!(flags & SMTP_ARGS_DSN) || !p.has_value)
			return fault_unsupported(fault, &p);
		if (sv_ieqz(p.name, "NOTIFY")) {
			if (r.notify || dsn_notify_parse(p.value, &r.notify) != 1)
				return fault_param(fault, "NOTIFY");
		} else if (sv_ieqz(p.name, "ORCPT")) {
			if (r.orcpt.len || !orcpt_valid(p.value, utf8))
				return fault_param(fault, "ORCPT");
			r.orcpt = arena_sv(a, p.value);
			if (!r.orcpt.p)
				return fault_memory(fault);
		} else {
			return fault_unsupported(fault, &p);
		}
	}
	*out = r;
	return 1;
}

int smtp_vrfy_parse(struct sv arg, unsigned flags, struct arena *a, struct sv *address,
	bool *smtputf8, struct smtp_fault *fault)
{
	struct sv rest;
	struct param p;
	if (arg.len == 0)
		return fault_set(fault, 501, DSN(5, 5, 4), "Syntax: VRFY address%s",
			flags & SMTP_ARGS_SMTPUTF8 ? " [SMTPUTF8]" : "");
	bool utf8 = (flags & SMTP_ARGS_SMTPUTF8) && says_smtputf8(arg);
	if (take_path(arg, flags & ~(unsigned)SMTP_ARGS_STRICT, RECIPIENT, utf8, a, address, &rest,
		    fault) < 0)
		return -1;
	*smtputf8 = false;
	while (take_param(&rest, &p)) {
		if (!utf8 || *smtputf8 || !sv_ieqz(p.word, "SMTPUTF8"))
			return fault_unsupported(fault, &p);
		*smtputf8 = true;
	}
	return 1;
}

int smtp_helo_parse(struct sv arg, bool extended, struct sv *name, struct smtp_fault *fault)
{
	arg = sv_trim(arg);
	for (size_t i = 0; i < arg.len; i++)
		if ((unsigned char)arg.p[i] < 0x20 || arg.p[i] == 0x7f)
			arg = SV_NONE;
	if (arg.len == 0)
		return fault_set(fault, 501, DSN(0, 0, 0), "Syntax: %s hostname",
			extended ? "EHLO" : "HELO");
	*name = arg;
	return 1;
}

int smtp_bdat_parse(struct sv arg, uint64_t *size, bool *last, struct smtp_fault *fault)
{
	struct sv number = sv_take_word(&arg);
	uint64_t n;
	*last = sv_ieqz(arg, "LAST");
	if ((arg.len && !*last) || num_u64(number, &n) != 1 || n > INT64_MAX)
		return fault_set(fault, 501, DSN(5, 5, 4), "Syntax: BDAT count [LAST]");
	*size = n;
	return 1;
}

int smtp_attr_next(struct sv *rest, struct arena *a, struct sv *name, struct sv *value,
	struct smtp_fault *fault)
{
	struct param p;
	struct buf b;
	if (!take_param(rest, &p))
		return 0;
	if (!p.has_value || p.name.len == 0)
		return fault_set(fault, 501, DSN(5, 5, 4), "Error: attribute=value expected");
	buf_init(&b, p.value.len);
	int rc = 1;
	if (xtext_decode(&b, p.value, true) != 1)
		rc = fault_set(fault, 501, DSN(5, 5, 4), "Bad attribute value syntax");
	else if (!(*value = arena_sv(a, buf_sv(&b))).p)
		rc = fault_memory(fault);
	buf_free(&b);
	*name = p.name;
	return rc;
}
