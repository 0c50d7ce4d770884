/* Files of others: a postman with their rights reads them. */
#include <inttypes.h>
#include <unistd.h>

#include "lib/base/hash.h"
#include "lib/clnt/clnt_postman.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/sys.h"
#include "local/local.h"

#define ASSIGN_MS (60 * 1000)
#define READ_MS   (120 * 1000)

struct own_job {
	struct text_file what;
	struct buf *text;
	size_t which;
	int rc;
	struct err err;
};

static void own_run(void *rec)
{
	struct own_job *j = rec;
	j->rc = text_file_read(&j->what, j->text, &j->which, NULL, &j->err);
}

/* This process has the user's rights itself. */
static int read_here(const struct text_file *what, struct buf *text, size_t *which, struct err *e)
{
	struct own_job j = { .what = *what, .text = text };
	fiber_offload(FIBER_POOL_LOOKUP, own_run, &j);
	*which = j.which;
	if (j.rc < 0)
		*e = j.err;
	return j.rc;
}

int local_read_text(const struct local_rcpt *r, const struct local_rights *rights, const struct text_file *what,
        struct buf *text, size_t *which, int *fd, struct err *e)
{
	if (!fd && rights->user && rights->user->uid == getuid())
		return read_here(what, text, which, e);
	struct ipc_conn *c = clnt_postman_open(
	        r->local->postmen, &rights->whose, r->rq->queue_id, fiber_deadline(ASSIGN_MS), e);
	if (!c)
		return -1;
	int rc = clnt_postman_read(c, what->paths, what->n, what->rule, what->max, text, which, fd,
	        fiber_deadline(READ_MS), e);
	ipc_conn_free(c);
	return rc;
}

/* Keep FD until the expansion is delivered. 0, or -1: it is closed. */
static int keep_fd(struct local_expansion *x, int fd)
{
	if (x->nfds == LOCAL_INCLUDES_MAX) {
		sys_close(fd);
		return -1;
	}
	x->fds[x->nfds++] = fd;
	return 0;
}

void local_expansion_close(struct local_expansion *x)
{
	for (size_t i = 0; i < x->nfds; i++)
		sys_close(x->fds[i]);
	x->nfds = 0;
}

int local_note_text(const struct local_rcpt *r, struct local_expansion *x, struct sv what, struct sv text)
{
	const struct hash_seed fixed = { 0, 0 };
	x->written = sv_z(arena_printf(r->rq->arena, "%.*s\n%.*s %016" PRIx64, SV_ARG(x->written), SV_ARG(what),
	        hash_sip(fixed, text.p ? text.p : "", text.len)));
	return r->rq->arena->exhausted ? -1 : 0;
}

/* Are these rights of the kind that root gives away: of an alias file or an :include: file of root? In a private
 * instance all are its owner's: auth refuses those of others. */
static bool from_root(const struct local *l, const struct local_rights *rights)
{
	struct stat st;
	if (!l->is_system || strcmp(rights->whose.kind, "default") == 0)
		return true;
	return strcmp(rights->whose.kind, "owner") == 0 && sys_fstat(rights->whose.fd, &st) == 0 && st.st_uid == 0;
}

/*
 * Commands and files of an :include: file are its owner's, if whoever named the file is root. Anybody else keeps his
 * own rights: he would have others' files, in which a stranger's mail may stand, executed with their rights.
 */
int local_include(const struct local_rcpt *r, const struct local_text *from, const struct alias_item *it,
        struct local_expansion *x, struct local_text *out, struct alias_list *list, struct err *e)
{
	const char *path = arena_strdup(r->rq->arena, it->text);
	size_t which;
	int fd = -1;
	struct buf text;
	const struct text_file what = {
		.paths = &path, .n = 1, .rule = TEXT_FILE_INCLUDE, .max = LOCAL_INCLUDE_MAX };
	if (!path)
		return err_set(e, ERR_TEMP, "out of memory for the name of an :include: file");
	buf_init(&text, LOCAL_INCLUDE_MAX + 2 * 65536);
	int rc = local_read_text(r, &from->rights, &what, &text, &which, &fd, e);
	if (rc == 0)
		rc = err_set(e, ERR_CONFIG, "%s does not exist", path);
	if (rc == 1 && keep_fd(x, fd) < 0)
		rc = err_set(e, ERR_CONFIG, "more than %d :include: files", LOCAL_INCLUDES_MAX);
	if (rc == 1 && local_note_text(r, x, it->text, buf_sv(&text)) < 0)
		rc = err_set(e, ERR_TEMP, "%s is too large", path);
	if (rc == 1)
		rc = alias_parse(buf_sv(&text), ALIAS_LINES, path, 1, LOCAL_ITEMS_MAX, r->rq->arena, list, e);
	buf_free(&text);
	*out = (struct local_text){ .name = path,
		.own = from->own,
		.source = LOCAL_FROM_INCLUDE,
		.depth = from->depth + 1,
		.ext = from->ext,
		.rights = from->rights };
	if (from_root(r->local, &from->rights))
		out->rights = (struct local_rights){ .whose = { .kind = "owner", .fd = fd } };
	return rc < 0 ? err_prefix(e, "%s, line %u", from->name, it->line) : 0;
}
