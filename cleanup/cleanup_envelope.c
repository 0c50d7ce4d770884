/* cleanup/cleanup_envelope.c - sender, recipients and BCC recipients go into the queue file. */
#include "cleanup/cleanup.h"

#include "lib/mail/addr.h"

static int writer_failed(struct cleanup_mail *m, const struct err *e)
{
	if (e->cls == ERR_PERM)
		return cleanup_fail(m, CLEANUP_PERM, 552, "5.3.4", "Error: envelope too large");
	return cleanup_fail_temp(m, e);
}

static int put_facts(struct cleanup_mail *m, struct sv sender)
{
	struct queue_facts f = { .sender = sender, .envid = m->o.envid, .body_type = m->o.body_type,
		.client_name = m->o.client_name, .client_addr = m->o.client_addr,
		.client_port = m->o.client_port, .helo_name = m->o.helo_name, .protocol = m->o.protocol,
		.rewrite_context = m->o.rewrite_context, .sasl_username = m->o.sasl_username,
		.sasl_method = m->o.sasl_method, .origin = m->o.origin, .message_id = m->message_id,
		.ret = m->o.ret <= QUEUE_RET_HDRS ? m->o.ret : QUEUE_RET_NONE,
		.uid = m->o.uid <= UINT32_MAX ? m->o.uid : -1 };
	struct err e = ERR_INIT;
	return queue_writer_facts(&m->w, &f, &e) < 0 ? writer_failed(m, &e) : 0;
}

/* The same recipient for the same reason is kept once; case does not make another one. */
static bool is_duplicate(struct cleanup_mail *m, const struct queue_rcpt *r)
{
	static char yes;
	struct buf key;
	buf_init(&key, 4 * QUEUE_RCPT_MAX);
	addr_fold(&key, r->address);
	buf_printf(&key, "\n%u\n", r->notify);
	addr_fold(&key, r->orcpt);
	buf_putc(&key, '\n');
	addr_fold(&key, r->original);
	bool known = htab_set(&m->dups, buf_sv(&key), &yes) != NULL;
	buf_free(&key);
	return known;
}

/* One recipient record, unless it is there already. */
static int put_record(struct cleanup_mail *m, struct sv address, uint32_t notify, enum queue_cell cell,
	const struct cleanup_rcpt *given)
{
	struct queue_rcpt r = { .address = address, .original = given->original, .orcpt = given->orcpt,
		.notify = notify, .cell = cell };
	struct err e = ERR_INIT;
	if (!m->c->core.enable_original_recipient)
		r.original = SV_NONE;
	if (!is_duplicate(m, &r) && queue_writer_rcpt(&m->w, &r, &e) < 0)
		return writer_failed(m, &e);
	return 0;
}

/*
 * ADDRESS is canonical: expand it and write what comes out. RFC 3461 5.2.7: one forwarding address takes
 * over the request for reports; where there are several, success is reported here ("expanded"), once, and
 * they are asked for the rest.
 */
static int put_rcpt(struct cleanup_mail *m, struct sv address, const struct cleanup_rcpt *given)
{
	struct sv *list;
	size_t n = 0;
	uint32_t notify = given->notify;
	if (given->expanded)
		return put_record(m, address, notify, QUEUE_CELL_EXPANDED, given);
	if (cleanup_virtual_expand(m, address, &list, &n) < 0)
		return -1;
	if (n > 1 && (notify & QUEUE_NOTIFY_SUCCESS)) {
		if (put_record(m, address, notify, QUEUE_CELL_EXPANDED, given) < 0)
			return -1;
		notify = queue_notify_of_members(notify);
	}
	for (size_t i = 0; i < n; i++)
		if (put_record(m, list[i], notify, QUEUE_CELL_PENDING, given) < 0)
			return -1;
	return 0;
}

/* A copy that the admin wants: nobody is told of its fate. */
static int put_bcc(struct cleanup_mail *m, struct sv bcc)
{
	struct sv addr = bcc;
	if (cleanup_addr_rewrite(m, "local", &addr, 1) < 0 ||
		cleanup_addr_canonical(m, CLASS_ENV_RCPT, &addr) < 0)
		return -1;
	struct cleanup_rcpt given = { .address = addr, .original = bcc, .orcpt = SV_NONE,
		.notify = QUEUE_NOTIFY_NEVER };
	return put_rcpt(m, addr, &given);
}

/* Copies for ADDR by a table: its result may be several addresses. */
static int put_bcc_of(struct cleanup_mail *m, struct maps *maps, struct sv addr)
{
	struct map_keys keys;
	struct err e = ERR_INIT;
	struct sv *list;
	size_t n = 0;
	if (maps_empty(maps) || addr.len == 0 || (m->o.flags & CLEANUP_FLAG_SKIP_BCC))
		return 0;
	if (cleanup_addr_keys(m, addr, &keys) < 0)
		return -1;
	buf_reset(&m->scratch);
	int rc = maps_find_keys(maps, &keys, &m->scratch, NULL, &e);
	if (rc <= 0)
		return rc < 0 ? cleanup_fail_temp(m, &e) : 0;
	if (cleanup_addr_result(m, buf_sv(&m->scratch), addr, SV_NONE, &list, &n) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (put_bcc(m, list[i]) < 0)
			return -1;
	return 0;
}

static int put_always_bcc(struct cleanup_mail *m)
{
	struct sv bcc = sv_trim(sv_z(m->c->p.always_bcc));
	if (bcc.len == 0 || (m->o.flags & CLEANUP_FLAG_SKIP_BCC))
		return 0;
	return put_bcc(m, bcc);
}

/* Addresses of all recipients in canonical form, in the arena. */
static struct sv *rewrite_rcpts(struct cleanup_mail *m)
{
	struct sv *addrs = arena_array(&m->arena, m->nrcpts, sizeof(*addrs));
	if (!addrs) {
		cleanup_fail_memory(m);
		return NULL;
	}
	for (size_t i = 0; i < m->nrcpts; i++) {
		struct cleanup_rcpt *r = &m->rcpts[i];
		if (r->address.len == 0)
			r->address = sv_z(m->c->core.empty_address_recipient);
		if (r->original.len == 0)
			r->original = r->address;
		addrs[i] = r->address;
	}
	return cleanup_addr_rewrite(m, "local", addrs, m->nrcpts) < 0 ? NULL : addrs;
}

int cleanup_envelope(struct cleanup_mail *m)
{
	struct sv sender = m->o.sender;
	if (cleanup_addr_rewrite(m, "local", &sender, 1) < 0 ||
		cleanup_addr_canonical(m, CLASS_ENV_SENDER, &sender) < 0)
		return -1;
	if (put_facts(m, sender) < 0)
		return -1;
	struct sv *addrs = rewrite_rcpts(m);
	if (!addrs)
		return -1;
	for (size_t i = 0; i < m->nrcpts; i++) {
		if (cleanup_addr_canonical(m, CLASS_ENV_RCPT, &addrs[i]) < 0 ||
			put_rcpt(m, addrs[i], &m->rcpts[i]) < 0 ||
			put_bcc_of(m, m->c->rcpt_bcc, addrs[i]) < 0)
			return -1;
	}
	if (put_bcc_of(m, m->c->sender_bcc, sender) < 0)
		return -1;
	return put_always_bcc(m);
}
