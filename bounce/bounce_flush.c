/*
 * A notification: log -> report -> cleanup -> log removed.
 *
 * 1. The report is committed by cleanup before the log goes. A kill between the two makes the
 * report twice; both have the same parent and expansion, so a Maildir on this machine keeps one.
 * 2. The null sender is never answered (RFC 5321 4.5.5). What fails for it is reported to the
 * postmaster when notify_classes has "2bounce", from double_bounce_sender; what fails for that one
 * is dropped.
 * 3. A report that cleanup refuses for good is logged and given up: it would be refused again.
 */
#include "bounce/bounce.h"
#include "lib/base/base64.h"
#include "lib/base/hash.h"
#include "lib/clnt/clnt_cleanup.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"

struct flush {
	struct bounce *b;
	const struct msg_bounce_flush *m;
	enum report_kind kind;
	enum queue_name log;
	int queue_fd;
	struct arena *arena;
	struct report_rcpt *rcpts;
	size_t n, nmore;
	uint64_t digest; /* of what is reported */
	struct buf original;
	bool header_only;
	int rc;
	struct err *e;
};

static bool keep_entry(void *ctx, const struct bounce_entry *en)
{
	struct flush *f = ctx;
	struct arena *a = f->arena;
	const struct hash_seed seed = { f->digest, en->offset };
	/* entries of another mail with this id cannot be, unless somebody put them there */
	if (en->nonce != f->m->nonce)
		return true;
	/* defer/ tells mailq of everybody; a warning is only for those who did not say no (RFC
	 * 3461 4.1) */
	if (f->kind == REPORT_DELAY && en->notify != 0 && !(en->notify & QUEUE_NOTIFY_DELAY))
		return true;
	f->digest = hash_sip(seed, en->action.p, en->action.len);
	if (f->n >= BOUNCE_RCPTS_MAX) {
		f->nmore++;
		return true;
	}
	struct report_rcpt r = { arena_sv(a, en->recipient), arena_sv(a, en->original),
		arena_sv(a, en->orcpt), arena_sv(a, en->action), arena_sv(a, en->dsn),
		arena_sv(a, en->text), arena_sv(a, en->remote_mta), arena_sv(a, en->diagnostic),
		en->time_s };
	if (a->exhausted)
		f->nmore++;
	else
		f->rcpts[f->n++] = r;
	return true;
}

static void read_log(void *rec)
{
	struct flush *f = rec;
	f->rc = bounce_log_read(&f->b->q, f->log, f->m->queue_id, keep_entry, f, f->e);
}

static void read_original(void *rec)
{
	struct flush *f = rec;
	f->rc = bounce_read_original(f->queue_fd, f->m->content_offset, f->m->content_size,
	        f->header_only, &f->original, f->e);
}

static void drop_log(void *rec)
{
	struct flush *f = rec;
	f->rc = queue_remove(&f->b->q, f->log, f->m->queue_id, f->e);
}

/* Minutes east of UTC, now. */
static int zone_minutes(int64_t now)
{
	time_t t = (time_t)now;
	struct tm tm;
	return localtime_r(&t, &tm) ? (int)(tm.tm_gmtoff / 60) : 0;
}

static int make_report(struct flush *f, struct sv to, enum report_kind kind, struct buf *out)
{
	const struct params_core *core = &f->b->core;
	const struct msg_bounce_flush *m = f->m;
	unsigned char random[16];
	struct buf boundary;
	buf_init(&boundary, 128);
	rand_bytes(random, sizeof(random));
	buf_puts(&boundary, "=_");
	hex_encode(&boundary, sv_n((const char *)random, sizeof(random)));
	int64_t now = clock_wall_s();
	const struct report r = { .kind = kind,
		.template = &f->b->templates.t[report_template(kind)],
		.to = to,
		.sender = m->sender,
		.queue_id = m->queue_id,
		.envid = m->envid,
		.myhostname = sv_z(core->myhostname),
		.myorigin = sv_z(core->myorigin),
		.mail_name = sv_z(core->mail_name),
		.boundary = buf_sv(&boundary),
		.now_s = now,
		.arrival_s = m->arrival_us / 1000000,
		.retry_until_s = m->arrival_us / 1000000 + f->b->queue_lifetime,
		.tz_min = zone_minutes(now),
		.smtputf8 = m->smtputf8,
		.rcpts = f->rcpts,
		.nrcpts = f->n,
		.nmore = f->nmore,
		.original = buf_sv(&f->original),
		.header_only = f->header_only,
		.threaded = f->b->p.enable_threaded_bounces };
	int rc = report_make(&r, out);
	buf_free(&boundary);
	return rc;
}

/* Hand the report over. 1 committed, 0 refused for good, -1 with f->e. */
static int submit(struct flush *f, struct sv from, struct sv to, enum report_kind kind,
        const struct buf *text)
{
	char expansion[64];
	struct clnt_cleanup_result res;
	struct clnt_cleanup *c = clnt_cleanup_new(f->b->cleanup, BOUNCE_TIMEOUT_MS);
	snprintf(expansion, sizeof(expansion), "report:%d:%016llx", (int)kind,
	        (unsigned long long)f->digest);
	const struct clnt_cleanup_open open = { .sender = from,
		.flags = CLEANUP_FLAG_RESUBMIT,
		.smtputf8 = f->m->smtputf8,
		.body_type = SV("8BITMIME"),
		.rewrite_context = SV("local"),
		.origin = SV("bounce"),
		.parent_nonce = f->m->nonce,
		.parent_offset = (uint64_t)kind + 1,
		.expansion = sv_z(expansion),
		.uid = -1,
		.size_hint = text->len };
	/* no NOTIFY: what becomes of a report that fails is decided by its sender, in tell() */
	const struct clnt_cleanup_rcpt rcpt = { .address = to, .original = to };
	int rc = -1;
	if (clnt_cleanup_open(c, &open, f->e) == 0 && clnt_cleanup_rcpt(c, &rcpt, f->e) == 0 &&
	        clnt_cleanup_data(c, buf_sv(text), f->e) == 0 &&
	        clnt_cleanup_end(c, &res, f->e) == 0) {
		static const char *const what[] = { [REPORT_FAILURE] =
			                                    "sender non-delivery notification",
			[REPORT_DELAY] = "sender delay notification",
			[REPORT_SUCCESS] = "sender delivery status notification",
			[REPORT_VERIFY] = "sender delivery status notification",
			[REPORT_POSTMASTER] = "postmaster non-delivery notification",
			[REPORT_POSTMASTER_DELAY] = "postmaster delay notification" };
		if (res.status == CLEANUP_COMMITTED) {
			log_info("%.*s: %s: %s", SV_ARG(f->m->queue_id), what[kind], res.queue_id);
			rc = 1;
		} else if (res.status == CLEANUP_PERM) {
			log_warn("%.*s: %s to <%.*s> refused: %s %s", SV_ARG(f->m->queue_id),
			        what[kind], SV_ARG(to), res.dsn, res.text);
			rc = 0;
		} else {
			err_set(f->e, ERR_TEMP, "cleanup: %s %s", res.dsn, res.text);
		}
	}
	clnt_cleanup_free(c);
	return rc;
}

/* Read what is returned of the mail; its header only where the whole is not wanted or too large. */
static int load_original(struct flush *f, bool header_only)
{
	f->header_only = header_only || f->m->ret == QUEUE_RET_HDRS ||
	                 f->m->content_size > (uint64_t)f->b->p.bounce_size_limit;
	buf_reset(&f->original);
	fiber_offload(FIBER_POOL_DURABLE, read_original, f);
	return f->rc;
}

/* One report to one address. 1 done or given up, -1 later. */
static int report_to(struct flush *f, struct sv from, struct sv to, enum report_kind kind)
{
	struct buf text;
	int rc = load_original(f, kind != REPORT_FAILURE);
	buf_init(&text, (64u << 20));
	if (rc == 1) {
		rc = make_report(f, to, kind, &text) < 0
		             ? err_set(f->e, ERR_TEMP, "notification too large")
		             : submit(f, from, to, kind, &text);
		if (rc == 0 && !f->header_only && load_original(f, true) == 1) {
			buf_reset(&text);
			if (make_report(f, to, kind, &text) == 0)
				rc = submit(f, from, to, kind, &text);
		}
	}
	buf_free(&text);
	return rc < 0 ? -1 : 1;
}

static bool from_double_bounce(const struct bounce *b, struct sv sender)
{
	struct sv local, domain;
	return addr_split(sender, &local, &domain) &&
	       sv_ieqz(local, b->core.double_bounce_sender) &&
	       (sv_ieqz(domain, b->core.myorigin) || sv_ieqz(domain, b->core.myhostname));
}

static int tell_postmaster(struct flush *f, const char *to, enum report_kind kind)
{
	char from[512];
	snprintf(from, sizeof(from), "%s@%s", f->b->core.double_bounce_sender, f->b->core.myorigin);
	return report_to(f, sv_z(from), sv_z(to), kind);
}

/* Who is to be told? 1 done, -1 later. */
static int tell(struct flush *f)
{
	struct bounce *b = f->b;
	struct sv sender = f->m->sender;
	bool failure = f->kind == REPORT_FAILURE;

	if (from_double_bounce(b, sender)) {
		log_warn("%.*s: undeliverable postmaster notification discarded",
		        SV_ARG(f->m->queue_id));
		return 1;
	}
	if (sender.len == 0) {
		if (!failure)
			return 1;
		if (b->notify_classes & NOTIFY_CLASS_2BOUNCE)
			return tell_postmaster(f, b->core.twobounce_notice_recipient, REPORT_POSTMASTER);
		log_info("%.*s: undeliverable notification discarded", SV_ARG(f->m->queue_id));
		return 1;
	}
	if (report_to(f, SV_NONE, sender, f->kind) < 0)
		return -1;
	if (failure && (b->notify_classes & NOTIFY_CLASS_BOUNCE))
		return tell_postmaster(f, b->core.bounce_notice_recipient, REPORT_POSTMASTER);
	if (f->kind == REPORT_DELAY && (b->notify_classes & NOTIFY_CLASS_DELAY))
		return tell_postmaster(f, b->core.delay_notice_recipient, REPORT_POSTMASTER_DELAY);
	return 1;
}

int bounce_flush(struct bounce *b, const struct msg_bounce_flush *m, int queue_fd, struct arena *a,
        struct err *e)
{
	struct flush f = { .b = b, .m = m, .queue_fd = queue_fd, .arena = a, .e = e };
	if (sv_eqz(m->kind, "bounce"))
		f.kind = REPORT_FAILURE, f.log = QUEUE_DIR_BOUNCE;
	else if (sv_eqz(m->kind, "delay"))
		f.kind = REPORT_DELAY, f.log = QUEUE_DIR_DEFER;
	else if (sv_eqz(m->kind, "trace"))
		f.kind = REPORT_SUCCESS, f.log = QUEUE_DIR_TRACE;
	else if (sv_eqz(m->kind, "verify"))
		f.kind = REPORT_VERIFY, f.log = QUEUE_DIR_TRACE;
	else
		return err_set(
		        e, ERR_TEMP, "unknown kind of notification \"%.*s\"", SV_ARG(m->kind));
	f.rcpts = mem_array(BOUNCE_RCPTS_MAX, sizeof(*f.rcpts));
	buf_init(&f.original, (size_t)b->p.bounce_size_limit + BOUNCE_HEADER_MAX + 16);
	fiber_offload(FIBER_POOL_DURABLE, read_log, &f);
	int rc = f.rc < 0 ? -1 : 1;
	if (f.rc == 1 && f.n > 0)
		rc = tell(&f);
	if (rc == 1 && f.kind != REPORT_DELAY) {
		fiber_offload(FIBER_POOL_DURABLE, drop_log, &f);
		rc = f.rc < 0 ? -1 : 1;
	}
	buf_free(&f.original);
	free(f.rcpts);
	return rc;
}
