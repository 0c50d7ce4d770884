/* links: wire mail */
/* POP3 command lines. */
#include "lib/wire/pop3_cmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pop3_cmd c;
	const char *why = NULL;
	int rc = pop3_cmd_parse(sv_n((const char *)data, size), &c, &why);
	check(rc >= 0 || why != NULL);
	check(rc != 1 || (c.verb != POP3_UNKNOWN && size <= POP3_LINE_MAX - 2));
	check(rc != 1 || !c.has_msg || c.msg > 0);
	check(sv_chr(c.arg, '\0') < 0 && sv_chr(c.arg2, '\n') < 0);
	return 0;
}
