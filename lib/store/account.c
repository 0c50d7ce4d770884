#include "lib/store/account.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/fiber/fiber.h"
#include "lib/store/index.h"
#include "lib/store/maildir_dir.h"
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
	htab_init(&s->accounts, (struct hash_seed){ rand_u64(), rand_u64() });
	list_init(&s->idle);
	return s;
}

static void account_free(struct store_account *a)
{
	(void)htab_del(&a->store->accounts, sv_z(a->path));
	fiber_sem_free(a->mutex);
	index_free(a->index);
	free(a->owner);
	free(a->path);
	free(a);
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

int account_mail_path(struct sv mail, struct sv home, struct buf *out, struct err *e)
{
	if (!sv_starts(mail, SV("maildir:")))
		return err_set(e, ERR_CONFIG, "mail location \"%.*s\": only maildir:PATH is known",
		        SV_ARG(mail));
	struct sv path = sv_from(mail, 8);
	if (sv_starts(path, SV("~/")))
		path = sv_from(path, 2);
	bool absolute = path.len > 0 && path.p[0] == '/';
	if (!absolute && (home.len == 0 || home.p[0] != '/'))
		return err_set(e, ERR_CONFIG,
		        "mail location \"%.*s\": not absolute and no home directory", SV_ARG(mail));
	if (!absolute && (buf_put_sv(out, home) < 0 || buf_putc(out, '/') < 0))
		return err_set(e, ERR_CONFIG, "mail location is too long");
	if (buf_put_sv(out, path) < 0)
		return err_set(e, ERR_CONFIG, "mail location is too long");
	while (out->len > 1 && out->p[out->len - 1] == '/')
		buf_truncate(out, out->len - 1);
	if (memchr(out->p, '\0', out->len))
		return err_set(e, ERR_CONFIG, "mail location has a NUL octet");
	return 1;
}

struct root_job {
	const char *path;
	uid_t uid;
	bool create;
	int rc;
	struct err err;
};

static void root_run(void *rec)
{
	struct root_job *j = rec;
	int fd = -1;
	j->rc = maildir_root_open(j->path, j->uid, j->create, &fd, &j->err);
	if (j->rc == 1)
		sys_close(fd);
}

/* The index of the Maildir at PATH: inside it, or below mail_index_dir under a name made of the path. */
static struct store_index *new_index(const struct store *s, const char *path)
{
	struct buf dir;
	buf_init(&dir, 8000);
	struct hash_seed fixed = { 1, 2 };
	if (s->index_dir)
		(void)buf_printf(
		        &dir, "%s/%016" PRIx64, s->index_dir, hash_sip(fixed, path, strlen(path)));
	else
		(void)buf_printf(&dir, "%s/merpati.index", path);
	struct store_index *ix = index_new(buf_z(&dir));
	buf_free(&dir);
	return ix;
}

int store_account_open(struct store *s, const struct store_account_def *def,
        struct store_account **out, struct err *e)
{
	struct buf path;
	buf_init(&path, 4000);
	if (account_mail_path(def->mail, def->home, &path, e) < 0) {
		buf_free(&path);
		return -1;
	}
	struct store_account *a = htab_get(&s->accounts, buf_sv(&path));
	if (!a) {
		struct root_job j = {
			.path = buf_z(&path), .uid = def->uid, .create = def->create
		};
		fiber_offload(FIBER_POOL_DURABLE, root_run, &j);
		if (j.rc != 1) {
			buf_free(&path);
			if (j.rc < 0 && e)
				*e = j.err;
			return j.rc;
		}
		a = htab_get(&s->accounts, buf_sv(&path)); /* another fiber was faster */
	}
	if (!a) {
		a = mem_alloc(sizeof(*a));
		a->store = s;
		a->owner = mem_svdup(def->owner);
		a->uid = def->uid;
		a->path = mem_svdup(buf_sv(&path));
		a->mutex = fiber_sem_new(1);
		a->index = s->no_index ? NULL : new_index(s, a->path);
		(void)htab_set(&s->accounts, buf_sv(&path), a);
	}
	if (a->refs++ == 0 && list_linked(&a->idle))
		list_remove(&s->idle, &a->idle);
	buf_free(&path);
	*out = a;
	return 1;
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
