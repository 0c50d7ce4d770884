/*
 * Changes of mailboxes: one inotify instance and one fiber a process, however many sessions watch.
 * Watched are new/ and cur/ of each mailbox: whatever happens to mail happens there. Two sessions on
 * one mailbox share the kernel's watches (the kernel gives the same number for the same directory).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>

#include "lib/base/list.h"
#include "lib/fiber/fiber.h"
#include "lib/store/account.h"
#include "lib/store/folder_name.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define MASK                                                                                   \
	(IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | \
	        IN_ONLYDIR | IN_DONT_FOLLOW)
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
	int wd[2]; /* -1: not watched by the kernel */
};

static bool polls(const struct store_watch *w)
{
	return w->wd[0] < 0 || w->wd[1] < 0;
}

static void wake(struct watch_hub *h, int wd, bool all)
{
	LIST_FOREACH (n, &h->watches) {
		struct store_watch *w = CONTAINER_OF(n, struct store_watch, node);
		if (all || w->wd[0] == wd || w->wd[1] == wd)
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
			wake(h, ev->wd, (ev->mask & IN_Q_OVERFLOW) != 0);
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

static int watch_dir(
        struct watch_hub *h, const char *root, const struct folder_dir *f, const char *sub)
{
	char path[4096 + 300];
	(void)snprintf(path, sizeof(path), "%s/%s/%s", root, f->z, sub);
	return h->fd < 0 ? -1 : inotify_add_watch(h->fd, path, MASK);
}

struct store_watch *store_watch_add(
        struct store_account *a, struct store_mailbox_id id, struct fiber_event *ev, struct err *e)
{
	struct folder_dir folder;
	if (folder_dir_of(id.name, &folder, e) < 0)
		return NULL;
	struct watch_hub *h = hub_of(a->store);
	if (!h->fiber) {
		err_set(e, ERR_TEMP, "no memory to watch mailboxes");
		return NULL;
	}
	struct store_watch *w = mem_alloc(sizeof(*w));
	w->hub = h;
	w->event = ev;
	w->wd[0] = watch_dir(h, a->path, &folder, "new");
	w->wd[1] = watch_dir(h, a->path, &folder, "cur");
	if (polls(w) && errno == ENOENT && h->fd >= 0) {
		err_sys(e, ENOENT, "%s/%s", a->path, folder.z);
		store_watch_del(w);
		return NULL;
	}
	list_push(&h->watches, &w->node);
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
	free(w);
}
