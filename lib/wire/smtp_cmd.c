#include "lib/wire/smtp_cmd.h"

static const char *const verb_names[] = {
	[SMTP_UNKNOWN] = "?",
#define X(v) [SMTP_##v] = #v,
	SMTP_VERBS(X)
#undef X
};

const char *smtp_verb_name(enum smtp_verb verb)
{
	return (size_t)verb < ARRAY_LEN(verb_names) ? verb_names[verb] : "?";
}

int smtp_cmd_parse(struct sv line, struct smtp_cmd *out)
{
	if (sv_chr(line, '\r') >= 0 || sv_chr(line, '\n') >= 0 || sv_chr(line, '\0') >= 0)
		return -1;
	struct sv rest = sv_trim(line); /* octets are clean from here on */
	if (rest.len == 0)
		return 0;
	out->word = sv_take_word(&rest);
	out->verb = SMTP_UNKNOWN;
	for (size_t v = 1; v < ARRAY_LEN(verb_names); v++)
		if (sv_ieqz(out->word, verb_names[v]))
			out->verb = (enum smtp_verb)v;
	out->arg = sv_trim(rest);
	return 1;
}
