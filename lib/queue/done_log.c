/*
 * Record: 0 magic "MDL1", 4 u32 length of all, 8 nonce, 16 offset, 24 time_us, 32 u8 result, u8 length
 * of id, u8 length of dsn, u8 action, 36 u16 length of text, u16 zero, 40 id, dsn, text, then the u32
 * CRC-32C of all before.
 */
#include "lib/queue/done_log.h"

#include <errno.h>

#include "lib/base/buf.h"
#include "lib/base/num.h"
#include "lib/sys/sys.h"

static const char magic[4] = { 'M', 'D', 'L', '1' };

enum { FIXED = 40, CRC = 4, READ_BUF = 64 * 1024 };

size_t done_record_encode(const struct done_record *r, unsigned char out[DONE_LOG_RECORD_MAX])
{
	struct sv text = sv_upto(r->text, DONE_LOG_TEXT_MAX);
	if (!queue_id_valid(r->id) || r->dsn.len > DONE_LOG_DSN_MAX)
		return 0;
	size_t n = FIXED + r->id.len + r->dsn.len + text.len + CRC;
	memset(out, 0, FIXED);
	memcpy(out, magic, sizeof(magic));
	num_put_le32(out + 4, (uint32_t)n);
	num_put_le64(out + 8, r->nonce);
	num_put_le64(out + 16, r->offset);
	num_put_le64(out + 24, (uint64_t)r->time_us);
	out[32] = (unsigned char)r->result;
	out[33] = (unsigned char)r->id.len;
	out[34] = (unsigned char)r->dsn.len;
	out[35] = (unsigned char)r->action;
	out[36] = (unsigned char)(text.len & 255);
	out[37] = (unsigned char)(text.len >> 8);
	unsigned char *p = out + FIXED;
	memcpy(p, r->id.p, r->id.len);
	p += r->id.len;
	memcpy(p, r->dsn.p, r->dsn.len);
	p += r->dsn.len;
	memcpy(p, text.p, text.len);
	num_put_le32(out + n - CRC, num_crc32c(0, out, n - CRC));
	return n;
}

/* The record that starts at IN: 1, 0 IN is too short to say, -1 it is none. */
static int decode_here(struct sv in, struct done_record *r, size_t *used)
{
	const unsigned char *p = (const unsigned char *)in.p;
	if (in.len < FIXED + CRC)
		return 0;
	size_t n = num_get_le32(p + 4), id = p[33], dsn = p[34], text = p[36] | (size_t)p[37] << 8;
	if (n > DONE_LOG_RECORD_MAX || n != FIXED + id + dsn + text + CRC)
		return -1;
	if (dsn > DONE_LOG_DSN_MAX || text > DONE_LOG_TEXT_MAX || p[32] > QUEUE_BOUNCED ||
		p[35] > QUEUE_ACTION_PASSED_ON)
		return -1;
	if (n > in.len)
		return 0;
	if (num_get_le32(p + n - CRC) != num_crc32c(0, p, n - CRC))
		return -1;
	r->nonce = num_get_le64(p + 8);
	r->offset = num_get_le64(p + 16);
	r->time_us = (int64_t)num_get_le64(p + 24);
	r->result = (enum queue_result)p[32];
	r->action = (enum queue_action)p[35];
	r->id = sv_sub(in, FIXED, id);
	r->dsn = sv_sub(in, FIXED + id, dsn);
	r->text = sv_sub(in, FIXED + id + dsn, text);
	if (!queue_id_valid(r->id))
		return -1;
	*used = n;
	return 1;
}

int done_record_decode(struct sv in, struct done_record *r, size_t *used)
{
	size_t at = 0;
	for (;;) {
		ptrdiff_t hit = sv_find(sv_from(in, at), sv_n(magic, sizeof(magic)));
		if (hit < 0) {
			*used = in.len < sizeof(magic) ? 0 : in.len - (sizeof(magic) - 1);
			if (*used < at)
				*used = at;
			return 0;
		}
		at += (size_t)hit;
		size_t n = 0;
		int rc = decode_here(sv_from(in, at), r, &n);
		if (rc >= 0) {
			*used = at + n;
			return rc;
		}
		at++;
	}
}

int done_log_append(int fd, const struct done_record *r, size_t n, struct err *e)
{
	struct buf b;
	int rc = 0;
	buf_init(&b, n * DONE_LOG_RECORD_MAX);
	for (size_t i = 0; i < n && rc == 0; i++) {
		unsigned char *room = (unsigned char *)buf_room(&b, DONE_LOG_RECORD_MAX);
		size_t len = room ? done_record_encode(&r[i], room) : 0;
		if (len == 0)
			rc = err_set(e, ERR_BUG, "done-log: id or dsn of a record is too long");
		else
			buf_added(&b, len);
	}
	if (rc == 0 && sys_write_all(fd, b.p, b.len) < 0)
		rc = err_sys(e, errno, "write done-log");
	buf_free(&b);
	return rc;
}

/* "done/NAME". */
static int log_path(const char *name, char out[QUEUE_PATH_MAX + DONE_LOG_NAME_MAX], struct err *e)
{
	size_t n = strnlen(name, DONE_LOG_NAME_MAX + 1);
	bool ok = n > 0 && n <= DONE_LOG_NAME_MAX && name[0] != '.';
	for (size_t i = 0; i < n && ok; i++)
		ok = ascii_is_alnum(name[i]) || name[i] == '.' || name[i] == '-' || name[i] == '_';
	if (!ok)
		return err_set(e, ERR_BUG, "done-log: \"%s\" is not a name for one", name);
	snprintf(out, QUEUE_PATH_MAX + DONE_LOG_NAME_MAX, "%s/%s", queue_dir_name(QUEUE_DIR_DONE), name);
	return 0;
}

int done_log_create(struct queue *q, const char *name, struct err *e)
{
	char path[QUEUE_PATH_MAX + DONE_LOG_NAME_MAX];
	if (log_path(name, path, e) < 0)
		return -1;
	int fd = sys_openat(q->root, path, O_CREAT | O_EXCL | O_RDWR | O_APPEND | O_NOFOLLOW, 0600);
	return fd < 0 ? err_sys(e, errno, "create %s", path) : fd;
}

int done_log_open(struct queue *q, const char *name, int *fd, struct err *e)
{
	char path[QUEUE_PATH_MAX + DONE_LOG_NAME_MAX];
	if (log_path(name, path, e) < 0)
		return -1;
	*fd = sys_openat(q->root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (*fd >= 0)
		return 1;
	return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", path);
}

int done_log_remove(struct queue *q, const char *name, struct err *e)
{
	char path[QUEUE_PATH_MAX + DONE_LOG_NAME_MAX];
	if (log_path(name, path, e) < 0)
		return -1;
	if (sys_unlinkat(q->root, path, 0) == 0)
		return 1;
	return errno == ENOENT ? 0 : err_sys(e, errno, "remove %s", path);
}

int done_log_list(struct queue *q, done_log_name_fn cb, void *ctx, struct err *e)
{
	const char *done = queue_dir_name(QUEUE_DIR_DONE);
	int fd = sys_openat(q->root, done, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int saved = errno;
		if (fd >= 0)
			sys_close(fd);
		return err_sys(e, saved, "open queue directory %s", done);
	}
	const struct dirent *d;
	errno = 0;
	while ((d = readdir(dir)) != NULL) {
		char path[QUEUE_PATH_MAX + DONE_LOG_NAME_MAX];
		if (log_path(d->d_name, path, NULL) == 0)
			cb(ctx, d->d_name);
		errno = 0;
	}
	int saved = errno;
	closedir(dir);
	return saved ? err_sys(e, saved, "read queue directory %s", done) : 0;
}

/* Hand every record in B to CB and drop what it took. At the END of the file a record that claims more
 * than is there is torn: search on behind its magic. */
static bool feed(struct buf *b, bool end, done_log_fn cb, void *ctx)
{
	size_t at = 0;
	for (;;) {
		struct done_record r;
		size_t used = 0;
		int rc = done_record_decode(sv_from(buf_sv(b), at), &r, &used);
		if (rc == 1 && !cb(ctx, &r)) {
			buf_consume(b, at);
			return false;
		}
		at += used;
		if (rc == 1)
			continue;
		if (!end || b->len - at <= sizeof(magic))
			break;
		at++;
	}
	buf_consume(b, at);
	return true;
}

int done_log_read(int fd, done_log_fn cb, void *ctx, struct err *e)
{
	off_t at = 0;
	return done_log_read_from(fd, &at, cb, ctx, e);
}

int done_log_read_from(int fd, off_t *at, done_log_fn cb, void *ctx, struct err *e)
{
	struct buf b;
	int rc = 1;
	off_t off = *at;
	buf_init(&b, READ_BUF + 2 * DONE_LOG_RECORD_MAX);
	while (rc == 1) {
		char *room = buf_room(&b, READ_BUF);
		if (!room) {
			rc = err_set(e, ERR_BUG, "done-log: reader's buffer is full");
			break;
		}
		ssize_t n = sys_pread(fd, room, READ_BUF, off);
		if (n < 0) {
			rc = err_sys(e, errno, "read done-log");
			break;
		}
		buf_added(&b, (size_t)n);
		off += n;
		if (!feed(&b, n == 0, cb, ctx))
			rc = 0;
		*at = off - (off_t)b.len;
		if (n == 0)
			break;
	}
	buf_free(&b);
	return rc;
}
