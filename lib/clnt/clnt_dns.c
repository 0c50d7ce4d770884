#include "lib/clnt/clnt_dns.h"

#include "lib/ipc/msg.h"

bool clnt_dns_is_null_mx(const struct clnt_dns_answer *a)
{
	return a->status == CLNT_DNS_ANSWER && a->n == 1 && a->record[0].type == CLNT_DNS_MX &&
	       sv_empty(a->record[0].data);
}

static int take_records(
        const struct msg_dns_answer *m, struct arena *a, struct clnt_dns_answer *out, struct err *e)
{
	size_t n = m->data.n;
	if (m->types.n != n || m->ttls.n != n || m->preferences.n != n)
		return err_set(e, ERR_TEMP, "dns: an answer with lists of different lengths");
	if (n == 0)
		return err_set(e, ERR_TEMP, "dns: an answer without records");
	out->record = arena_array(a, n, sizeof *out->record);
	if (!out->record)
		return err_set(e, ERR_TEMP, "dns: no memory left for this session");
	for (size_t i = 0; i < n; i++)
		out->record[i] = (struct clnt_dns_record){ .type = m->types.v[i],
			.ttl = m->ttls.v[i],
			.preference = m->preferences.v[i],
			.data = m->data.v[i] };
	out->n = n;
	return 1;
}

int clnt_dns_query(struct ipc_pool *dns, struct sv name, unsigned type, struct arena *a,
        struct clnt_dns_answer *out, int64_t deadline, struct err *e)
{
	struct msg_dns_query q = { .name = name, .type = type };
	struct msg_dns_answer m;
	struct ipc_frame reply;
	struct buf body;
	*out = (struct clnt_dns_answer){ .status = CLNT_DNS_AGAIN };
	buf_init(&body, 4096);
	int rc = msg_dns_query_encode(&q, &body);
	if (rc < 0) { /* longer than any name: no need to ask */
		buf_free(&body);
		out->status = CLNT_DNS_BAD_NAME;
		return 0;
	}
	rc = ipc_call(dns, MSG_dns_PROTOCOL, MSG_dns_VERSION, MSG_dns_query, buf_sv(&body), a,
	        &reply, deadline, e);
	buf_free(&body);
	if (rc < 0)
		return -1;
	if (reply.type != MSG_dns_answer)
		return err_set(e, ERR_TEMP, "dns: unexpected reply");
	if (msg_dns_answer_decode(reply.body, a, &m, e) < 0)
		return -1;
	out->canonical = m.canonical;
	out->authenticated = m.authenticated;
	out->status = (enum clnt_dns_status)m.status;
	switch (m.status) {
	case CLNT_DNS_ANSWER: return take_records(&m, a, out, e);
	case CLNT_DNS_NO_NAME:
	case CLNT_DNS_NO_DATA:
	case CLNT_DNS_BAD_NAME:
	case CLNT_DNS_INVALID: return 0;
	default: out->status = CLNT_DNS_AGAIN; return err_set(e, ERR_TEMP, "%.*s", SV_ARG(m.error));
	}
}
