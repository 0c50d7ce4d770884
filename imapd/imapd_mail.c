#include "imapd/imapd_mail.h"

#include <errno.h>

#include "lib/fiber/fiber.h"
#include "lib/mail/header.h"
#include "lib/sys/sys.h"

#define HEAD_BLOCK (16 * 1024)
#define TREE_MAX   (64u << 20) /* parts, their parameters, and structure made from them */

void imapd_mail_init(struct imap_mail *m)
{
	*m = (struct imap_mail){ .open = false };
	arena_init(&m->arena, TREE_MAX);
}

void imapd_mail_fini(struct imap_mail *m)
{
	imapd_mail_close(m);
	arena_free(&m->arena);
}

int imapd_mail_open(struct imap_mail *m, struct imap_session *s, size_t index, struct err *e)
{
	imapd_mail_close(m);
	int rc = store_box_content(s->view.box, index, &m->content, e);

	if (rc != 1)
		return rc;
	m->open = true;
	m->index = index;
	m->uid = store_box_msg(s->view.box, index)->uid;
	return 1;
}

void imapd_mail_close(struct imap_mail *m)
{
	if (m->open)
		sys_close(m->content.fd);
	free(m->text);
	m->text = NULL;
	m->open = false;
	m->loaded = 0;
	m->have_head = false;
	m->root = NULL;
	arena_reset(&m->arena);
}

struct sv imapd_mail_text(const struct imap_mail *m)
{
	return sv_n(m->text, m->loaded);
}

struct sv imapd_mail_head(const struct imap_mail *m)
{
	return sv_n(m->text, m->head_len);
}

/* Blocking work, in a thread. */
struct load_job {
	struct imap_mail *m;
	size_t upto; /* octets that are wanted, 0: the header */
	int sys_errno;
};

static int read_upto(struct load_job *j, size_t upto)
{
	struct imap_mail *m = j->m;

	m->text = mem_realloc(m->text, upto ? upto : 1);
	if (sys_pread_all(m->content.fd, m->text + m->loaded, upto - m->loaded, (off_t)m->loaded) <
	        0) {
		j->sys_errno = errno;
		return -1;
	}
	m->loaded = upto;
	return 0;
}

/* Is there an empty line in TEXT, looking from FROM on (and a little before)? */
static bool has_empty_line(struct sv text, size_t from)
{
	struct sv part = sv_from(text, from > 3 ? from - 3 : 0);

	return sv_starts(text, SV("\n")) || sv_starts(text, SV("\r\n")) ||
	       sv_find(part, SV("\n\n")) >= 0 || sv_find(part, SV("\n\r\n")) >= 0;
}

static void run_head(void *rec)
{
	struct load_job *j = rec;
	struct imap_mail *m = j->m;
	size_t size = (size_t)m->content.size, from = 0, step = HEAD_BLOCK;

	while (m->loaded < size && (m->loaded == 0 || !has_empty_line(imapd_mail_text(m), from))) {
		from = m->loaded;
		if (read_upto(j, size - m->loaded < step ? size : m->loaded + step) < 0)
			return;
		step *= 2;
	}
}

static void run_tree(void *rec)
{
	const struct mime_limits limits = MIME_LIMITS_DEFAULT;
	struct load_job *j = rec;
	struct imap_mail *m = j->m;

	if (m->loaded < m->content.size && read_upto(j, (size_t)m->content.size) < 0)
		return;
	if (!m->text)
		m->text = mem_alloc(1);
	if (mime_parse(imapd_mail_text(m), &limits, &m->arena, &m->root) < 0) {
		m->root = NULL;
		j->sys_errno = ENOMEM;
	}
}

static int load(struct imap_mail *m, void (*job)(void *), struct err *e)
{
	struct load_job j = { .m = m };

	fiber_offload(FIBER_POOL_LOOKUP, job, &j);
	return j.sys_errno ? err_sys(e, j.sys_errno, "reading message %u", (unsigned)m->uid) : 1;
}

int imapd_mail_need_head(struct imap_mail *m, struct err *e)
{
	struct header_field f;

	if (m->have_head)
		return 1;
	if (load(m, run_head, e) < 0)
		return -1;
	struct sv rest = imapd_mail_text(m);

	while (header_next(&rest, &f) == 1)
		;
	m->head_len = m->loaded - rest.len;
	m->have_head = true;
	return 1;
}

int imapd_mail_need_tree(struct imap_mail *m, struct err *e)
{
	return m->root ? 1 : load(m, run_tree, e);
}

struct read_job {
	int fd;
	int sys_errno;
	char *p;
	size_t n;
	off_t off;
};

static void run_read(void *rec)
{
	struct read_job *j = rec;

	j->sys_errno = sys_pread_all(j->fd, j->p, j->n, j->off) == 0 ? 0 : errno;
}

int imapd_mail_read(const struct imap_mail *m, char *p, size_t n, uint64_t off, struct err *e)
{
	struct read_job j = { .fd = m->content.fd, .p = p, .n = n, .off = (off_t)off };

	fiber_offload(FIBER_POOL_LOOKUP, run_read, &j);
	return j.sys_errno ? err_sys(e, j.sys_errno, "reading message %u", (unsigned)m->uid) : 1;
}
