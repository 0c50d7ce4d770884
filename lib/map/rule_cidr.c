/* lib/map/rule_cidr.c - cidr: rules: a network and its result. */
#include "lib/map/cidr.h"
#include "lib/map/rules.h"

static int compile_cidr(struct rule *r, struct sv *rest, struct err *e)
{
	struct sv text = sv_take_word(rest);
	struct cidr *net = mem_alloc(sizeof(*net));
	const char *why;
	if (cidr_parse(text, net, &why) < 0) {
		free(net);
		return err_set(e, ERR_CONFIG, "\"%.*s\": %s", SV_ARG(sv_upto(text, 100)), why);
	}
	r->matcher = net;
	return 0;
}

static bool match_cidr(const struct rule *r, struct rule_hit *hit, bool *comparable)
{
	const struct cidr *net = r->matcher;
	struct cidr_addr addr;
	*comparable = cidr_parse_addr(hit->key, &addr) && addr.family == net->net.family;
	return *comparable && cidr_match(net, &addr);
}

static void result_cidr(const struct rule *r, UNUSED const struct rule_hit *hit, struct buf *out)
{
	buf_puts(out, r->result);
}

const struct rule_ops rule_cidr_ops = {
	.type = "cidr", .compile = compile_cidr, .match = match_cidr, .result = result_cidr,
	.free_matcher = free,
};
