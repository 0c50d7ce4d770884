#include "error/error_agent.h"

enum deliver_status error_verdict(
        const struct error_agent *a, struct sv nexthop, struct dsn_code *dsn, struct sv *text)
{
	struct sv reason = a->defer && a->defer_text.len > 0 ? a->defer_text : nexthop;
	dsn_split(sv_trim(reason), a->defer ? DSN(4, 3, 0) : DSN(5, 0, 0), dsn, text);
	if (text->len == 0)
		*text = a->defer ? SV("delivery temporarily suspended")
		                 : SV("address is undeliverable");
	/* a code that says "later" is believed also from a service that says "never" */
	if (a->defer || dsn->cls == 4) {
		*dsn = dsn_with_class(*dsn, 4);
		return DELIVER_DEFERRED;
	}
	*dsn = dsn_with_class(*dsn, 5);
	return DELIVER_BOUNCED;
}

void error_handle(struct deliver_request *rq, void *ctx)
{
	const struct error_agent *a = ctx;
	struct dsn_code dsn;
	struct sv text;
	enum deliver_status status = error_verdict(a, rq->nexthop, &dsn, &text);
	for (size_t i = 0; i < rq->nrcpts; i++)
		deliver_done(rq, i, status, dsn, "%.*s", SV_ARG(text));
}
