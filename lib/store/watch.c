/*
 * Changes of mailboxes: one inotify instance and one fiber a process, however many sessions watch.
 * Watched are two paths of each mailbox, which the format names: new/ and cur/ of a Maildir, an mbox file and the
 * directory it lies in. Two sessions on one mailbox share the kernel's watches (the kernel gives the same number
 * for the same file).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "lib/base/list.h"
#include "lib/fiber/fiber.h"
#include "lib/store/account.h"
#include "lib/store/driver.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define MASK                                                                                   \
	(IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | \
	        IN_MODIFY | IN_DONT_FOLLOW)
#define WATCH_PATH_MAX 8000
#define POLL_MS 30000 /* where the kernel has no more watches */

struct watch_hub {
	int fd; /* -1: no inotify here */
	struct list watches;
	struct fiber *fiber; /* held; NULL when none runs */
	bool ending;
};

struct store_watch {
	struct list_node node;
	struct watch_hub *hub;
	struct fiber_event *event;
	int wd[2];   /* -1: not watched by the kernel */
	char *path;  /* of the first */
	char *entry; /* the only one of the second that matters; "": all */
};

static bool polls(const struct store_watch *w)
{
	return w->wd[0] < 0 || w->wd[1] < 0;
}

/* Does EV tell of this mailbox? */
static bool concerns(const struct store_watch *w, const struct inotify_event *ev)
{
	if (ev->mask & IN_Q_OVERFLOW || ev->wd == w->wd[0])
		return true;
	return ev->wd == w->wd[1] && (!w->entry[0] || (ev->len > 0 && strcmp(ev->name, w->entry) == 0));
}

static void wake(struct watch_hub *h, const struct inotify_event *ev)
{
	LIST_FOREACH (n, &h->watches) {
		struct store_watch *w = CONTAINER_OF(n, struct store_watch, node);
		if (!concerns(w, ev))
			continue;
		if (w->entry[0] && ev->wd == w->wd[1]) /* another file may have the name now */
			w->wd[0] = inotify_add_watch(h->fd, w->path, MASK);
		fiber_event_set(w->event);
	}
}

static void read_events(struct watch_hub *h)
{
	_Alignas(struct inotify_event) char block[16384];
	ssize_t n;
	while ((n = sys_read(h->fd, block, sizeof(block))) > 0) {
		for (char *p = block; p < block + n;) {
			const struct inotify_event *ev = (const void *)p;
			wake(h, ev);
			p += sizeof(*ev) + ev->len;
		}
	}
}

static void hub_fiber(void *arg)
{
	struct watch_hub *h = arg;
	while (!h->ending) {
		int64_t deadline = fiber_deadline(POLL_MS);
		int rc = h->fd < 0 ? fiber_sleep(POLL_MS)
		                   : fiber_wait_fd(h->fd, FIBER_READ, deadline);
		if (rc < 0)
			break;
		if (h->fd >= 0 && rc == 1)
			read_events(h);
		else
			LIST_FOREACH (n, &h->watches) {
				struct store_watch *w = CONTAINER_OF(n, struct store_watch, node);
				if (polls(w))
					fiber_event_set(w->event);
			}
	}
}

static struct watch_hub *hub_of(struct store *s)
{
	if (!s->hub) {
		struct watch_hub *h = mem_alloc(sizeof(*h));
		list_init(&h->watches);
		h->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (h->fd < 0)
			log_warn("inotify: %s: changes of mailboxes are looked for every %d s",
			        strerror(errno), POLL_MS / 1000);
		s->hub = h;
	}
	if (!s->hub->fiber) {
		s->hub->fiber = fiber_spawn("watch", 64 * 1024, hub_fiber, s->hub);
		if (s->hub->fiber)
			fiber_hold(s->hub->fiber);
	}
	return s->hub;
}

void watch_hub_free(struct watch_hub *h)
{
	if (!h)
		return;
	h->ending = true;
	if (h->fiber) {
		fiber_cancel(h->fiber);
		(void)fiber_join(h->fiber, fiber_deadline(1000));
		fiber_release(h->fiber);
	}
	if (h->fd >= 0)
		fiber_close(h->fd);
	free(h);
}

struct store_watch *store_watch_add(
        struct store_account *a, struct store_mailbox_id id, struct fiber_event *ev, struct err *e)
{
	if (a->driver->name_check(id.name, e) < 0)
		return NULL;
	struct watch_hub *h = hub_of(a->store);
	if (!h->fiber) {
		err_set(e, ERR_TEMP, "no memory to watch mailboxes");
		return NULL;
	}
	struct store_watch *w = mem_alloc(sizeof(*w));
	struct buf paths[2], entry;
	buf_init(&paths[0], WATCH_PATH_MAX);
	buf_init(&paths[1], WATCH_PATH_MAX);
	buf_init(&entry, WATCH_PATH_MAX);
	a->driver->watch(a, id.name, paths, &entry);
	w->hub = h;
	w->event = ev;
	w->wd[1] = h->fd < 0 ? -1 : inotify_add_watch(h->fd, buf_z(&paths[1]), MASK);
	bool missing = h->fd >= 0 && w->wd[1] < 0 && errno == ENOENT;
	w->wd[0] = h->fd < 0 ? -1 : inotify_add_watch(h->fd, buf_z(&paths[0]), MASK);
	if (entry.len == 0)
		missing |= h->fd >= 0 && w->wd[0] < 0 && errno == ENOENT;
	w->path = buf_steal(&paths[0]);
	w->entry = buf_steal(&entry);
	if (missing) {
		err_sys(e, ENOENT, "%s", buf_z(&paths[1]));
		store_watch_del(w);
		w = NULL;
	} else {
		list_push(&h->watches, &w->node);
	}
	buf_free(&paths[1]);
	return w;
}

static bool in_use(const struct watch_hub *h, int wd)
{
	LIST_FOREACH (n, &h->watches) {
		const struct store_watch *w = CONTAINER_OF(n, struct store_watch, node);
		if (w->wd[0] == wd || w->wd[1] == wd)
			return true;
	}
	return false;
}

void store_watch_del(struct store_watch *w)
{
	if (!w)
		return;
	struct watch_hub *h = w->hub;
	if (list_linked(&w->node))
		list_remove(&h->watches, &w->node);
	for (size_t i = 0; i < ARRAY_LEN(w->wd); i++)
		if (w->wd[i] >= 0 && !in_use(h, w->wd[i]))
			(void)inotify_rm_watch(h->fd, w->wd[i]);
	free(w->path);
	free(w->entry);
	free(w);
}
