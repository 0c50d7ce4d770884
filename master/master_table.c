#include "master/master_table.h"

#include <netdb.h>
#include <netinet/in.h>

#include "lib/base/num.h"

static const struct program_facts programs[] = {
	{ .program = "smtpd", .stage = STAGE_LISTENERS, .keep = KEEP_CORES, .calls = CLASS_NET, .tickets = true },
	{ .program = "login", .stage = STAGE_LISTENERS, .calls = CLASS_NET },
	{ .program = "pickup", .stage = STAGE_LISTENERS, .keep = 1, .extra_public = "submit" },
	{ .program = "pop3d", .stage = STAGE_READERS, .keep_free = 1, .lasting = true, .calls = CLASS_NONE },
	{ .program = "imapd", .stage = STAGE_READERS, .keep_free = 1, .lasting = true, .calls = CLASS_NONE },
	{ .program = "tlsd", .stage = STAGE_READERS, .lasting = true, .calls = CLASS_NONE, .tickets = true },
	{ .program = "qmgr", .stage = STAGE_QMGR, .keep = 1 },
	{ .program = "smtp", .stage = STAGE_AGENTS, .calls = CLASS_OUT },
	{ .program = "lmtp", .stage = STAGE_AGENTS, .calls = CLASS_OUT },
	{ .program = "postman", .stage = STAGE_AGENTS, .keep_free = 1, .calls = CLASS_NONE },
	{ .program = "bounce", .stage = STAGE_WRITERS },
	{ .program = "cleanup", .stage = STAGE_WRITERS, .keep = KEEP_CORES, .net = true },
	{ .program = "trivial-rewrite", .stage = STAGE_LOOKUPS, .net = true, .out = true },
	{ .program = "anvil", .stage = STAGE_LOOKUPS, .net = true, .calls = CLASS_NONE },
	{ .program = "proxymap", .stage = STAGE_LOOKUPS, .net = true, .out = true, .calls = CLASS_NONE },
	{ .program = "dnsd", .stage = STAGE_LOOKUPS, .net = true, .out = true, .calls = CLASS_NONE },
	{ .program = "auth", .stage = STAGE_LOOKUPS, .keep = 1, .net = true, .calls = CLASS_AUTH },
	/* its connections are those of pop3d and imapd, which outlive a generation, too */
	{ .program = "maillock", .stage = STAGE_LOOKUPS, .lasting = true, .only = "auth" },
	{ .program = "auth-worker", .stage = STAGE_LOOKUPS, .auth_only = true, .calls = CLASS_NONE },
	{ .program = "auth-pam", .stage = STAGE_LOOKUPS, .auth_only = true, .calls = CLASS_NONE },
	{ .program = "showq", .stage = STAGE_LOOKUPS },
	{ .program = "postlogd", .stage = STAGE_LOG, .keep = 1 },
};

static const struct program_facts agent = { .program = "", .stage = STAGE_AGENTS };

const struct program_facts *table_program(const char *program)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (strcmp(programs[i].program, program) == 0)
			return &programs[i];
	return &agent;
}

const char *table_class_name(enum sock_class c)
{
	static const char *const names[] = {
		[CLASS_QUEUE] = "queue",
		[CLASS_NET] = "net",
		[CLASS_OUT] = "out",
		[CLASS_AUTH] = "auth",
		[CLASS_PUBLIC] = "public",
		[CLASS_INET] = "inet",
	};
	return (size_t)c < ARRAY_LEN(names) ? names[c] : "?";
}

enum sock_class table_caller_class(const char *program)
{
	return table_program(program)->calls;
}

bool table_has_socket(const struct program_facts *callee, enum sock_class c)
{
	switch (c) {
	case CLASS_QUEUE: return !callee->auth_only;
	case CLASS_NET: return callee->net;
	case CLASS_OUT: return callee->out;
	case CLASS_AUTH: return callee->auth_only;
	default: return false;
	}
}

bool table_may_call(const char *caller, const char *callee)
{
	const char *only = table_program(caller)->only;
	if (only && strcmp(only, callee) != 0)
		return false;
	return table_has_socket(table_program(callee), table_caller_class(caller));
}

int table_port(struct sv name, unsigned *port, bool *symbolic)
{
	/* A minimal system has no /etc/services; ours come first in any case. */
	static const struct {
		const char *name;
		unsigned port;
	} known[] = {
		{ "smtp", 25 },
		{ "submission", 587 },
		{ "submissions", 465 },
		{ "smtps", 465 },
		{ "pop3", 110 },
		{ "pop3s", 995 },
		{ "imap", 143 },
		{ "imap2", 143 },
		{ "imaps", 993 },
		{ "lmtp", 24 },
	};
	uint32_t n;
	*symbolic = false;
	if (!sv_empty(name) && ascii_is_digit(name.p[0])) {
		if (num_u32(name, &n) < 0 || n > 65535)
			return -1;
		*port = n;
		return 1;
	}
	*symbolic = true;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (sv_ieqz(name, known[i].name)) {
			*port = known[i].port;
			return 1;
		}
	}
	char z[64];
	if (sv_copyz(name, z, sizeof z) < 0)
		return 0;
	struct servent *s = getservbyname(z, "tcp");
	if (!s)
		return 0;
	*port = ntohs((uint16_t)s->s_port);
	return 1;
}
