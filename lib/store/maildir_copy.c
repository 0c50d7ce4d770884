/*
 * Order of a copy: links into the target's new/ -> sync of new/ -> UIDs written and synced -> (move)
 * originals removed. A crash before the UIDs are written leaves complete mails that the next session
 * gives UIDs to; the command was not answered then.
 */
#include "lib/store/maildir_copy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/maildir_mail.h"
#include "lib/store/maildir_save.h"
#include "lib/sys/sys.h"

struct copier {
	struct maildir_copy *c;
	int root;
	struct maildir_dir from, to;
	int letters[STORE_KEYWORDS_MAX]; /* keyword of the source -> of the target, or -1 */
	struct mail_arrival *in;
	size_t *of; /* which mail arrival i is */
	size_t n;
};

/* Keywords by name; one that finds no letter in the target is left out of the copy. */
static int map_keywords(struct copier *k, struct err *e)
{
	const struct keywords *src = &k->c->from->kw;
	uint32_t used = 0;
	for (size_t i = 0; i < k->c->n; i++) {
		const struct box_rec *r = maildir_box_find(k->c->from, k->c->v[i].from);
		used |= r ? r->keywords : 0;
	}
	if (maildir_keywords_read(k->c->to, &k->to, e) < 0)
		return -1;
	for (unsigned i = 0; i < STORE_KEYWORDS_MAX; i++) {
		k->letters[i] = -1;
		if (!(used & (1u << i)) || !src->name[i][0])
			continue;
		struct sv name = sv_z(src->name[i]);
		uint32_t mask;
		struct err full = ERR_INIT;
		int rc = maildir_keyword_mask(
		        k->c->to, k->root, &k->to, &name, 1, true, &mask, &full);
		if (rc < 0 && full.cls != ERR_PERM) {
			*e = full;
			return -1;
		}
		if (rc == 1)
			k->letters[i] = keywords_find(&k->c->to->kw, name);
	}
	return 0;
}

static uint32_t translate(const struct copier *k, uint32_t keywords)
{
	uint32_t out = 0;
	for (unsigned i = 0; i < STORE_KEYWORDS_MAX; i++)
		if ((keywords & (1u << i)) && k->letters[i] >= 0)
			out |= 1u << (unsigned)k->letters[i];
	return out;
}

/* The same content under NAME in the target's new/ (copies are \Recent: RFC 3501 6.4.7): a link, or a
 * copy where links do not go. */
static int put_file(
        struct copier *k, int src_fd, const struct box_rec *r, const char *name, struct err *e)
{
	char old[MAILDIR_NAME_MAX + 1];
	maildir_box_name(r, old);
	int src_dir = r->where == BOX_NEW ? k->from.new_ : k->from.cur;
	if (sys_linkat(src_dir, old, k->to.new_, name) == 0)
		return 0;
	if (errno != EXDEV && errno != EPERM && errno != EMLINK && errno != ENOENT &&
	        errno != EOPNOTSUPP)
		return err_sys(e, errno, "link %s/new/%s", k->to.path, name);
	struct store_delivery whole = { .fd = src_fd, .size = r->size, .head = SV_NONE };
	struct maildir_tmp t;
	if (maildir_tmp_open(&k->to, k->c->to->host, &t, e) < 0)
		return -1;
	int rc = maildir_tmp_copy(&k->to, &t, &whole, e);
	if (rc == 0)
		rc = maildir_tmp_sync(&k->to, &t, r->mtime, e);
	if (rc == 0)
		rc = maildir_tmp_publish(&k->to, &t, name, false, e);
	maildir_tmp_discard(&k->to, &t);
	return rc;
}

/* 1 there under k->in[k->n], 0 gone, -1. */
static int one(struct copier *k, size_t i, struct err *e)
{
	int fd;
	uint32_t uid = k->c->v[i].from;
	int rc = maildir_mail_open(k->c->from, &k->from, uid, &fd, e);
	if (rc != 1)
		return rc;
	const struct box_rec *r = maildir_box_find(k->c->from, uid);
	struct mail_arrival *in = &k->in[k->n];
	struct buf name;
	buf_init(&name, MAILDIR_NAME_MAX);
	char base[MAILDIR_NAME_MAX + 1];
	/* a name that the target never had is kept: a delivery key in it can then still be found */
	bool known = maildir_box_by_base(k->c->to, sv_z(r->base)) != NULL;
	for (size_t n = 0; n < k->n && !known; n++)
		known = sv_starts(sv_z(k->in[n].name), sv_z(r->base));
	if (known)
		maildir_unique_base(k->c->to->host, r->size, r->vsize, base);
	else
		(void)snprintf(base, sizeof(base), "%s", r->base);
	if (maildir_name_arrival(&name, sv_z(base), r->flags, translate(k, r->keywords)) < 0)
		rc = err_set(e, ERR_TEMP, "%s/%s: name too long for its flags", k->to.path, base);
	else
		rc = put_file(k, fd, r, buf_z(&name), e);
	if (rc == 0) {
		(void)snprintf(in->name, sizeof(in->name), "%s", buf_z(&name));
		k->of[k->n++] = i;
	}
	buf_free(&name);
	sys_close(fd);
	return rc < 0 ? -1 : 1;
}

static int copy_locked(struct copier *k, struct err *e)
{
	int rc = 1;
	for (size_t i = 0; i < k->c->n && rc >= 0; i++)
		rc = one(k, i, e);
	if (rc >= 0)
		rc = maildir_sync(k->to.new_, k->to.path, "new", e);
	if (rc >= 0 && k->n > 0)
		rc = maildir_arrive(k->c->to, &k->to, k->in, k->n, e);
	if (rc < 0) {
		for (size_t i = 0; i < k->n; i++)
			(void)sys_unlinkat(k->to.new_, k->in[i].name, 0);
		return -1;
	}
	for (size_t i = 0; i < k->n; i++)
		k->c->v[k->of[i]].to = k->in[i].uid;
	return 1;
}

/* The originals are about to go; a copy need not have kept the delivery key in its name. */
static void bury(const struct maildir_copy *c)
{
	uint32_t *uids = mem_array(c->n ? c->n : 1, sizeof(*uids));
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].to != 0)
			uids[n++] = c->v[i].from;
	maildir_box_bury(c->from, uids, n);
	free(uids);
}

static int run(struct copier *k, struct err *e)
{
	if (map_keywords(k, e) < 0)
		return -1;
	struct box_lock *l = maildir_arrive_lock(k->c->to, k->root, &k->to, e);
	if (!l)
		return -1;
	int rc = copy_locked(k, e);
	maildir_box_unlock(l);
	if (rc == 1 && k->c->move)
		bury(k->c);
	for (size_t i = 0; i < k->c->n && rc == 1 && k->c->move; i++)
		if (k->c->v[i].to != 0 &&
		        maildir_mail_remove(k->c->from, &k->from, k->c->v[i].from, e) < 0)
			rc = -1; /* the rest stays twice: never not at all */
	return rc;
}

int maildir_copy(struct maildir_copy *c, struct err *e)
{
	struct copier k = { .c = c };
	int rc = maildir_box_dirs(c->from, &k.root, &k.from, e);
	if (rc != 1)
		return rc < 0 ? -1 : err_set(e, ERR_TEMP, "the mailbox was deleted");
	rc = maildir_dir_open(k.root, c->to->root_path, &c->to->folder, &k.to, e);
	if (rc == 1) {
		k.in = mem_array(c->n ? c->n : 1, sizeof(*k.in));
		k.of = mem_array(c->n ? c->n : 1, sizeof(*k.of));
		rc = run(&k, e);
		free(k.in);
		free(k.of);
		maildir_dir_close(&k.to);
	}
	maildir_dir_close(&k.from);
	sys_close(k.root);
	return rc;
}
