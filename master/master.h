/*
 * master/master.h - the private types of master: generations, services, sockets, children.
 *
 * Layer:     daemon.
 * Ownership: struct master owns everything. A generation is one reading of main.cf and master.cf;
 *            it lives until its last child is gone. Sockets belong to master and outlive
 * generations. Security:  children are mistrusted: what they send is checked, a broken child is its
 * own problem.
 *
 * One fiber, master_supervise(), takes all decisions. Others (one a child, one a socket, one a
 * signal, one a control connection) note what happened and call master_kick().
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <sys/types.h>

#include "lib/base/err.h"
#include "lib/base/list.h"
#include "lib/config/config.h"
#include "lib/config/mastercf.h"
#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/ipc.h"
#include "lib/server/rights.h"
#include "master/master_table.h"

#define SOCKS_A_SERVICE     16
#define SERVICES_MAX        256
#define CHILDREN_MAX        4000 /* of all services together */
#define GENERATIONS_MAX     3
#define STOP_STAGE_MS       15000 /* how long a stage of the stop may take before SIGKILL */
/* a daemon gives its sessions 5 s after SIGTERM and 2 s to unwind (lib/server/life.c) */
#define TERM_TO_KILL_MS     10000
#define START_REPORT_MS     30000 /* when "ready" is reported although a service is not */
/* Crashes within service_throttle_time. More of processes that served nobody: a pause of that length;
 * more of processes that had sessions: pauses that grow to CRASH_PAUSE_MAX_MS. */
#define CRASHES_TO_THROTTLE 10
#define CRASH_PAUSE_MAX_MS  8000

struct master;
struct msvc;

/* One listening socket. */
struct msock {
	struct list_node link; /* in master.sockets */
	struct master *master;
	enum sock_class cls;
	char *key;   /* identity over reloads: class, name, address */
	char *path;  /* of a unix socket, else NULL */
	char *name;  /* how the program knows it: the service's name, or "submit" */
	char *label; /* "127.0.0.1:10025", "public/submit": for people */
	unsigned port;
	bool dgram;
	int fd;
	struct msvc *svc;            /* of the newest generation; NULL: nobody */
	struct fiber_event *watched; /* set while master itself looks out for connections */
	struct fiber *fiber;
	bool closing;
};

struct generation {
	struct list_node link; /* in master.generations, oldest first */
	unsigned number;
	char number_z[12];
	struct config *cfg;
	struct params_core core;
	struct params_master params;
	struct params_tls tls;
	struct mastercf cf;
	struct msvc *services;
	size_t count;
	size_t children;
	int64_t retired_ms; /* 0: the one in service */
	int64_t end_ms;     /* when those that still run are told to end; 0 with retired_ms 0 */
};

/* A line of master.cf in one generation. */
struct msvc {
	struct generation *gen;
	const struct service *cf;
	const struct program_facts *facts;
	char *program;    /* path */
	unsigned maxproc; /* 0: none */
	unsigned keep, keep_free;
	bool exclusive; /* one process over all generations: holds pid/NAME.lock */
	struct msock *socks[SOCKS_A_SERVICE];
	size_t nsocks;
	struct list children;
	unsigned starting, idle, full; /* by state; a child that was told to stop is in none */
	bool demand;                   /* somebody connected and no process had room */
	bool seen;                     /* was used or started at least once */
	int64_t wakeup_ms;             /* next wake-up, 0: never */
	int64_t throttled_ms;          /* until then no process is started */
	int64_t crash_window_ms;
	unsigned crashes;        /* in the window, of processes that served nobody */
	unsigned served_crashes; /* of those that had */
	unsigned long started, crashed;
	bool was_ready;
};

enum child_state { CHILD_STARTING, CHILD_IDLE, CHILD_FULL, CHILD_STOPPING };

struct child {
	struct list_node link;
	struct master *master;
	struct msvc *svc;
	pid_t pid;
	enum child_state state;
	struct ipc_conn *ctl;
	struct fiber *fiber;
	int64_t started_ms;
	int64_t kill_ms; /* SIGKILL then; 0: not */
	bool termed;
	bool told_end; /* "stop", not only "reload" */
	bool served;   /* it told of a session */
	bool reaped; /* the fiber frees it */
};

struct master {
	char *config_dir;
	bool foreground;
	bool system;           /* root, with accounts of its own; else a private instance */
	struct rights_own own; /* of a system instance */
	unsigned cores;
	struct list generations;
	struct list sockets;
	struct list rings; /* keys of TLS tickets, by service: master_tickets.c */
	struct generation *current;
	unsigned next_number;
	size_t children;
	struct fiber_event *kick;
	int lock_fd;
	int control_fd;
	int log_fd;     /* datagrams to postlogd, passed to children; -1 */
	int log_reader; /* where postlogd receives them; -1 */
	int ready_fd; /* the parent waits here; -1 */
	int64_t started_ms;
	int64_t started_s;
	int64_t watchdog_at; /* when systemd hears of us again */
	bool ready_reported;
	bool want_stop, want_reload;
	bool stopping;
	enum stop_stage stage;
	int64_t stage_end_ms;
	bool stage_killed;
	struct fiber_event *stopped;  /* set when all children are gone */
	struct fiber_event *reloaded; /* set after a wanted reload was tried */
	struct err reload_err;        /* its result: class NONE is success */
};

static inline void master_kick(struct master *m)
{
	fiber_event_set(m->kick);
}

/* master_start.c: before the event loop. -1 with E: the process ends. */
MUST_USE int master_choose_account(struct master *m, const struct generation *g, struct err *e);
MUST_USE int master_enter(struct master *m, const struct generation *g, struct err *e);
MUST_USE int master_detach(struct master *m, const struct generation *g, struct err *e);
MUST_USE int master_drop_rights(const struct master *m, struct err *e);
void master_tell_starter(struct master *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
void master_clean_files(struct master *m);
void master_fini(struct master *m);

/* master_generation.c */
MUST_USE int generation_read(struct master *m, struct generation **out, struct err *e);
void generation_free(struct generation *g);
MUST_USE int generation_install(struct master *m, struct generation *g, struct err *e);
void generation_reload(struct master *m);
void generation_expire(struct master *m, int64_t now, int64_t *next);

/* master_inet.c: listening addresses of an inet service, appended to svc->socks. */
MUST_USE int inet_sockets(struct master *m, struct msvc *svc, struct list *fresh, struct err *e);
/* master_sockets.c */
MUST_USE int sockets_make(struct master *m, struct msvc *svc, struct list *fresh, struct err *e);
struct msock *sock_find(struct master *m, const char *key);
struct msock *sock_new(struct master *m, enum sock_class cls, const char *name, const char *key,
        const char *label);
void sock_free(struct msock *s);
MUST_USE int sock_attach(struct msvc *svc, struct msock *s, struct err *e);
void sockets_adopt(struct master *m, struct generation *g, struct list *fresh);
void sockets_close_all(struct master *m);
MUST_USE int sockets_write_ports(struct master *m, struct err *e);
MUST_USE int sockets_open_log(struct master *m, const struct generation *g, struct err *e);
void sockets_close_log(struct master *m);
bool msvc_is_postlogd(const struct msvc *svc);
/* Bind and listen on PATH below the queue directory; GID (gid_t)-1: our own. fd or -1. */
MUST_USE int sock_unix_listen(const char *path, gid_t gid, mode_t mode, bool dgram, struct err *e);
MUST_USE int sock_unix_connect(const char *path, bool dgram, struct err *e);

/* master_service.c: how many processes a service needs now. */
void service_balance(struct master *m, struct msvc *svc, int64_t now, int64_t *next);
/* C, whose last state was STATE, ended. */
void service_note_exit(
        struct master *m, const struct child *c, int status, enum child_state state, int64_t now);
unsigned service_processes(const struct msvc *svc);

/* master_spawn.c */
MUST_USE int spawn_child(struct master *m, struct msvc *svc, int lock_fd, struct err *e);
/* An exclusive service's lock: fd, or -1; *busy tells "held by a process that still ends". */
int spawn_take_lock(const struct msvc *svc, bool *busy, struct err *e);

/* master_child.c */
MUST_USE int child_new(struct master *m, struct msvc *svc, pid_t pid, int ctl_fd, struct err *e);
void child_stop(struct child *c, const char *why, int64_t now, int64_t grace_ms);
void child_set_state(struct child *c, enum child_state state);
void children_reap(struct master *m, int64_t now);
void children_kill_late(struct master *m, struct generation *g, int64_t now, int64_t *next);

/* master_tickets.c: a new process gets its service's keys; all get new ones when it is time. */
void tickets_give(struct child *c, int64_t now);
void tickets_turn(struct master *m, int64_t now, int64_t *next);
void tickets_forget(struct master *m);

/* master_dial.c */
void dial_answer(struct child *c, const struct ipc_frame *f);

/* master_control.c */
MUST_USE int control_open(struct master *m, struct err *e);
void control_serve(void *arg);
void status_text(struct master *m, struct buf *out);

/* master_notify.c: to systemd, when that started us. TEXT as for sd_notify(3). */
void master_notify(const char *text);
void master_watchdog(struct master *m, int64_t now, int64_t *next);

/* master_supervise.c */
void master_supervise(void *arg);

#endif
