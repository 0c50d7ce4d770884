#include "auth/auth_switch.h"

#include <sys/socket.h>

#include "lib/base/list.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"

#define SEND_MS     5000
#define ROOM_MAX    100000
#define SERVICE_MAX 16

/*
 * A member is in the list from enlisting until its connection fails. Fibers that pass a session
 * hold it by .users while they wait for .sender or for the socket; its own fiber leaves only when
 * no one does.
 */
struct member {
	struct list_node node;
	struct ipc_conn *conn;
	char service[SERVICE_MAX];
	uint32_t room;
	unsigned users;
	bool gone;
	struct fiber_sem *sender;   /* one frame at a time */
	struct fiber_event *unused; /* users became 0 */
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

static void serve_member(struct auth_switch *sw, struct member *m)
{
	struct msg_auth_room freed;
	struct ipc_frame f;
	struct arena a;
	struct err e = ERR_INIT;

	arena_init(&a, 4096);
	while (!m->gone && ipc_recv(m->conn, &f, FIBER_FOREVER, &e) == 1) {
		arena_reset(&a);
		if (f.type != MSG_auth_room || msg_auth_room_decode(f.body, &a, &freed, &e) < 0) {
			log_warn("%s: unexpected message type %u, connection closed", m->service,
			        f.type);
			break;
		}
		if (freed.room > ROOM_MAX - m->room)
			m->room = ROOM_MAX;
		else
			m->room += freed.room;
		fiber_event_set(sw->changed);
	}
	arena_free(&a);
}

void auth_switch_member(
        struct auth_switch *sw, struct ipc_conn *c, struct sv service, uint32_t room)
{
	struct member *m = mem_alloc(sizeof(*m));

	if (sv_copyz(service, m->service, sizeof(m->service)) < 0) {
		free(m);
		return;
	}
	m->conn = c;
	m->room = room < ROOM_MAX ? room : ROOM_MAX;
	m->sender = fiber_sem_new(1);
	m->unused = fiber_event_new();
	list_push(&sw->members, &m->node);
	fiber_event_set(sw->changed);
	log_debug("%s enlisted, room for %u sessions", m->service, m->room);

	serve_member(sw, m);

	m->gone = true;
	list_remove(&sw->members, &m->node);
	shutdown(ipc_conn_fd(c), SHUT_RDWR); /* wakes a sender that waits for it */
	fiber_shield(true);
	while (m->users > 0) {
		fiber_event_clear(m->unused);
		fiber_event_wait(m->unused, fiber_deadline(SEND_MS));
	}
	fiber_shield(false);
	fiber_sem_free(m->sender);
	fiber_event_free(m->unused);
	free(m);
}

static struct member *with_room(struct auth_switch *sw, struct sv service)
{
	LIST_FOREACH (n, &sw->members) {
		struct member *m = CONTAINER_OF(n, struct member, node);

		if (!m->gone && m->room > 0 && sv_eqz(service, m->service))
			return m;
	}
	return NULL;
}

static int send_to(
        struct member *m, const struct msg_auth_session *s, int fd, int64_t deadline, struct err *e)
{
	int64_t until = fiber_deadline(SEND_MS);
	int rc = -1;

	if (until > deadline)
		until = deadline;
	m->room--;
	m->users++;
	if (fiber_sem_take(m->sender, until) == 1) {
		if (!m->gone)
			rc = msg_auth_session_send(m->conn, s, 0, &fd, 1, until, e) < 0 ? -1 : 1;
		fiber_sem_give(m->sender);
	} else {
		err_set(e, ERR_TEMP, "%s does not take its sessions", m->service);
	}
	if (rc < 0 && !m->gone) {
		/* a frame may have been cut short: this connection is of no use any more */
		m->gone = true;
		shutdown(ipc_conn_fd(m->conn), SHUT_RDWR);
	}
	if (--m->users == 0)
		fiber_event_set(m->unused);
	return rc;
}

int auth_switch_pass(struct auth_switch *sw, struct sv service, const struct msg_auth_session *m,
        int fd, int64_t deadline, struct err *e)
{
	for (;;) {
		struct member *to = with_room(sw, service);

		if (to) {
			if (send_to(to, m, fd, deadline, e) == 1)
				return 1;
			log_warn("session for %.*s not passed to a %.*s process: %s",
			        SV_ARG(m->user), SV_ARG(service), e->text);
			continue;
		}
		fiber_event_clear(sw->changed);
		if (fiber_event_wait(sw->changed, deadline) != 1)
			return err_set(e, ERR_TEMP,
			        "no %.*s process has room for a session: raise %.*sd_session_limit, or "
			        "the process limit of %.*sd in master.cf",
			        SV_ARG(service), SV_ARG(service), SV_ARG(service));
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
