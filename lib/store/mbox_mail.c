#include "lib/store/mbox_mail.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/store/driver.h"
#include "lib/sys/clock.h"
#include "lib/sys/sys.h"

#define TRIES 3

static int unsettled(const struct mbox_io *io, struct err *e)
{
	return err_set(e, ERR_TEMP, "%s: other software writes it again and again", io->f.path);
}

/* --- content -------------------------------------------------- */

struct extract {
	int fd;
	struct buf out;
	bool raw;
	struct mbox_found seen;
	const char *path;
	struct err *e;
};

static int extract_flush(struct extract *x)
{
	if (sys_write_all(x->fd, x->out.p, x->out.len) < 0)
		return err_sys(x->e, errno, "write a mail of %s to a file of its own", x->path);
	buf_reset(&x->out);
	return 0;
}

static int extract_piece(void *ctx, enum mbox_piece kind, struct sv octets)
{
	struct extract *x = ctx;
	if (!x->raw && kind != MBOX_P_SHOWN)
		return 0;
	while (!sv_empty(octets)) {
		struct sv part = sv_upto(octets, MBOX_BLOCK);
		(void)buf_put_sv(&x->out, part);
		octets = sv_from(octets, part.len);
		if (x->out.len >= MBOX_BLOCK && extract_flush(x) < 0)
			return -1;
	}
	return 0;
}

static int extract_mail(void *ctx, const struct mbox_found *m)
{
	struct extract *x = ctx;
	x->seen = *m;
	return 0;
}

/* Append the octets of R to FD: as they are shown, or RAW. 1, 0 the file has other octets there, -1. */
static int extract(struct mbox_io *io, const struct mbox_rec *r, bool raw, int fd, struct err *e)
{
	struct extract x = { .fd = fd, .raw = raw, .path = io->f.path, .e = e };
	const struct mbox_sink sink = { .piece = extract_piece, .mail = extract_mail, .ctx = &x };
	struct mbox_scan *s = mem_alloc(sizeof(*s));
	char *block = mem_alloc(MBOX_BLOCK);
	uint64_t at = r->mail.from;
	int rc = 1;
	buf_init(&x.out, (size_t)2 * MBOX_BLOCK);
	mbox_scan_init(s, &sink, at);
	while (at < r->mail.next && rc == 1) {
		size_t n = r->mail.next - at < MBOX_BLOCK ? (size_t)(r->mail.next - at) : MBOX_BLOCK;
		if (sys_pread_all(io->f.fd, block, n, (off_t)at) < 0)
			rc = errno == EIO && lseek(io->f.fd, 0, SEEK_END) < (off_t)(at + n)
				? 0 : err_sys(e, errno, "read %s", io->f.path);
		else if (mbox_scan_put(s, sv_n(block, n)) < 0)
			rc = s->wrong ? 0 : -1;
		at += n;
	}
	if (rc == 1 && (mbox_scan_end(s) < 0 || extract_flush(&x) < 0))
		rc = -1;
	if (rc == 1)
		rc = x.seen.hash == r->mail.hash && x.seen.from == r->mail.from;
	buf_free(&x.out);
	free(block);
	free(s);
	return rc;
}

static int open_in(struct mbox_io *io, uint32_t uid, struct store_content *out, struct err *e)
{
	for (int tries = 0; tries < TRIES; tries++) {
		int rc = mbox_io_enter(io, MBOX_READ, tries > 0, e);
		const struct mbox_rec *r = rc == 1 ? mbox_box_find(io->b, uid) : NULL;
		if (!r)
			return rc < 0 ? -1 : 0;
		int fd = mbox_ctl_spool(&io->ctl, e);
		if (fd < 0)
			return -1;
		rc = extract(io, r, false, fd, e);
		*out = (struct store_content){ .fd = fd, .size = r->mail.size, .vsize = r->mail.vsize };
		if (rc == 1)
			return 1;
		sys_close(fd);
		if (rc < 0)
			return -1;
	}
	return unsettled(io, e);
}

int mbox_mail_open(struct mbox_box *b, uint32_t uid, struct store_content *out, struct err *e)
{
	struct mbox_io io;
	int rc = mbox_io_open(&io, b, e);
	if (rc != 1)
		return rc;
	rc = open_in(&io, uid, out, e);
	mbox_io_close(&io);
	return rc;
}

/* --- changes -------------------------------------------------- */

/* PREPARE says in the records what shall be; ADD comes behind. Done again where the table was old. */
static int change(struct mbox_box *b, int (*prepare)(struct mbox_io *io, void *ctx, struct err *e), void *ctx,
	struct mbox_new *add, size_t nadd, struct err *e)
{
	struct mbox_io io;
	int rc = mbox_io_open(&io, b, e);
	if (rc != 1)
		return rc;
	rc = 0;
	for (int tries = 0; tries < TRIES && rc == 0; tries++) {
		rc = mbox_io_enter(&io, MBOX_WRITE, tries > 0, e);
		if (rc == 1 && prepare)
			rc = prepare(&io, ctx, e);
		if (rc == 1)
			rc = mbox_io_commit(&io, add, nadd, e);
	}
	if (rc == 0)
		rc = unsettled(&io, e);
	if (rc < 0)
		b->loaded = false; /* records may say what did not come true */
	mbox_io_close(&io);
	return rc;
}

static int keyword_bits(struct mbox_box *b, const struct sv *names, size_t n, bool create, uint32_t *bits,
	struct err *e)
{
	*bits = 0;
	for (size_t k = 0; k < n; k++) {
		int i = keywords_find(&b->kw, names[k]);
		if (i < 0 && create) {
			i = keywords_add(&b->kw, names[k]);
			if (i < 0)
				return err_set(e, ERR_PERM, "keyword \"%.*s\": not a keyword, or one too many",
					SV_ARG(names[k]));
			b->kw_added = true;
		}
		*bits |= i >= 0 ? 1u << i : 0;
	}
	return 1;
}

struct uids {
	const uint32_t *v;
	size_t n;
	const struct store_flag_change *c;
};

static int want_flags(struct mbox_io *io, void *ctx, struct err *e)
{
	const struct uids *u = ctx;
	const struct store_flag_change *c = u->c;
	uint32_t bits;
	if (keyword_bits(io->b, c->keywords, c->nkeywords, c->op != STORE_FLAGS_REMOVE, &bits, e) < 0)
		return -1;
	uint32_t flags = c->flags & ~(uint32_t)STORE_PASSED;
	for (size_t i = 0; i < u->n; i++) {
		struct mbox_rec *r = mbox_box_find(io->b, u->v[i]);
		if (!r)
			continue;
		switch (c->op) {
		case STORE_FLAGS_ADD:
			r->want.flags |= flags;
			r->want.keywords |= bits;
			break;
		case STORE_FLAGS_REMOVE:
			r->want.flags &= ~flags;
			r->want.keywords &= ~bits;
			break;
		case STORE_FLAGS_SET:
			r->want.flags = flags;
			r->want.keywords = bits;
			break;
		}
	}
	return 1;
}

int mbox_mail_flags(struct mbox_box *b, const uint32_t *uids, size_t n, const struct store_flag_change *c,
	struct err *e)
{
	struct uids u = { uids, n, c };
	return change(b, want_flags, &u, NULL, 0, e);
}

static int want_gone(struct mbox_io *io, void *ctx, struct err *e)
{
	const struct uids *u = ctx;
	(void)e;
	for (size_t i = 0; i < u->n; i++) {
		struct mbox_rec *r = mbox_box_find(io->b, u->v[i]);
		if (r)
			r->drop = true;
	}
	return 1;
}

int mbox_mail_remove(struct mbox_box *b, const uint32_t *uids, size_t n, struct err *e)
{
	struct uids u = { .v = uids, .n = n };
	return change(b, want_gone, &u, NULL, 0, e);
}

/* --- new mail -------------------------------------------------- */

struct arrival {
	struct mbox_new *v;
	const struct store_append_meta *m;      /* append */
	const struct keywords *kw;              /* copy: what the bits mean */
	const uint32_t *bits;
	size_t n;
};

static int append_meta(struct mbox_io *io, void *ctx, struct err *e)
{
	struct arrival *a = ctx;
	a->v->meta = (struct mbox_meta){ .flags = a->m->flags };
	return keyword_bits(io->b, a->m->keywords, a->m->nkeywords, true, &a->v->meta.keywords, e);
}

int mbox_mail_append(struct mbox_box *b, int fd, uint64_t size, const struct store_append_meta *m, uint32_t *uid,
	struct err *e)
{
	struct mbox_new add = { .fd = fd, .size = size,
		.date = m->internaldate ? m->internaldate : clock_wall_s() };
	struct arrival a = { .v = &add, .m = m };
	int rc = change(b, append_meta, &a, &add, 1, e);
	*uid = add.meta.uid;
	return rc;
}

static int copy_meta(struct mbox_io *io, void *ctx, struct err *e)
{
	struct arrival *a = ctx;
	for (size_t i = 0; i < a->n; i++) {
		a->v[i].meta.keywords = 0;
		for (unsigned k = 0; k < STORE_KEYWORDS_MAX; k++) {
			const struct sv name = sv_z(a->kw->name[k]);
			uint32_t bit;
			if (!(a->bits[i] & 1u << k) || sv_empty(name))
				continue;
			if (keyword_bits(io->b, &name, 1, true, &bit, e) < 0)
				return -1;
			a->v[i].meta.keywords |= bit;
		}
	}
	return 1;
}

struct copy {
	struct mail_copy *v;
	size_t n;
	struct mbox_new *add;
	uint32_t *bits;
	size_t nadd;
	int fd;
};

/* The mails, as they are in the file, into C->fd. 1, 0 the table was old, -1. */
static int collect(struct mbox_io *io, struct copy *c, struct err *e)
{
	uint64_t offset = 0;
	c->nadd = 0;
	if (sys_ftruncate(c->fd, 0) < 0 || lseek(c->fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "make a file of %s empty", io->ctl.path);
	for (size_t i = 0; i < c->n; i++) {
		const struct mbox_rec *r = mbox_box_find(io->b, c->v[i].from);
		c->v[i].to = r ? 1 : 0;
		if (!r)
			continue;
		int rc = extract(io, r, true, c->fd, e);
		if (rc != 1)
			return rc;
		uint64_t size = r->mail.next - r->mail.from;
		c->bits[c->nadd] = r->want.keywords;
		c->add[c->nadd++] = (struct mbox_new){
			.fd = c->fd, .offset = offset, .size = size, .raw = true, .meta.flags = r->want.flags
		};
		offset += size;
	}
	return 1;
}

/* Out of FROM while its lock is held, then into TO: never both locks at once. */
static int copy_out(struct mbox_box *from, struct copy *c, struct err *e)
{
	struct mbox_io io;
	int rc = mbox_io_open(&io, from, e);
	if (rc != 1)
		return rc;
	c->fd = mbox_ctl_spool(&io.ctl, e);
	rc = c->fd < 0 ? -1 : 0;
	for (int tries = 0; tries < TRIES && rc == 0; tries++) {
		rc = mbox_io_enter(&io, MBOX_READ, tries > 0, e);
		if (rc == 1)
			rc = collect(&io, c, e);
	}
	if (rc == 0)
		rc = unsettled(&io, e);
	mbox_io_close(&io);
	return rc;
}

int mbox_mail_copy(struct mbox_box *from, struct mbox_box *to, struct mail_copy *v, size_t n, struct err *e)
{
	struct copy c = { .v = v, .n = n, .fd = -1 };
	c.add = mem_array(n + 1, sizeof(*c.add));
	c.bits = mem_array(n + 1, sizeof(*c.bits));
	int rc = copy_out(from, &c, e);
	struct arrival a = { .v = c.add, .kw = &from->kw, .bits = c.bits, .n = c.nadd };
	if (rc == 1)
		rc = change(to, copy_meta, &a, c.add, c.nadd, e);
	for (size_t i = 0, k = 0; i < n && rc == 1; i++)
		if (v[i].to)
			v[i].to = c.add[k++].meta.uid;
	if (c.fd >= 0)
		sys_close(c.fd);
	free(c.add);
	free(c.bits);
	return rc;
}
