#include "lib/wire/pop3_cmd.h"

#include "lib/base/num.h"

static const char *const verb_names[] = {
	[POP3_UNKNOWN] = "?",
#define X(v) [POP3_##v] = #v,
	POP3_VERBS(X)
#undef X
};

const char *pop3_verb_name(enum pop3_verb verb)
{
	return (size_t)verb < ARRAY_LEN(verb_names) ? verb_names[verb] : "?";
}

static int refuse(const char **why, const char *text)
{
	if (why)
		*why = text;
	return -1;
}

/* The next word up to one blank; the octets behind that blank stay as they are. */
static struct sv take_field(struct sv *rest)
{
	return sv_take_until(rest, ' ');
}

/* A message number: 1 to 2^32-1. */
static int take_msg(struct sv *rest, struct pop3_cmd *c, bool optional, const char **why)
{
	struct sv word = take_field(rest);
	if (word.len == 0)
		return optional && rest->len == 0 ? 0 : refuse(why, "message number missing");
	if (num_u32(word, &c->msg) != 1 || c->msg == 0)
		return refuse(why, "invalid message number");
	c->has_msg = true;
	return 0;
}

static int arguments(struct pop3_cmd *c, struct sv rest, const char **why)
{
	switch (c->verb) {
	case POP3_USER:
	case POP3_PASS:
		c->arg = rest;
		return rest.len ? 1 : refuse(why, "argument missing");
	case POP3_APOP:
		c->arg = take_field(&rest);
		c->arg2 = rest;
		return c->arg.len && rest.len ? 1 : refuse(why, "APOP needs name and digest");
	case POP3_AUTH:
		c->arg = take_field(&rest);
		c->arg2 = rest;
		return 1;
	case POP3_LANG: c->arg = rest; return 1;
	case POP3_LIST:
	case POP3_UIDL:
		if (take_msg(&rest, c, true, why) < 0)
			return -1;
		break;
	case POP3_RETR:
	case POP3_DELE:
		if (take_msg(&rest, c, false, why) < 0)
			return -1;
		break;
	case POP3_TOP:
		if (take_msg(&rest, c, false, why) < 0)
			return -1;
		if (num_u32(rest, &c->lines) != 1)
			return refuse(why, "invalid number of lines");
		return 1;
	default: break;
	}
	return rest.len ? refuse(why, "too many arguments") : 1;
}

int pop3_cmd_parse(struct sv line, struct pop3_cmd *out, const char **why)
{
	*out = (struct pop3_cmd){ .verb = POP3_UNKNOWN, .arg = SV_NONE, .arg2 = SV_NONE };
	if (line.len + 2 > POP3_LINE_MAX)
		return refuse(why, "line too long");
	for (size_t i = 0; i < line.len; i++)
		if (line.p[i] == '\0' || line.p[i] == '\r' || line.p[i] == '\n')
			return refuse(why, "invalid character");
	struct sv rest = line;
	struct sv word = take_field(&rest);
	for (size_t v = 1; v < ARRAY_LEN(verb_names); v++)
		if (sv_ieqz(word, verb_names[v]))
			out->verb = (enum pop3_verb)v;
	if (out->verb == POP3_UNKNOWN)
		return 0;
	if (out->verb != POP3_PASS)
		rest = sv_trim(rest);
	return arguments(out, rest, why);
}
