#include "lib/queue/bounce_log.h"

#include <errno.h>
#include <sys/file.h>

#include "lib/base/num.h"
#include "lib/sys/sys.h"

enum { READ_BUF = 64 * 1024, LOG_MAX = 256 * 1024 * 1024 };

static int put_text(struct buf *out, const char *name, struct sv v)
{
	if (v.len == 0)
		return 0;
	if (buf_puts(out, name) < 0 || buf_putc(out, '=') < 0)
		return -1;
	v = sv_upto(v, BOUNCE_LOG_FIELD_MAX);
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.p[i];
		if (buf_putc(out, c < 32 || c == 127 ? '?' : v.p[i]) < 0)
			return -1;
	}
	return buf_putc(out, '\n');
}

int bounce_entry_encode(const struct bounce_entry *en, struct buf *out)
{
	size_t start = out->len;
#define X(field, name)                               \
	if (put_text(out, name, en->field) < 0)      \
		return -1;
	BOUNCE_ENTRY_TEXTS(X)
#undef X
	if (buf_printf(out, "nonce=%llu\noffset=%llu\ntime=%lld\nnotify=%u\n", (unsigned long long)en->nonce,
		    (unsigned long long)en->offset, (long long)en->time_s, en->notify) < 0)
		return -1;
	uint32_t crc = num_crc32c(0, out->p + start, out->len - start);
	return buf_printf(out, "check=%08x\n\n", crc);
}

static void set_field(struct bounce_entry *en, struct sv name, struct sv value)
{
	uint64_t u = 0;
	int64_t i = 0;
#define X(field, text)                  \
	if (sv_eqz(name, text)) {       \
		en->field = value;      \
		return;                 \
	}
	BOUNCE_ENTRY_TEXTS(X)
#undef X
	if (sv_eqz(name, "time")) {
		if (num_i64(value, &i) == 1)
			en->time_s = i;
		return;
	}
	if (num_u64(value, &u) != 1)
		return;
	if (sv_eqz(name, "nonce"))
		en->nonce = u;
	else if (sv_eqz(name, "offset"))
		en->offset = u;
	else if (sv_eqz(name, "notify") && u <= UINT32_MAX)
		en->notify = (uint32_t)u;
}

/* BLOCK: its lines, the last LF included, the empty line not. */
static int decode_block(struct sv block, struct bounce_entry *en)
{
	static const size_t check_len = sizeof("check=01234567\n") - 1;
	if (block.len < check_len)
		return -1;
	struct sv lines = sv_upto(block, block.len - check_len);
	struct sv check = sv_from(block, lines.len);
	char want[16];
	snprintf(want, sizeof(want), "check=%08x\n", num_crc32c(0, lines.p, lines.len));
	if (!sv_eqz(check, want))
		return -1;
	*en = (struct bounce_entry){ .nonce = 0 };
#define X(field, name) en->field = SV_NONE;
	BOUNCE_ENTRY_TEXTS(X)
#undef X
	struct sv line;
	while (lines.len > 0 && sv_take_line(&lines, &line)) {
		struct sv name = sv_take_until(&line, '=');
		set_field(en, name, line);
	}
	return 0;
}

int bounce_entry_decode(struct sv in, struct bounce_entry *en, size_t *used)
{
	size_t at = 0;
	for (;;) {
		while (at < in.len && in.p[at] == '\n')
			at++;
		ptrdiff_t end = sv_find(sv_from(in, at), SV("\n\n"));
		if (end < 0) {
			*used = at;
			return 0;
		}
		struct sv block = sv_sub(in, at, (size_t)end + 1);
		at += (size_t)end + 2;
		if (decode_block(block, en) == 0) {
			*used = at;
			return 1;
		}
	}
}

/* Feed CB from an open log. 1, 0 stopped, -1; *tail gets the last octets' state: 0 ends well, 1 torn. */
static int read_entries(int fd, bounce_log_fn cb, void *ctx, bool *torn, struct err *e)
{
	struct buf b;
	int rc = 1;
	off_t off = 0;
	buf_init(&b, READ_BUF + BOUNCE_LOG_BLOCK_MAX);
	while (rc == 1) {
		if (b.len > BOUNCE_LOG_BLOCK_MAX)
			buf_consume(&b, b.len - BOUNCE_LOG_BLOCK_MAX); /* no block of ours is that long */
		char *room = buf_room(&b, READ_BUF);
		ssize_t n = room ? sys_pread(fd, room, READ_BUF, off) : -1;
		if (n < 0) {
			rc = err_sys(e, errno, "read bounce log");
			break;
		}
		buf_added(&b, (size_t)n);
		off += n;
		struct bounce_entry en;
		size_t at = 0, used = 0;
		while (rc == 1 && bounce_entry_decode(sv_from(buf_sv(&b), at), &en, &used) == 1) {
			at += used;
			if (!cb(ctx, &en))
				rc = 0;
		}
		buf_consume(&b, rc == 1 ? at + used : at);
		if (n == 0)
			break;
	}
	*torn = b.len > 0;
	buf_free(&b);
	return rc;
}

struct known {
	const struct bounce_entry *en;
	size_t n;
	bool *present;
};

static bool note_present(void *ctx, const struct bounce_entry *got)
{
	struct known *k = ctx;
	for (size_t i = 0; i < k->n; i++)
		if (k->en[i].offset == got->offset && k->en[i].nonce == got->nonce)
			k->present[i] = true;
	return true;
}

/* Append what KNOWN says is absent, in one write, and sync. After an error the octets are taken back: found by
 * the next try they would be taken for durable, which a second fsync does not make them. */
static int write_absent(int fd, const struct known *k, bool torn, struct err *e)
{
	struct buf b;
	struct stat st;
	int rc = sys_fstat(fd, &st) < 0 ? err_sys(e, errno, "stat bounce log") : 0;
	if (rc < 0)
		return -1;
	buf_init(&b, LOG_MAX);
	if (torn)
		rc = buf_puts(&b, "\n\n");
	size_t start = b.len;
	for (size_t i = 0; i < k->n && rc == 0; i++)
		if (!k->present[i])
			rc = bounce_entry_encode(&k->en[i], &b);
	if (rc < 0)
		err_set(e, ERR_TEMP, "bounce log: too many entries at once");
	else if (b.len > start && sys_write_all(fd, b.p, b.len) < 0)
		rc = err_sys(e, errno, "write bounce log");
	/* also when nothing was absent: an earlier try may have been killed before it synced */
	if (rc == 0 && sys_fsync(fd) < 0)
		rc = err_sys(e, errno, "fsync bounce log");
	if (rc < 0)
		(void)sys_ftruncate(fd, st.st_size);
	buf_free(&b);
	return rc;
}

static bool is_log(enum queue_name n)
{
	return n == QUEUE_DIR_BOUNCE || n == QUEUE_DIR_DEFER || n == QUEUE_DIR_TRACE;
}

/* Open the log, or make it, and lock it: one that another thread made and took back is made anew. The fd, or -1. */
static int open_locked(struct queue *q, const char *path, bool *made, struct err *e)
{
	const int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
	for (;;) {
		struct stat st;
		int fd = sys_openat(q->root, path, flags, 0);
		*made = fd < 0 && errno == ENOENT;
		if (*made)
			fd = sys_openat(q->root, path, flags | O_CREAT | O_EXCL, 0600);
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd < 0)
			return err_sys(e, errno, "open %s", path);
		if (flock(fd, LOCK_EX) < 0 || sys_fstat(fd, &st) < 0) {
			err_sys(e, errno, "lock %s", path);
			sys_close(fd);
			return -1;
		}
		if (st.st_nlink > 0)
			return fd;
		sys_close(fd);
	}
}

int bounce_log_append(struct queue *q, enum queue_name log, struct sv id, const struct bounce_entry *en,
	size_t n, struct err *e)
{
	char path[QUEUE_PATH_MAX];
	bool made, torn = false;
	if (!is_log(log) || queue_path(log, id, path) < 0)
		return err_set(e, ERR_BUG, "bounce log: bad queue id or directory");
	int dir = queue_open_dir(q, log, id, e);
	if (dir < 0)
		return -1;
	int fd = open_locked(q, path, &made, e);
	if (fd < 0) {
		sys_close(dir);
		return -1;
	}
	struct known k = { .en = en, .n = n, .present = mem_array(n ? n : 1, sizeof(bool)) };
	int rc = read_entries(fd, note_present, &k, &torn, e) < 0 ? -1 : 0;
	if (rc == 0)
		rc = write_absent(fd, &k, torn, e);
	free(k.present);
	if (rc < 0)
		sys_close(dir);
	else
		rc = queue_sync_dir(dir, log, id, e);
	if (rc < 0 && made)
		(void)sys_unlinkat(q->root, path, 0);
	sys_close(fd); /* and unlock */
	return rc;
}

int bounce_log_read(
	struct queue *q, enum queue_name log, struct sv id, bounce_log_fn cb, void *ctx, struct err *e)
{
	int fd = -1;
	if (!is_log(log))
		return err_set(e, ERR_BUG, "bounce log: bad directory");
	int rc = queue_open_mail(q, log, id, O_RDONLY, &fd, e);
	if (rc != 1)
		return rc;
	bool torn;
	rc = read_entries(fd, cb, ctx, &torn, e);
	sys_close(fd);
	return rc < 0 ? -1 : 1;
}
