#include "lib/queue/queue_list.h"

#include <errno.h>

#include "lib/base/hash.h"
#include "lib/mail/addr.h"
#include "lib/queue/bounce_log.h"
#include "lib/queue/drop_file.h"
#include "lib/queue/queue_mail.h"
#include "lib/sys/sys.h"

enum {
	MAIL_MAX = 64 * 1024 * 1024, /* octets that one mail's listing may take */
	REASONS_MAX = 16 * 1024 * 1024,
	DROP_READ = 128 * 1024,      /* of a maildrop file: its envelope */
};

static const enum queue_name queues[] = { QUEUE_DIR_MAILDROP, QUEUE_DIR_ACTIVE, QUEUE_DIR_INCOMING,
	QUEUE_DIR_DEFERRED, QUEUE_DIR_HOLD };

/* VALUE without octets that would end it or confuse a terminal. */
static void put(struct buf *out, const char *name, struct sv value)
{
	buf_puts(out, name);
	buf_putc(out, '\0');
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];
		buf_putc(out, c < 32 || c == 127 ? '?' : value.p[i]);
	}
	buf_putc(out, '\0');
}

static void put_number(struct buf *out, const char *name, int64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)v);
	put(out, name, sv_n(text, (size_t)n));
}

static void put_addr(struct buf *out, const char *name, struct sv internal)
{
	struct buf external;
	buf_init(&external, 4096);
	if (internal.len == 0)
		buf_puts(&external, "MAILER-DAEMON");
	else if (addr_quote(&external, internal) < 0)
		buf_puts(&external, "(address is too long)");
	put(out, name, buf_sv(&external));
	buf_free(&external);
}

static void put_head(struct buf *out, enum queue_name n, struct sv id, int64_t time_s, uint64_t size)
{
	put(out, "queue_name", sv_z(queue_dir_name(n)));
	put(out, "queue_id", id);
	put_number(out, "time", time_s);
	put_number(out, "size", (int64_t)size);
	put_number(out, "forced_expire", 0);
}

static void put_rcpt(struct buf *out, struct sv address, const char *reason)
{
	put_addr(out, "recipient", address);
	put(out, "reason", sv_z(reason));
}

/* --- reasons out of the defer log ------------------------------------------------------------------- */

struct reasons {
	struct htab by_offset; /* text in the arena */
	struct arena arena;
	uint64_t nonce;
};

static bool note_reason(void *ctx, const struct bounce_entry *en)
{
	struct reasons *r = ctx;
	if (en->nonce != r->nonce)
		return true;
	char *text = arena_strdup(&r->arena, en->text);
	if (!text)
		return false;
	htab_set(&r->by_offset, sv_n((const char *)&en->offset, sizeof(en->offset)), text);
	return true;
}

static const char *reason_of(const struct reasons *r, uint64_t offset)
{
	return htab_get(&r->by_offset, sv_n((const char *)&offset, sizeof(offset)));
}

/* Recipients that wait: those with a reason, or those without. */
static int put_rcpts(
	struct buf *out, const struct queue_mail *m, const struct reasons *reasons, bool with, struct err *e)
{
	struct queue_rcpt_cursor c;
	struct queue_rcpt r;
	int rc;
	queue_rcpt_start(&c, m, 0);
	while ((rc = queue_rcpt_next(&c, &r, e)) == 1) {
		const char *reason = reason_of(reasons, r.offset);
		if (r.cell == QUEUE_CELL_PENDING && with == (reason != NULL))
			put_rcpt(out, r.address, reason ? reason : "");
	}
	queue_rcpt_end(&c);
	return rc;
}

static int put_mail(struct queue *q, enum queue_name n, struct sv id, int fd, struct buf *out, struct err *e)
{
	struct queue_mail m;
	struct reasons r;
	int rc = queue_mail_open(&m, fd, e);
	if (rc != QUEUE_FILE_OK)
		return rc < 0 ? -1 : 0;
	r.nonce = m.h.nonce;
	arena_init(&r.arena, REASONS_MAX);
	htab_init(&r.by_offset, (struct hash_seed){ m.h.nonce, m.h.nonce });
	put_head(out, n, id, m.h.arrival_us / 1000000, m.h.content_size);
	struct stat st;
	if (n == QUEUE_DIR_DEFERRED && sys_fstat(fd, &st) == 0)
		put_number(out, "next_attempt", st.st_mtime);
	put_addr(out, "sender", m.facts.sender);
	/* a log that cannot be read costs the reasons, not the list */
	(void)!bounce_log_read(q, QUEUE_DIR_DEFER, id, note_reason, &r, NULL);
	rc = put_rcpts(out, &m, &r, true, e);
	if (rc == 0)
		rc = put_rcpts(out, &m, &r, false, e);
	htab_free(&r.by_offset);
	arena_free(&r.arena);
	queue_mail_close(&m);
	return rc < 0 ? -1 : 1;
}

/* A file that postdrop left: its envelope stands in front. */
static int put_drop(enum queue_name n, struct sv id, int fd, struct buf *out, struct err *e)
{
	struct stat st;
	struct drop_reader d = { 0 };
	struct drop_record r;
	const char *why;
	size_t used;
	if (sys_fstat(fd, &st) < 0)
		return err_sys(e, errno, "stat");
	if (!(st.st_mode & S_IXUSR))
		return 0;
	char *octets = mem_alloc(DROP_READ);
	ssize_t got = sys_pread(fd, octets, DROP_READ, 0);
	if (got < 0) {
		int saved = errno;
		free(octets);
		return err_sys(e, saved, "read");
	}
	struct sv in = sv_n(octets, (size_t)got);
	put_head(out, n, id, st.st_mtime, (uint64_t)st.st_size);
	bool sender = false;
	while (drop_next(&d, in, &r, &used, &why) == 1 && r.type != DROP_CONTENT) {
		in = sv_from(in, used);
		if (r.type == DROP_SENDER) {
			put_addr(out, "sender", r.data);
			sender = true;
		} else if (r.type == DROP_RCPT) {
			put_rcpt(out, r.data, "");
		}
	}
	if (!sender)
		put(out, "sender", SV("(unreadable)"));
	free(octets);
	return 1;
}

int queue_list_mail(struct queue *q, enum queue_name n, struct sv id, struct buf *out, struct err *e)
{
	int fd = -1;
	char magic[8] = { 0 };
	size_t start = out->len;
	int rc = queue_open_mail(q, n, id, O_RDONLY, &fd, e);
	if (rc != 1)
		return rc;
	if (n == QUEUE_DIR_MAILDROP &&
		!(sys_pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
			memcmp(magic, "MERPATIQ", sizeof(magic)) == 0))
		rc = put_drop(n, id, fd, out, e);
	else
		rc = put_mail(q, n, id, fd, out, e);
	sys_close(fd);
	if (rc == 1)
		buf_putc(out, '\0');
	if (rc == 1 && out->overflow)
		rc = err_set(e, ERR_TEMP, "%.*s: too many recipients to list", SV_ARG(id));
	if (rc != 1)
		buf_truncate(out, start);
	return rc;
}

static int list_queue(
	struct queue *q, enum queue_name n, struct buf *b, queue_list_sink sink, void *ctx, struct err *e)
{
	struct queue_scan s;
	char id[QUEUE_ID_MAX + 1];
	int rc;
	queue_scan_start(&s, q, n);
	while ((rc = queue_scan_next(&s, id, e)) == 1) {
		struct err unreadable = ERR_INIT; /* that mail is left out; qmgr says why when it meets it */
		buf_reset(b);
		if (queue_list_mail(q, n, sv_z(id), b, &unreadable) == 1 && !sink(ctx, buf_sv(b))) {
			queue_scan_end(&s);
			return 0;
		}
	}
	queue_scan_end(&s);
	return rc < 0 ? -1 : 1;
}

int queue_list(struct queue *q, queue_list_sink sink, void *ctx, struct err *e)
{
	struct buf b;
	int rc = 1;
	buf_init(&b, MAIL_MAX);
	put(&b, "protocol", SV(QUEUE_LIST_PROTOCOL));
	buf_putc(&b, '\0');
	if (!sink(ctx, buf_sv(&b)))
		rc = 0;
	for (size_t i = 0; i < ARRAY_LEN(queues) && rc == 1; i++)
		rc = list_queue(q, queues[i], &b, sink, ctx, e);
	buf_reset(&b);
	buf_putc(&b, '\0');
	if (rc == 1 && !sink(ctx, buf_sv(&b)))
		rc = 0;
	buf_free(&b);
	return rc;
}

int queue_list_take(struct sv *in, struct sv *out)
{
	ptrdiff_t end = sv_chr(*in, '\0');
	if (end < 0)
		return 0;
	*out = sv_upto(*in, (size_t)end);
	*in = sv_from(*in, (size_t)end + 1);
	return 1;
}
