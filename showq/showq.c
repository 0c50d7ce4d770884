/* showq/showq.c - who may look (authorized_mailq_users), and the way of the octets to the client. */
#include "showq/showq.h"

#include <sys/socket.h>

#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/fiber/stream.h"
#include "lib/map/userlist.h"
#include "lib/queue/queue_list.h"
#include "lib/server/server.h"
#include "lib/sys/log.h"

enum { WRITE_MS = 100 * 1000 };

struct showq {
	struct params_core core;
	struct params_sendmail p;
	struct maps_env env;
	struct userlist *users; /* NULL: everybody */
	struct queue queue;
};

int showq_paths(struct server *s, struct err *e)
{
	const char *spool = config_str(server_config(s), "queue_directory", e);
	if (!spool || server_allow_read(s, spool) < 0 || server_allow_read(s, "/etc") < 0)
		return -1;
	return server_allow_read(s, config_dir(server_config(s)));
}

int showq_pre_jail(struct server *s, struct err *e)
{
	struct showq *q = mem_alloc(sizeof(*q));
	const struct config *cfg = server_config(s);
	server_set_state(s, q);
	if (params_core_load(cfg, &q->core, e) < 0 || params_sendmail_load(cfg, &q->p, e) < 0)
		return -1;
	if (userlist_open("authorized_mailq_users", q->p.authorized_mailq_users, &q->env, &q->users, e) < 0)
		return -1;
	return queue_open(&q->queue, q->core.queue_directory, e);
}

static bool may_look(struct showq *q, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct err e = ERR_INIT;
	if (!q->users)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	char name[USERLIST_NAME_MAX];
	int rc = userlist_allows(q->users, peer.uid, name, &e);
	if (rc != 1)
		log_warn("user %s(%u) may not see the queue (authorized_mailq_users)%s%s", name,
			(unsigned)peer.uid, rc < 0 ? ": " : "", e.text);
	return rc == 1;
}

static bool to_client(void *ctx, struct sv octets)
{
	struct stream *s = ctx;
	(void)fiber_yield(); /* a long queue must not keep other clients waiting */
	return stream_put_sv(s, octets) == 1;
}

void showq_serve(struct server_conn *sc)
{
	struct showq *q = server_state(sc->server);
	struct err e = ERR_INIT;
	struct stream *s = stream_new(sc->fd);
	stream_write_timeout(s, WRITE_MS);
	if (may_look(q, sc->fd)) {
		if (queue_list(&q->queue, to_client, s, &e) < 0)
			log_warn("%s", e.text);
		(void)stream_flush(s);
	}
	stream_free(s);
}
