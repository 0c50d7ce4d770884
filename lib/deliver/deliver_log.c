#include "lib/deliver/deliver_log.h"

void deliver_seconds(struct buf *out, int64_t us)
{
	if (us < 0)
		us = 0;
	if (us >= 10 * 1000000) {
		(void)buf_printf(out, "%lld", (long long)((us + 500000) / 1000000));
		return;
	}
	/* hundredths; from one second on rounded to tenths */
	long long h = (us + 5000) / 10000;
	if (h >= 100)
		h = (us + 50000) / 100000 * 10;
	(void)buf_printf(out, "%lld", h / 100);
	if (h % 100 == 0)
		return;
	if (h % 10 == 0)
		(void)buf_printf(out, ".%lld", h % 100 / 10);
	else
		(void)buf_printf(out, ".%02lld", h % 100);
}

const char *deliver_status_name(enum deliver_status s)
{
	switch (s) {
	case DELIVER_SENT: return "sent";
	case DELIVER_BOUNCED: return "bounced";
	case DELIVER_NONE:
	case DELIVER_DEFERRED: break;
	}
	return "deferred";
}

void deliver_log_line(struct buf *out, struct sv queue_id, const struct deliver_rcpt *r,
        const char *relay, const struct deliver_times *t)
{
	char code[DSN_TEXT_MAX];
	(void)buf_printf(out, "%.*s: to=<%.*s>, ", SV_ARG(queue_id), SV_ARG(r->recipient));
	if (!sv_empty(r->original) && !sv_ieq(r->original, r->recipient))
		(void)buf_printf(out, "orig_to=<%.*s>, ", SV_ARG(r->original));
	(void)buf_printf(out, "relay=%s, delay=", relay);
	deliver_seconds(out, t->done_us - t->arrival_us);
	int64_t connected = t->connected_us ? t->connected_us : t->begin_us;
	const int64_t parts[] = { t->active_us - t->arrival_us, t->begin_us - t->active_us,
		connected - t->begin_us, t->done_us - connected };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		(void)buf_puts(out, i == 0 ? ", delays=" : "/");
		deliver_seconds(out, parts[i]);
	}
	/* as Postfix: the reader of the log sees what would have been */
	struct dsn_code dsn = r->soft ? dsn_with_class(r->dsn, 5) : r->dsn;
	(void)buf_printf(out, ", dsn=%s, status=%s (%.*s)", dsn_format(dsn, code),
	        r->soft ? "SOFTBOUNCE" : deliver_status_name(r->status), SV_ARG(r->text));
}
