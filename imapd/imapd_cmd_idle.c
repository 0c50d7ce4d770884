/*
 * IDLE (RFC 2177): one fiber reads for "DONE", another reports what the store announces. Only the
 * reporter touches the mailbox and writes while both live.
 */
#include <sys/socket.h>

#include "imapd/imapd.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"

#define GATHER_MS       50 /* a burst of deliveries makes one look at the mailbox */
#define LINE_MAX_OCTETS 1024

struct idle {
	struct imap_session *s;
	struct fiber_event *changed;
	bool stop;
};

/* The session ended here (BYE was said): whoever waits for DONE must not go on waiting. */
static void wake_reader(struct imap_session *s)
{
	stream_flush(s->io);
	shutdown(stream_fd(s->io), SHUT_RDWR);
}

static void run_reporter(void *arg)
{
	struct idle *i = arg;

	while (!i->s->done) {
		if (fiber_event_wait(i->changed, FIBER_FOREVER) != 1 || i->stop)
			return;
		if (fiber_sleep(GATHER_MS) != 1 || i->stop)
			return;
		fiber_event_clear(i->changed);
		if (!imapd_sync(i->s, true) || stream_flush(i->s->io) != 1) {
			wake_reader(i->s);
			return;
		}
	}
}

/* Until the client says DONE. False: the session is over. */
static bool wait_done(struct imap_session *s, struct sv *line, int *rc)
{
	*rc = stream_line(s->io, LINE_MAX_OCTETS, line, NULL, fiber_deadline(s->set->timeout_ms));
	return *rc == 1;
}

/* It is asked, not cancelled: half a line must not be all that goes out. */
static void end_reporter(struct idle *i, struct fiber *reporter)
{
	bool hurry = fiber_cancelled();
	bool shielded = fiber_shield(true);

	i->stop = true;
	fiber_event_set(i->changed);
	if (hurry)
		fiber_cancel(reporter);
	while (fiber_join(reporter, fiber_deadline(1000)) != 1)
		if (fiber_cancelled())
			fiber_cancel(reporter);
	fiber_release(reporter);
	fiber_shield(shielded);
}

void imapd_cmd_idle(struct imap_session *s)
{
	struct idle i = { .s = s };
	struct store_watch *watch = NULL;
	struct fiber *reporter = NULL;
	struct err e = ERR_INIT;
	struct sv line;
	int rc = 0;

	if (imap_end(&s->parse) != 1) {
		imapd_syntax(s);
		return;
	}
	i.changed = fiber_event_new();
	if (s->view.box) {
		watch = store_watch_add(
		        s->account, store_mailbox(store_box_name(s->view.box)), i.changed, &e);
		if (!watch)
			log_warn("imap(%s): IDLE without news: %s", s->user, e.text);
	}
	stream_puts(s->io, "+ idling\r\n");
	/* what happened before the watch was set must not wait for the next event */
	bool up = imapd_sync(s, true) && stream_flush(s->io) == 1;

	if (up && watch) {
		reporter = fiber_spawn("idle", 0, run_reporter, &i);
		if (reporter)
			fiber_hold(reporter);
	}
	if (up)
		up = wait_done(s, &line, &rc);
	if (reporter)
		end_reporter(&i, reporter);
	store_watch_del(watch);
	fiber_event_free(i.changed);
	if (s->done)
		return;
	if (!up)
		imapd_lost(s, rc);
	else if (!sv_ieqz(line, "DONE"))
		imapd_bad(s, "DONE was expected.");
	else
		imapd_ok(s, "Idle completed.");
}
