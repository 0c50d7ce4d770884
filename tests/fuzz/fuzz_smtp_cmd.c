/* links: wire mail */
/* One SMTP command line with its arguments, under every set of flags that EHLO may offer. */
#include "lib/base/utf8.h"
#include "lib/wire/smtp_args.h"
#include "lib/wire/smtp_cmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void clean(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		check((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f);
}

static void arguments(const struct smtp_cmd *cmd, unsigned flags, struct arena *a)
{
	struct smtp_mail m;
	struct smtp_rcpt r;
	struct smtp_fault f = { .code = 0 };
	struct sv name, value, rest = cmd->arg;
	uint64_t n;
	bool b;
	int rc = 0;
	switch (cmd->verb) {
	case SMTP_MAIL:
		rc = smtp_mail_parse(cmd->arg, flags, a, &m, &f);
		if (rc == 1) {
			clean(m.sender);
			clean(m.envid);
			clean(m.auth);
		}
		break;
	case SMTP_RCPT:
		rc = smtp_rcpt_parse(cmd->arg, flags, a, &r, &f);
		if (rc == 1) {
			clean(r.recipient);
			clean(r.orcpt);
			check(r.recipient.len > 0);
		}
		break;
	case SMTP_VRFY: rc = smtp_vrfy_parse(cmd->arg, flags, a, &value, &b, &f); break;
	case SMTP_HELO:
	case SMTP_EHLO: rc = smtp_helo_parse(cmd->arg, cmd->verb == SMTP_EHLO, &name, &f); break;
	case SMTP_BDAT: rc = smtp_bdat_parse(cmd->arg, &n, &b, &f); break;
	case SMTP_XCLIENT:
		while ((rc = smtp_attr_next(&rest, a, &name, &value, &f)) == 1)
			clean(value);
		break;
	default: break;
	}
	if (rc < 0)
		check(f.code >= 400 && f.code < 600 && f.text[0]);
	if (f.code)
		check(sv_is_print(sv_z(f.text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_cmd cmd;
	if (smtp_cmd_parse(sv_n((const char *)data, size), &cmd) != 1)
		return 0;
	for (unsigned flags = 0; flags < 128; flags += 9) {
		struct arena a;
		arena_init(&a, 65536);
		arguments(&cmd, flags, &a);
		arena_free(&a);
	}
	return 0;
}
