#include "lib/mail/command.h"

#include <string.h>
#include <sysexits.h>

/* Nothing else may stand in a command that is run without a shell. */
static const char plain_octets[] = "1234567890!@%-_=+:,./"
                                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \t";

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

int command_split(struct sv text, struct arena *a, char ***argv)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		if (!is_one_of(text.p[i], plain_octets))
			return 0;
	struct sv rest = text;
	while (!sv_empty(sv_take_word(&rest)))
		n++;
	if (n == 0)
		return 0;
	*argv = arena_array(a, n + 1, sizeof(**argv));
	if (!*argv)
		return -1;
	rest = text;
	for (size_t i = 0; i < n; i++) {
		(*argv)[i] = arena_strdup(a, sv_take_word(&rest));
		if (!(*argv)[i])
			return -1;
	}
	return 1;
}

int command_clean(struct buf *out, struct sv value, const char *allowed)
{
	int rc = 0;
	for (size_t i = 0; i < value.len && rc == 0; i++)
		rc = buf_putc(out, is_one_of(value.p[i], allowed) ? value.p[i] : '_');
	return rc;
}

static const struct {
	unsigned status;
	struct dsn_code dsn;
	const char *text;
} exits[] = {
	{ EX_USAGE, { 5, 3, 0 }, "command line usage error" },
	{ EX_DATAERR, { 5, 6, 0 }, "data format error" },
	{ EX_NOINPUT, { 5, 3, 0 }, "cannot open input" },
	{ EX_NOUSER, { 5, 1, 1 }, "user unknown" },
	{ EX_NOHOST, { 5, 1, 2 }, "host name unknown" },
	{ EX_UNAVAILABLE, { 5, 3, 0 }, "service unavailable" },
	{ EX_SOFTWARE, { 5, 3, 0 }, "internal software error" },
	{ EX_OSERR, { 4, 3, 0 }, "system resource problem" },
	{ EX_OSFILE, { 5, 3, 0 }, "critical OS file missing" },
	{ EX_CANTCREAT, { 5, 2, 0 }, "can't create user output file" },
	{ EX_IOERR, { 5, 3, 0 }, "input/output error" },
	{ EX_TEMPFAIL, { 4, 3, 0 }, "temporary failure" },
	{ EX_PROTOCOL, { 5, 5, 0 }, "remote error in protocol" },
	{ EX_NOPERM, { 5, 7, 0 }, "permission denied" },
	{ EX_CONFIG, { 5, 3, 5 }, "local configuration error" },
};

#define SHELL_NOT_EXECUTABLE 126
#define SHELL_NOT_FOUND      127

static void put_output(struct buf *text, struct sv output)
{
	if (!sv_empty(output))
		(void)buf_printf(text, ". Command output: %.*s", SV_ARG(output));
}

/* An exit with a status other than 0. */
static void failed(unsigned status, struct sv command, struct sv output, struct command_verdict *out,
        struct buf *text)
{
	struct dsn_code code;
	struct sv said;
	/* the shell could not find or execute what the admin or user named: that is ours to repair */
	bool temporary = status == EX_TEMPFAIL || status == EX_OSERR || status == SHELL_NOT_FOUND ||
	                 status == SHELL_NOT_EXECUTABLE;
	out->dsn = temporary ? DSN(4, 3, 0) : DSN(5, 3, 0);
	if (dsn_parse(output, &code, &said) == 1 && code.cls != 2) {
		out->dsn = code;
		temporary = code.cls == 4;
		(void)buf_put_sv(text, said);
	} else {
		size_t i = 0;
		while (i < ARRAY_LEN(exits) && exits[i].status != status)
			i++;
		if (i < ARRAY_LEN(exits)) {
			out->dsn = exits[i].dsn;
			(void)buf_puts(text, exits[i].text);
		} else {
			(void)buf_printf(text, "Command died with status %u: \"%.*s\"", status,
			        SV_ARG(command));
		}
		put_output(text, output);
	}
	out->result = temporary ? COMMAND_TRY_AGAIN : COMMAND_REFUSED;
}

void command_verdict(enum command_end end, unsigned value, struct sv command, struct sv output,
        struct command_verdict *out, struct buf *text)
{
	output = sv_trim(output);
	*out = (struct command_verdict){ .result = COMMAND_TRY_AGAIN, .dsn = DSN(4, 3, 0) };
	switch (end) {
	case COMMAND_EXITED:
		if (value != 0) {
			failed(value, command, output, out, text);
			break;
		}
		*out = (struct command_verdict){ .result = COMMAND_DELIVERED, .dsn = DSN(2, 0, 0) };
		(void)buf_printf(text, "delivered to command: %.*s", SV_ARG(command));
		break;
	case COMMAND_SIGNALLED:
		(void)buf_printf(text, "Command died with signal %u: \"%.*s\"", value, SV_ARG(command));
		put_output(text, output);
		break;
	case COMMAND_TIMED_OUT:
		(void)buf_printf(text, "Command time limit exceeded: \"%.*s\"", SV_ARG(command));
		put_output(text, output);
		break;
	case COMMAND_NOT_RUN:
		(void)buf_printf(text, "cannot run \"%.*s\": %.*s", SV_ARG(command), SV_ARG(output));
		break;
	}
}
