#include "lib/store/mbox_ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/hash.h"
#include "lib/base/num.h"
#include "lib/store/account.h"
#include "lib/store/maildir_dir.h"
#include "lib/store/store_file.h"
#include "lib/sys/clock.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define VALIDITY     "uidvalidity"
#define VALIDITY_MAX 8192

int mbox_ctl_open(const char *path, uid_t uid, const char *root, const char *rel, struct mbox_ctl *c, struct err *e)
{
	struct buf name;
	const struct hash_seed fixed = { 3, 4 };
	*c = (struct mbox_ctl){ .dir = -1, .path = path };
	buf_init(&name, 8000);
	(void)buf_printf(&name, "%s/%s", root, rel);
	uint64_t tag = hash_sip(fixed, name.p, name.len);
	buf_free(&name);
	(void)snprintf(c->state, sizeof(c->state), "%016" PRIx64 ".state", tag);
	(void)snprintf(c->journal, sizeof(c->journal), "%016" PRIx64 ".journal", tag);
	return maildir_path_open(path, uid, true, &c->dir, e) == 1 ? 0 : -1;
}

void mbox_ctl_close(struct mbox_ctl *c)
{
	sys_close(c->dir);
	c->dir = -1;
}

int mbox_ctl_load(const struct mbox_ctl *c, struct mbox_state *s, struct err *e)
{
	struct buf text;
	buf_init(&text, MBOX_STATE_MAX);
	*s = (struct mbox_state){ .uidvalidity = 0 };
	int rc = store_file_read(c->dir, c->path, c->state, &text, e);
	if (rc == 0 && text.len > 0)
		(void)mbox_state_parse(buf_sv(&text), s);
	buf_free(&text);
	return rc;
}

int mbox_ctl_save(const struct mbox_ctl *c, const struct mbox_state *s, struct err *e)
{
	struct buf text;
	buf_init(&text, MBOX_STATE_MAX);
	int rc = mbox_state_format(&text, s);
	if (rc < 0)
		err_set(e, ERR_BUG, "%s/%s: the state of the mailbox is too large", c->path, c->state);
	else
		rc = store_file_replace(c->dir, c->path, c->state, buf_sv(&text), e);
	buf_free(&text);
	return rc;
}

void mbox_ctl_forget(const struct mbox_ctl *c)
{
	(void)sys_unlinkat(c->dir, c->state, 0);
	(void)sys_unlinkat(c->dir, c->journal, 0);
}

int mbox_ctl_uidvalidity(const struct mbox_ctl *c, int64_t timeout_ms, uint32_t *out, struct err *e)
{
	struct buf text;
	uint32_t last = 0;
	int lock = account_lock(c->dir, c->path, timeout_ms, e);
	if (lock < 0)
		return -1;
	buf_init(&text, VALIDITY_MAX);
	int rc = store_file_read(c->dir, c->path, VALIDITY, &text, e);
	if (rc == 0) {
		if (num_u32(sv_trim(buf_sv(&text)), &last) < 0)
			last = 0;
		int64_t now = clock_wall_s();
		*out = now > last && now < UINT32_MAX ? (uint32_t)now : last + 1;
		buf_reset(&text);
		(void)buf_printf(&text, "%u\n", *out);
		rc = store_file_replace(c->dir, c->path, VALIDITY, buf_sv(&text), e);
	}
	buf_free(&text);
	sys_close(lock);
	return rc;
}

int mbox_ctl_spool(const struct mbox_ctl *c, struct err *e)
{
	int fd = sys_openat(c->dir, ".", O_TMPFILE | O_RDWR, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd >= 0 ? fd : err_sys(e, errno, "create a file in %s", c->path);
	char name[40];
	(void)snprintf(name, sizeof(name), "spool.%016" PRIx64, rand_u64());
	fd = sys_openat(c->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "create %s/%s", c->path, name);
	(void)sys_unlinkat(c->dir, name, 0);
	return fd;
}
