/* Log lines about mail, as log readers for Postfix expect them. */
#include "lib/deliver/deliver_log.h"
#include "lib/mail/addr.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "qmgr/qmgr.h"

int64_t qmgr_wall_us(void)
{
	struct timespec t = clock_wall();
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void qmgr_log_active(const struct message *m, size_t nrcpt)
{
	struct buf from;
	buf_init(&from, 4096);
	if (addr_quote(&from, m->mail.facts.sender) < 0)
		buf_put_sv(&from, m->mail.facts.sender);
	log_info("%s: from=<%s>, size=%llu, nrcpt=%zu (queue active)", m->id, buf_z(&from),
	        (unsigned long long)m->mail.h.content_size, nrcpt);
	buf_free(&from);
}

void qmgr_log_rcpt(const struct message *m, const struct rcpt *r, enum deliver_status status,
        struct sv dsn, struct sv text)
{
	int64_t now = qmgr_wall_us();
	struct deliver_rcpt d = {
		.recipient = r->address, .original = r->original, .status = status, .text = text
	};
	struct deliver_times t = { .arrival_us = m->mail.h.arrival_us,
		.active_us = m->active_us,
		.begin_us = now,
		.done_us = now };
	struct buf line;
	if (dsn_parse(dsn, &d.dsn, NULL) != 1)
		d.dsn = DSN(4, 3, 0);
	buf_init(&line, 8192);
	deliver_log_line(&line, sv_z(m->id), &d, "none", &t);
	log_info("%s", buf_z(&line));
	buf_free(&line);
}
