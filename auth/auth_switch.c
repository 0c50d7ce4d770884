#include "auth/auth_switch.h"

#include <sys/socket.h>

#include "lib/base/list.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define SEND_MS     5000
#define BECOME_MS   10000 /* a process becomes somebody: homes may be on slow disks */
#define CROWDED_MS  500   /* master had time to start another process: there is no more to be had */
#define ROOM_MAX    100000
#define SERVICE_MAX 16

/*
 * A member is in the list from enlisting until its connection fails. Fibers that pass a session
 * hold it by .users while they wait for .sender or for the socket; its own fiber leaves only when
 * no one does.
 *
 *     SHARED                                             serves everybody (a private instance)
 *     NOBODYS --become sent--> BECOMING --became--> SOMEBODYS
 *                                  \---- it failed, or nothing came: gone
 */
enum member_state { SHARED, NOBODYS, BECOMING, SOMEBODYS };

struct member {
	struct list_node node;
	struct ipc_conn *conn;
	char service[SERVICE_MAX];
	enum member_state state;
	uint32_t room, limit;
	unsigned users;
	bool gone;
	struct fiber_sem *sender;    /* one frame at a time */
	struct fiber_event *unused;  /* users became 0 */
	struct fiber_event *settled; /* BECOMING is over, or the member is gone */
	struct err failed;           /* why it is nobody's process still */
	struct auth_account who;     /* its own from BECOMING on */
	struct arena arena;          /* of WHO */
	int64_t last_ms;             /* when it had something to do */
};

struct auth_switch {
	struct list members;
	struct fiber_event *changed; /* somebody has room again */
};

struct auth_switch *auth_switch_new(void)
{
	struct auth_switch *sw = mem_alloc(sizeof(*sw));

	list_init(&sw->members);
	sw->changed = fiber_event_new();
	return sw;
}

void auth_switch_free(struct auth_switch *sw)
{
	if (!sw)
		return;
	fiber_event_free(sw->changed);
	free(sw);
}

/* This connection is of no use any more. */
static void hang_up(struct member *m)
{
	m->gone = true;
	shutdown(ipc_conn_fd(m->conn), SHUT_RDWR); /* wakes whoever waits for it */
	fiber_event_set(m->settled);
}

/* --- what members say -------------------------------------------------------------------------- */

static int on_room(struct member *m, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_auth_room freed;

	if (msg_auth_room_decode(f->body, a, &freed, e) < 0)
		return -1;
	m->room = freed.room > m->limit - m->room ? m->limit : m->room + freed.room;
	m->last_ms = clock_mono_ms();
	return 0;
}

static int on_became(struct member *m, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_auth_became said;

	if (m->state != BECOMING)
		return err_set(e, ERR_PERM, "an answer without a question");
	if (msg_auth_became_decode(f->body, a, &said, e) < 0)
		return -1;
	if (said.ok) {
		m->state = SOMEBODYS;
	} else {
		err_set(&m->failed, ERR_TEMP, "%.*s", SV_ARG(said.error));
		m->gone = true; /* it ends */
	}
	fiber_event_set(m->settled);
	return 0;
}

static void serve_member(struct auth_switch *sw, struct member *m)
{
	struct ipc_frame f;
	struct arena a;
	struct err e = ERR_INIT;
	int rc = 0;

	arena_init(&a, 4096);
	while (!m->gone && rc == 0 && ipc_recv(m->conn, &f, FIBER_FOREVER, &e) == 1) {
		arena_reset(&a);
		if (f.type == MSG_auth_room)
			rc = on_room(m, &f, &a, &e);
		else if (f.type == MSG_auth_became)
			rc = on_became(m, &f, &a, &e);
		else
			rc = err_set(&e, ERR_PERM, "unexpected message type %u", f.type);
		fiber_event_set(sw->changed);
	}
	if (rc < 0)
		log_warn("%s: connection closed: %s", m->service, e.text);
	arena_free(&a);
}

static void member_free(struct member *m)
{
	fiber_sem_free(m->sender);
	fiber_event_free(m->unused);
	fiber_event_free(m->settled);
	arena_free(&m->arena);
	free(m);
}

void auth_switch_member(struct auth_switch *sw, struct ipc_conn *c, struct sv service, uint32_t room,
        bool nobodys)
{
	struct member *m = mem_alloc(sizeof(*m));

	if (sv_copyz(service, m->service, sizeof(m->service)) < 0) {
		free(m);
		return;
	}
	m->conn = c;
	m->state = nobodys ? NOBODYS : SHARED;
	m->room = m->limit = room < ROOM_MAX ? room : ROOM_MAX;
	if (!nobodys) /* it may have sessions already, whose ends give more room */
		m->limit = ROOM_MAX;
	m->sender = fiber_sem_new(1);
	m->unused = fiber_event_new();
	m->settled = fiber_event_new();
	m->last_ms = clock_mono_ms();
	arena_init(&m->arena, 256 * 1024);
	list_push(&sw->members, &m->node);
	fiber_event_set(sw->changed);
	log_debug("%s enlisted, room for %u sessions", m->service, m->room);

	serve_member(sw, m);

	list_remove(&sw->members, &m->node);
	hang_up(m);
	fiber_event_set(sw->changed);
	fiber_shield(true);
	while (m->users > 0) {
		fiber_event_clear(m->unused);
		fiber_event_wait(m->unused, fiber_deadline(SEND_MS));
	}
	fiber_shield(false);
	member_free(m);
}

/* --- whose process is it ------------------------------------------------------------------------ */

/* The process may reach that mailbox and no other: all of it must be the same, not the uid alone. */
static bool same_identity(const struct auth_account *a, const struct auth_account *b)
{
	return a->uid == b->uid && a->gid == b->gid && sv_eq(a->home, b->home) && sv_eq(a->mail, b->mail);
}

static struct member *find(struct auth_switch *sw, struct sv service, enum member_state state,
        const struct auth_account *who)
{
	LIST_FOREACH (n, &sw->members) {
		struct member *m = CONTAINER_OF(n, struct member, node);
		bool his = state == SHARED || state == NOBODYS || same_identity(&m->who, who);

		if (!m->gone && m->state == state && his && m->room > 0 && sv_eqz(service, m->service))
			return m;
	}
	return NULL;
}

static void hold(struct member *m)
{
	m->users++;
}

static void let_go(struct member *m)
{
	if (--m->users == 0)
		fiber_event_set(m->unused);
}

static void keep_identity(struct member *m, const struct auth_account *who)
{
	uint32_t *groups = arena_alloc(&m->arena, (who->groups.n + 1) * sizeof(*groups));

	if (groups && who->groups.n > 0)
		memcpy(groups, who->groups.v, who->groups.n * sizeof(*groups));
	m->who = (struct auth_account){ .name = arena_sv(&m->arena, who->name),
		.uid = who->uid,
		.gid = who->gid,
		.home = arena_sv(&m->arena, who->home),
		.mail = arena_sv(&m->arena, who->mail),
		.groups = { groups, who->groups.n } };
}

/* Make M, a process of nobody, the one of WHO. 1, or -1: this process ends, or has ended. */
static int become(struct member *m, const struct auth_account *who, int64_t deadline, struct err *e)
{
	int64_t until = fiber_deadline(BECOME_MS);
	int rc = -1;

	if (until > deadline)
		until = deadline;
	keep_identity(m, who);
	m->state = BECOMING;
	hold(m);
	struct msg_auth_become q = { .user = m->who.name, .uid = m->who.uid, .gid = m->who.gid,
		.groups = m->who.groups, .home = m->who.home, .mail = m->who.mail };

	if (m->arena.exhausted)
		err_set(e, ERR_TEMP, "the names of %.*s are too long", SV_ARG(who->name));
	else if (msg_auth_become_send(m->conn, &q, 0, NULL, 0, until, e) < 0 ||
	        fiber_event_wait(m->settled, until) != 1)
		err_set(e, ERR_TEMP, "a %s process does not become %.*s in time", m->service, SV_ARG(who->name));
	else if (m->state == SOMEBODYS)
		rc = 1;
	else if (m->failed.cls != ERR_NONE)
		*e = m->failed;
	else
		err_set(e, ERR_TEMP, "the %s process that was to become %.*s has ended", m->service,
		        SV_ARG(who->name));
	if (rc < 0)
		hang_up(m);
	let_go(m);
	return rc;
}

/* Processes of users who are not there occupy the places that master's limit leaves: end the one that has
 * been idle for the longest time. */
static void make_place(struct auth_switch *sw, struct sv service)
{
	struct member *oldest = NULL;

	LIST_FOREACH (n, &sw->members) {
		struct member *m = CONTAINER_OF(n, struct member, node);

		if (!m->gone && m->state == SOMEBODYS && m->room == m->limit && m->users == 0 &&
		        sv_eqz(service, m->service) && (!oldest || m->last_ms < oldest->last_ms))
			oldest = m;
	}
	if (oldest)
		hang_up(oldest);
}

/* --- passing ----------------------------------------------------------------------------------- */

static int send_to(
        struct member *m, const struct msg_auth_session *s, int fd, int64_t deadline, struct err *e)
{
	int64_t until = fiber_deadline(SEND_MS);
	int rc = -1;

	if (until > deadline)
		until = deadline;
	m->room--;
	hold(m);
	if (fiber_sem_take(m->sender, until) == 1) {
		if (!m->gone)
			rc = msg_auth_session_send(m->conn, s, 0, &fd, 1, until, e) < 0 ? -1 : 1;
		fiber_sem_give(m->sender);
	} else {
		err_set(e, ERR_TEMP, "%s does not take its sessions", m->service);
	}
	if (rc < 0 && !m->gone)
		hang_up(m); /* a frame may have been cut short */
	let_go(m);
	return rc;
}

static int nobody_takes(const struct auth_switch *sw, struct sv service, struct err *e)
{
	/* the service "imap" is served by the program imapd, "postman" by postman */
	const char *d = sv_eqz(service, "postman") ? "" : "d";

	LIST_FOREACH (n, &sw->members)
		if (sv_eqz(service, CONTAINER_OF(n, struct member, node)->service))
			return err_set(e, ERR_TEMP,
			        "no %.*s process has room for a session: raise %.*s%s_session_limit, or the "
			        "process limit of %.*s%s in master.cf",
			        SV_ARG(service), SV_ARG(service), d, SV_ARG(service), d);
	return err_set(e, ERR_TEMP, "no %.*s%s process is there: is it a service in master.cf, and does it start?",
	        SV_ARG(service), d);
}

/* Wait until somebody has room, or the deadline. */
static int wait_for_room(struct auth_switch *sw, struct sv service, int64_t deadline, struct err *e)
{
	int64_t crowded = fiber_deadline(CROWDED_MS);
	int rc;

	fiber_event_clear(sw->changed);
	rc = fiber_event_wait(sw->changed, crowded < deadline ? crowded : deadline);
	if (rc == 0 && crowded < deadline) {
		make_place(sw, service);
		rc = fiber_event_wait(sw->changed, deadline);
	}
	return rc == 1 ? 1 : nobody_takes(sw, service, e);
}

int auth_switch_pass(struct auth_switch *sw, struct sv service, const struct auth_account *who,
        const struct msg_auth_session *s, int fd, int64_t deadline, struct err *e)
{
	for (;;) {
		struct member *to = find(sw, service, SHARED, who);

		if (!to)
			to = find(sw, service, SOMEBODYS, who);
		if (to) {
			if (send_to(to, s, fd, deadline, e) == 1)
				return 1;
			log_warn("session for %.*s not passed to a %.*s process: %s",
			        SV_ARG(who->name), SV_ARG(service), e->text);
			continue;
		}
		/* one that becomes WHO just now will have room for more than one session */
		if (!find(sw, service, BECOMING, who) && (to = find(sw, service, NOBODYS, who))) {
			if (become(to, who, deadline, e) < 0)
				return -1;
			continue;
		}
		if (wait_for_room(sw, service, deadline, e) < 0)
			return -1;
	}
}

uint64_t auth_switch_room(const struct auth_switch *sw, struct sv service)
{
	uint64_t room = 0;

	LIST_FOREACH (n, &sw->members) {
		const struct member *m = CONTAINER_OF(n, struct member, node);

		if (!m->gone && sv_eqz(service, m->service))
			room += m->room;
	}
	return room;
}
