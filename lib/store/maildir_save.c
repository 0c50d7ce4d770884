#include "lib/store/maildir_save.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/hash.h"
#include "lib/sys/clock.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define COPY_BLOCK (128 * 1024)

int maildir_tmp_open(struct maildir_dir *d, const char *host, struct maildir_tmp *t, struct err *e)
{
	*t = (struct maildir_tmp){ .fd = -1 };
	struct timespec now = clock_wall();
	(void)snprintf(t->name, sizeof(t->name), "%lld.M%ldP%ldR%016" PRIx64 ".%s",
	        (long long)now.tv_sec, now.tv_nsec / 1000, (long)getpid(), rand_u64(), host);
	t->fd = sys_openat(d->tmp, t->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (t->fd < 0)
		return err_sys(e, errno, "create %s/tmp/%s", d->path, t->name);
	return 0;
}

/* Count the octets and the CRs that a sender to the network will add. */
static void count(struct maildir_tmp *t, struct sv s)
{
	const char *p = s.p, *end = s.p + s.len;
	t->size += s.len;
	t->vsize += s.len;
	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		char before = p > s.p ? p[-1] : t->last;
		if (before != '\r')
			t->vsize++;
		p++;
	}
	if (s.len > 0)
		t->last = s.p[s.len - 1];
}

int maildir_tmp_write(
        const struct maildir_dir *d, struct maildir_tmp *t, struct sv octets, struct err *e)
{
	if (octets.len == 0)
		return 0;
	if (sys_write_all(t->fd, octets.p, octets.len) < 0)
		return err_sys(e, errno, "write %s/tmp/%s", d->path, t->name);
	count(t, octets);
	return 0;
}

int maildir_tmp_write_crlf(
        const struct maildir_dir *d, struct maildir_tmp *t, struct sv in, struct err *e)
{
	if (in.len == 0)
		return 0;
	if (t->held_cr) {
		t->held_cr = false;
		if (in.p[0] != '\n' && maildir_tmp_write(d, t, SV("\r"), e) < 0)
			return -1;
	}
	while (in.len > 0) {
		/* up to the next CR that an LF follows, or that ends this piece */
		size_t n = 0;
		const char *cr = NULL;
		while (n < in.len && (cr = memchr(in.p + n, '\r', in.len - n)) != NULL) {
			size_t at = (size_t)(cr - in.p);
			if (at + 1 == in.len || in.p[at + 1] == '\n')
				break;
			n = at + 1;
			cr = NULL;
		}
		size_t take = cr ? (size_t)(cr - in.p) : in.len;
		if (maildir_tmp_write(d, t, sv_upto(in, take), e) < 0)
			return -1;
		if (cr && take + 1 == in.len)
			t->held_cr = true;
		in = sv_from(in, take + (cr ? 1 : 0));
	}
	return 0;
}

int maildir_tmp_write_end(const struct maildir_dir *d, struct maildir_tmp *t, struct err *e)
{
	if (!t->held_cr)
		return 0;
	t->held_cr = false;
	return maildir_tmp_write(d, t, SV("\r"), e);
}

int maildir_tmp_sync(
        const struct maildir_dir *d, struct maildir_tmp *t, int64_t mtime, struct err *e)
{
	if (mtime != 0) {
		struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = mtime } };
		if (futimens(t->fd, times) < 0)
			return err_sys(e, errno, "set time of %s/tmp/%s", d->path, t->name);
	}
	if (sys_fsync(t->fd) < 0)
		return err_sys(e, errno, "fsync %s/tmp/%s", d->path, t->name);
	sys_close(t->fd);
	t->fd = -1;
	return 0;
}

int maildir_tmp_publish(const struct maildir_dir *d, struct maildir_tmp *t, const char *name,
        bool sync, struct err *e)
{
	if (sys_renameat(d->tmp, t->name, d->new_, name) < 0)
		return err_sys(e, errno, "rename %s/tmp/%s to new/%s", d->path, t->name, name);
	t->name[0] = '\0';
	if (sync && maildir_sync(d->new_, d->path, "new", e) < 0) {
		/* it may or may not survive: take it back, so that trying again makes no double */
		(void)sys_unlinkat(d->new_, name, 0);
		return -1;
	}
	return 0;
}

void maildir_tmp_discard(const struct maildir_dir *d, struct maildir_tmp *t)
{
	if (t->fd >= 0)
		sys_close(t->fd);
	t->fd = -1;
	if (t->name[0])
		(void)sys_unlinkat(d->tmp, t->name, 0);
	t->name[0] = '\0';
}

void maildir_unique_base(
        const char *host, uint64_t size, uint64_t vsize, char out[MAILDIR_NAME_MAX + 1])
{
	struct timespec now = clock_wall();
	(void)snprintf(out, MAILDIR_NAME_MAX + 1,
	        "%lld.M%ldP%ldR%016" PRIx64 ".%s,S=%" PRIu64 ",W=%" PRIu64, (long long)now.tv_sec,
	        now.tv_nsec / 1000, (long)getpid(), rand_u64(), host, size, vsize);
}

struct store_key store_key_make(uint64_t nonce, uint64_t offset, struct sv final_mailbox)
{
	struct store_key k;
	struct hash_seed a = { nonce, offset },
	                 b = { offset ^ UINT64_C(0x9e3779b97f4a7c15), ~nonce };
	(void)snprintf(k.hex, sizeof(k.hex), "%016" PRIx64 "%016" PRIx64,
	        hash_sip(a, final_mailbox.p, final_mailbox.len),
	        hash_sip(b, final_mailbox.p, final_mailbox.len));
	return k;
}

int maildir_tmp_copy(const struct maildir_dir *d, struct maildir_tmp *t,
        const struct store_delivery *dl, struct err *e)
{
	if (maildir_tmp_write(d, t, dl->head, e) < 0)
		return -1;
	char *block = mem_alloc(COPY_BLOCK);
	uint64_t done = 0;
	int rc = 0;
	while (rc == 0 && done < dl->size) {
		size_t n = dl->size - done > COPY_BLOCK ? COPY_BLOCK : (size_t)(dl->size - done);
		if (sys_pread_all(dl->fd, block, n, (off_t)(dl->offset + done)) < 0)
			rc = err_sys(e, errno, "read of the queue file");
		else
			rc = maildir_tmp_write(d, t, sv_n(block, n), e);
		done += n;
	}
	free(block);
	return rc;
}

int maildir_deliver(
        struct maildir_dir *d, const char *host, const struct store_delivery *dl, struct err *e)
{
	struct maildir_tmp t;
	if (maildir_tmp_open(d, host, &t, e) < 0)
		return -1;
	char base[MAILDIR_NAME_MAX + 1];
	struct buf name;
	buf_init(&name, MAILDIR_NAME_MAX);
	int rc = maildir_tmp_copy(d, &t, dl, e);
	if (rc == 0)
		rc = maildir_tmp_sync(d, &t, 0, e);
	if (rc == 0) {
		/* the same mail gets the same name each time: a repeated delivery replaces itself */
		(void)snprintf(base, sizeof(base), "%lld.K%s.%s,S=%" PRIu64 ",W=%" PRIu64,
		        (long long)dl->arrival_s, dl->key.hex, host, t.size, t.vsize);
		rc = maildir_name_arrival(&name, sv_z(base), dl->flags, 0);
		if (rc < 0)
			err_set(e, ERR_BUG, "name of a mail file is too long");
	}
	if (rc == 0)
		rc = maildir_tmp_publish(d, &t, buf_z(&name), true, e);
	maildir_tmp_discard(d, &t);
	buf_free(&name);
	return rc < 0 ? -1 : 1;
}
