#include "anvil/anvil_serve.h"

#include "anvil/anvil_table.h"
#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"

#define ENTRIES_MAX 200000
#define ANSWER_MS   10000

struct anvil {
	struct anvil_table table;
	struct hash_seed seed;
	long unit_s, report_s;
};

/* --- statistics, in Postfix's words ------------------------------------------------------------- */

static void when(int64_t at, char *out, size_t size)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec" };
	int64_t local = at + clock_tz_min(at) * 60;
	time_t t = (time_t)local;
	struct tm tm;
	gmtime_r(&t, &tm);
	snprintf(out, size, "%s %2d %02d:%02d:%02d", months[(unsigned)tm.tm_mon % 12], tm.tm_mday, tm.tm_hour,
		tm.tm_min, tm.tm_sec);
}

static void say_rate(const struct anvil *a, const char *what, const struct anvil_peak *p)
{
	char at[32];
	if (p->value == 0)
		return;
	when(p->at, at, sizeof(at));
	log_info("statistics: max %s rate %u/%lds for (%s) at %s", what, p->value, a->unit_s, p->who, at);
}

static void report(struct anvil *a)
{
	struct anvil_table *t = &a->table;
	char at[32];
	say_rate(a, "connection", &t->rate_peaks[ANVIL_CONNECT]);
	if (t->concurrency_peak.value > 0) {
		when(t->concurrency_peak.at, at, sizeof(at));
		log_info("statistics: max connection count %u for (%s) at %s", t->concurrency_peak.value,
			t->concurrency_peak.who, at);
	}
	say_rate(a, "message", &t->rate_peaks[ANVIL_MESSAGE]);
	say_rate(a, "recipient", &t->rate_peaks[ANVIL_RECIPIENT]);
	say_rate(a, "newtls", &t->rate_peaks[ANVIL_NEWTLS]);
	say_rate(a, "auth", &t->rate_peaks[ANVIL_AUTH]);
	if (t->size_peak.value > 0) {
		when(t->size_peak.at, at, sizeof(at));
		log_info("statistics: max cache size %u at %s", t->size_peak.value, at);
	}
	anvil_peaks_clear(t);
}

static void report_now_and_then(void *arg)
{
	struct anvil *a = arg;
	int64_t next = clock_mono_ms() + a->report_s * 1000;
	long step = a->unit_s < a->report_s ? a->unit_s : a->report_s;
	while (fiber_sleep(step * 1000) == 1) {
		anvil_table_expire(&a->table, clock_mono_ms());
		if (clock_mono_ms() < next)
			continue;
		report(a);
		next = clock_mono_ms() + a->report_s * 1000;
	}
}

int anvil_post_jail(struct server *s, struct err *e)
{
	struct params_anvil p;
	if (params_anvil_load(server_config(s), &p, e) < 0)
		return -1;
	struct anvil *a = mem_alloc(sizeof(*a));
	a->unit_s = p.anvil_rate_time_unit;
	a->report_s = p.anvil_status_update_time;
	rand_bytes(&a->seed, sizeof(a->seed));
	anvil_table_init(&a->table, a->seed, ENTRIES_MAX, a->unit_s * 1000);
	server_set_state(s, a);
	if (!fiber_spawn("anvil_report", 0, report_now_and_then, a))
		return err_set(e, ERR_TEMP, "no memory for the report's fiber");
	return 0;
}

void anvil_stopping(struct server *s)
{
	report(server_state(s));
}

/* --- one client process ------------------------------------------------------------------------- */

static int answer(struct server_conn *c, struct ipc_conn *conn, struct anvil_peer *peer,
	const struct ipc_frame *f, struct err *e)
{
	struct msg_anvil_event q;
	if (msg_anvil_event_from(f, c->arena, &q, e) < 0)
		return -1;
	if (q.kind < ANVIL_CONNECT || q.kind >= ANVIL_KINDS)
		return err_set(e, ERR_TEMP, "event of kind %u", q.kind);
	struct anvil_counts n = anvil_event(peer, (enum anvil_kind)q.kind, q.service, q.address,
		clock_mono_ms(), clock_wall_s());
	struct msg_anvil_counts r = { .concurrency = n.concurrency, .rate = n.rate };
	return msg_anvil_counts_send(conn, &r, f->request_id, NULL, 0, fiber_deadline(ANSWER_MS), e);
}

void anvil_serve(struct server_conn *c)
{
	struct anvil *a = c->state;
	struct ipc_conn *conn = ipc_conn_new(c->fd);
	struct anvil_peer peer;
	struct ipc_frame f;
	struct err e = ERR_INIT;
	int rc = 1;
	anvil_peer_init(&peer, &a->table, a->seed);
	server_conn_idle(c, true); /* every event is over when it is answered */
	while (rc == 1 && (rc = ipc_recv(conn, &f, FIBER_FOREVER, &e)) == 1) {
		rc = answer(c, conn, &peer, &f, &e);
		arena_reset(c->arena);
	}
	if (rc < 0 && !fiber_cancelled())
		log_warn("client of class %s: %s", c->listener, e.text);
	anvil_peer_free(&peer);
	ipc_conn_free(conn);
}
