/* cleanup/cleanup_mail.c - one mail from open to verdict. */
#include "cleanup/cleanup.h"

#include <errno.h>

#include "lib/sys/log.h"

void cleanup_mail_init(struct cleanup_mail *m, struct cleanup *c)
{
	memset(m, 0, sizeof(*m));
	m->c = c;
	m->w.fd = -1;
	arena_init(&m->arena, CLEANUP_MAIL_MEMORY);
}

void cleanup_mail_reset(struct cleanup_mail *m)
{
	struct cleanup *c = m->c;
	queue_writer_fini(&m->w);
	buf_free(&m->line);
	buf_free(&m->field);
	buf_free(&m->scratch);
	htab_free(&m->dups);
	free(m->rcpts);
	arena_free(&m->arena);
	cleanup_mail_init(m, c);
}

int cleanup_fail(struct cleanup_mail *m, enum clnt_cleanup_status status, uint32_t code, const char *dsn,
	const char *text)
{
	if (m->verdict.status == CLEANUP_COMMITTED)
		m->verdict = (struct cleanup_verdict){ .status = status, .code = code, .dsn = dsn,
			.text = sv_z(text) };
	return -1;
}

int cleanup_fail_temp(struct cleanup_mail *m, const struct err *e)
{
	if (m->verdict.status != CLEANUP_COMMITTED)
		return -1;
	log_warn("%s: %s -- message not accepted, try again later", m->w.h.id, e->text);
	if (e->sys_errno == ENOSPC || e->sys_errno == EDQUOT)
		return cleanup_fail(m, CLEANUP_TEMP, 452, "4.3.1", "Error: insufficient system storage");
	return cleanup_fail(m, CLEANUP_TEMP, 451, "4.3.0", "Error: queue file write error");
}

int cleanup_fail_memory(struct cleanup_mail *m)
{
	struct err e = ERR_INIT;
	err_set(&e, ERR_TEMP, "header or envelope needs more than %zu octets of memory", CLEANUP_MAIL_MEMORY);
	return cleanup_fail_temp(m, &e);
}

/* Copy what the client said about the mail; its octets live only until the next frame. */
static int copy_open(struct cleanup_mail *m, const struct msg_cleanup_open *o)
{
	m->o = *o;
	struct sv *views[] = { &m->o.sender, &m->o.body_type, &m->o.envid, &m->o.client_name,
		&m->o.client_addr, &m->o.client_port, &m->o.helo_name, &m->o.protocol,
		&m->o.rewrite_context, &m->o.full_name,
		&m->o.expansion, &m->o.sasl_username, &m->o.sasl_method, &m->o.origin };
	for (size_t i = 0; i < ARRAY_LEN(views); i++) {
		*views[i] = arena_sv(&m->arena, *views[i]);
		if (!views[i]->p)
			return -1;
	}
	return 0;
}

/* Fields that only our own agents may set. */
static void drop_privileged(struct msg_cleanup_open *o)
{
	o->flags = 0;
	o->parent_nonce = o->parent_offset = 0;
	o->expansion = SV_NONE;
	o->arrival_us = 0;
	o->uid = -1;
}

static void decide_rewriting(struct cleanup_mail *m)
{
	const struct params_cleanup *p = &m->c->p;
	if (m->o.flags & CLEANUP_FLAG_MASK_HEADERS)
		m->context = NULL;
	else if (sv_eqz(m->o.rewrite_context, "local"))
		m->context = "local";
	else
		m->context = *p->remote_header_rewrite_domain ? "remote" : NULL;
	bool always = p->always_add_missing_headers && !(m->o.flags & CLEANUP_FLAG_MASK_HEADERS);
	m->add_missing = m->context || always;
}

int cleanup_mail_open(
	struct cleanup_mail *m, const struct msg_cleanup_open *o, bool privileged, struct err *e)
{
	size_t header_max = (size_t)m->c->core.header_size_limit;
	if (copy_open(m, o) < 0) {
		cleanup_mail_reset(m);
		return err_set(e, ERR_TEMP, "envelope is too large");
	}
	if (!privileged)
		drop_privileged(&m->o);
	m->privileged = privileged;
	m->verdict = (struct cleanup_verdict){ .status = CLEANUP_COMMITTED, .code = 250, .dsn = "2.0.0" };
	m->part = PART_HEADER;
	buf_init(&m->line, header_max + 16);
	buf_init(&m->field, header_max + 16);
	buf_init(&m->scratch, 4 * header_max + 65536);
	htab_init(&m->dups, (struct hash_seed){ 0, 0 });
	queue_writer_init(&m->w, &m->c->queue, m->o.arrival_us);
	/* random, so that chosen addresses do not collide */
	m->dups.seed = (struct hash_seed){ m->w.h.nonce, m->w.h.nonce };
	if (m->o.expansion.len > 0) {
		m->w.h.nonce = queue_nonce_derive(m->o.parent_nonce, m->o.parent_offset, m->o.expansion);
		m->w.h.mail_flags |= QUEUE_MAIL_REINJECTED;
	}
	if (m->o.smtputf8)
		m->w.h.mail_flags |= QUEUE_MAIL_SMTPUTF8;
	if (m->o.flags & CLEANUP_FLAG_VERIFY)
		m->w.h.mail_flags |= QUEUE_MAIL_VERIFY;
	if (m->o.flags & CLEANUP_FLAG_REPORT)
		m->w.h.mail_flags |= QUEUE_MAIL_REPORT;
	decide_rewriting(m);
	return 0;
}

void cleanup_mail_rcpt(struct cleanup_mail *m, const struct msg_cleanup_rcpt *r)
{
	if (m->verdict.status != CLEANUP_COMMITTED)
		return;
	if (m->nrcpts >= CLEANUP_RCPTS_MAX) {
		cleanup_fail(m, CLEANUP_PERM, 552, "5.5.3", "Error: too many recipients");
		return;
	}
	if (m->nrcpts == m->rcpts_cap) {
		m->rcpts_cap = m->rcpts_cap ? 2 * m->rcpts_cap : 8;
		m->rcpts = mem_realloc(m->rcpts, m->rcpts_cap * sizeof(*m->rcpts));
	}
	struct cleanup_rcpt *n = &m->rcpts[m->nrcpts];
	*n = (struct cleanup_rcpt){ .address = arena_sv(&m->arena, r->address),
		.original = arena_sv(&m->arena, r->original), .orcpt = arena_sv(&m->arena, r->orcpt),
		.notify = r->notify & 15, .expanded = m->privileged && r->expanded };
	if (!n->address.p || !n->original.p || !n->orcpt.p)
		cleanup_fail_memory(m);
	else
		m->nrcpts++;
}

static int commit(struct cleanup_mail *m)
{
	struct err e = ERR_INIT;
	if (queue_commit(&m->w, &e) < 0) {
		if (e.cls == ERR_PERM)
			return cleanup_fail(m, CLEANUP_PERM, 552, "5.3.4", "Error: envelope too large");
		return cleanup_fail_temp(m, &e);
	}
	if (m->o.flags & CLEANUP_FLAG_HOLD) {
		struct sv id = sv_z(m->w.h.id);
		if (queue_move(&m->c->queue, QUEUE_DIR_INCOMING, QUEUE_DIR_HOLD, id, &e) < 0)
			log_warn("%s: cannot be put on hold: %s", m->w.h.id, e.text);
	}
	const char *text = arena_printf(&m->arena, "Ok: queued as %s", m->w.h.id);
	m->verdict.text = sv_z(text ? text : "Ok");
	return 0;
}

void cleanup_mail_end(struct cleanup_mail *m)
{
	cleanup_content_end(m);
	if (m->verdict.status == CLEANUP_COMMITTED && m->nrcpts == 0)
		cleanup_fail(m, CLEANUP_PERM, 550, "5.1.0", "Error: no recipients specified");
	if (m->verdict.status == CLEANUP_COMMITTED && cleanup_envelope(m) == 0)
		(void)commit(m);
}
