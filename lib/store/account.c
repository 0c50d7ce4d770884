#include "lib/store/account.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/fiber/fiber.h"
#include "lib/store/index.h"
#include "lib/store/driver.h"
#include "lib/sys/clock.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define LOCK_TIMEOUT_MS (120 * 1000)
#define LOCK_POLL_MS    10
#define IDLE_MAX        200

struct store *store_new(const struct store_options *o)
{
	struct store *s = mem_alloc(sizeof(*s));
	maildir_host_clean(sv_z(o->host), s->host);
	if (o->index_dir && *o->index_dir)
		s->index_dir = mem_strdup(o->index_dir);
	s->lock_timeout_ms = o->lock_timeout_ms > 0 ? o->lock_timeout_ms : LOCK_TIMEOUT_MS;
	s->no_index = o->no_index;
	s->spool = o->spool;
	s->any_owner = o->any_owner;
	htab_init(&s->accounts, (struct hash_seed){ rand_u64(), rand_u64() });
	list_init(&s->idle);
	return s;
}

static void account_release(struct store_account *a)
{
	fiber_sem_free(a->mutex);
	index_free(a->index);
	free(a->owner);
	free(a->path);
	free(a->inbox);
	free(a->control);
	free(a);
}

static void account_free(struct store_account *a)
{
	(void)htab_del(&a->store->accounts, sv_z(a->path));
	account_release(a);
}

void store_free(struct store *s)
{
	if (!s)
		return;
	watch_hub_free(s->hub);
	struct list_node *n;
	while ((n = list_pop(&s->idle)) != NULL)
		account_free(CONTAINER_OF(n, struct store_account, idle));
	htab_free(&s->accounts);
	free(s->index_dir);
	free(s);
}

struct root_job {
	const struct store_account *account;
	bool create;
	int rc;
	struct err err;
};

static void root_run(void *rec)
{
	struct root_job *j = rec;
	j->rc = j->account->driver->root(j->account, j->create, &j->err);
}

/* Beside the mail, or below mail_index_dir under a name made of the path. */
static char *control_dir(const struct store *s, const struct store_account *a, const struct store_location *p)
{
	struct buf dir;
	struct hash_seed fixed = { 1, 2 };
	buf_init(&dir, 8000);
	if (p->index.len > 0)
		(void)buf_put_sv(&dir, buf_sv(&p->index));
	else if (s->index_dir)
		(void)buf_printf(&dir, "%s/%016" PRIx64, s->index_dir, hash_sip(fixed, a->path, strlen(a->path)));
	else
		(void)buf_printf(&dir, "%s/%s", a->path, a->driver->index);
	return buf_steal(&dir);
}

static struct store_account *account_new(
	struct store *s, const struct store_account_def *def, const struct store_location *p)
{
	struct store_account *a = mem_alloc(sizeof(*a));
	a->store = s;
	a->driver = p->driver;
	a->owner = mem_svdup(def->owner);
	a->uid = def->uid;
	a->path = mem_svdup(buf_sv(&p->path));
	a->inbox = mem_svdup(buf_sv(&p->inbox));
	a->control = control_dir(s, a, p);
	a->mutex = fiber_sem_new(1);
	a->index = s->no_index ? NULL : index_new(a->control);
	return a;
}

static struct store_account *find_account(const struct store *s, const struct store_location *p)
{
	struct store_account *a = htab_get(&s->accounts, buf_sv(&p->path));
	return a && a->driver == p->driver && sv_eqz(buf_sv(&p->inbox), a->inbox) ? a : NULL;
}

static int open_place(struct store *s, const struct store_account_def *def, const struct store_location *p,
	struct store_account **out, struct err *e)
{
	struct store_account *a = find_account(s, p);
	if (!a) {
		struct store_account *made = account_new(s, def, p);
		struct root_job j = { .account = made, .create = def->create };
		fiber_offload(FIBER_POOL_DURABLE, root_run, &j);
		a = find_account(s, p); /* another fiber was faster */
		if (j.rc != 1 || a || htab_get(&s->accounts, buf_sv(&p->path)))
			account_release(made);
		else if (htab_set(&s->accounts, buf_sv(&p->path), made) == NULL)
			a = made;
		if (j.rc != 1) {
			if (j.rc < 0 && e)
				*e = j.err;
			return j.rc;
		}
		if (!a)
			return err_set(e, ERR_CONFIG, "%s is named by two mail locations", p->path.p);
	}
	if (a->refs++ == 0 && list_linked(&a->idle))
		list_remove(&s->idle, &a->idle);
	*out = a;
	return 1;
}

int store_account_open(struct store *s, const struct store_account_def *def,
        struct store_account **out, struct err *e)
{
	struct store_location p;
	int rc = store_location(def->mail, def->home, &p, e);
	if (rc == 1)
		rc = open_place(s, def, &p, out, e);
	store_location_free(&p);
	return rc;
}

void store_account_close(struct store_account *a)
{
	if (!a || --a->refs > 0)
		return;
	struct store *s = a->store;
	index_close(a->index);
	list_push(&s->idle, &a->idle);
	if (s->idle.count > IDLE_MAX)
		account_free(CONTAINER_OF(list_pop(&s->idle), struct store_account, idle));
}

const char *store_account_owner(const struct store_account *a)
{
	return a->owner;
}

const char *store_account_path(const struct store_account *a)
{
	return a->path;
}

const char *store_account_kind(const struct store_account *a)
{
	return a->driver->kind;
}

int account_enter(struct store_account *a, struct err *e)
{
	int rc = fiber_sem_take(a->mutex, fiber_deadline(a->store->lock_timeout_ms));
	if (rc == 1)
		return 0;
	return err_sys(e, ETIMEDOUT, "%s: waiting for other sessions of this process", a->path);
}

void account_leave(struct store_account *a)
{
	fiber_sem_give(a->mutex);
}

int account_lock(int root, const char *path, int64_t timeout_ms, struct err *e)
{
	int fd = sys_openat(root, "merpati.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "open %s/merpati.lock", path);
	int64_t end = clock_mono_ms() + timeout_ms;
	for (;;) {
		struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		if (fcntl(fd, F_OFD_SETLK, &fl) == 0)
			return fd;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
			err_sys(e, errno, "lock %s/merpati.lock", path);
			break;
		}
		if (clock_mono_ms() >= end) {
			err_sys(e, ETIMEDOUT, "lock %s/merpati.lock", path);
			break;
		}
		struct timespec nap = { .tv_nsec = LOCK_POLL_MS * 1000000L };
		(void)nanosleep(&nap, NULL);
	}
	sys_close(fd);
	return -1;
}
