/* admin/merpati/trace_log.c - log files, and what their lines say of the mails that are looked for. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "admin/merpati/trace.h"
#include "lib/queue/queue_log.h"
#include "lib/sys/sys.h"

#define FILES_MAX   1000
#define CHUNK       (256 * 1024)
#define LINE_LONGEST (64 * 1024) /* what is longer is no line of ours */

struct log_file {
	char path[4200];
	struct timespec when;
};

static bool is_compressed(const char *name)
{
	static const char *const ends[] = { ".gz", ".bz2", ".xz", ".zst" };
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (sv_ends(sv_z(name), sv_z(ends[i])))
			return true;
	return false;
}

static int older_first(const void *a, const void *b)
{
	const struct log_file *x = a, *y = b;
	if (x->when.tv_sec != y->when.tv_sec)
		return x->when.tv_sec < y->when.tv_sec ? -1 : 1;
	return x->when.tv_nsec < y->when.tv_nsec ? -1 : x->when.tv_nsec > y->when.tv_nsec;
}

/* FILE and what it was before it was rotated. How many; -1 with E. */
static int find_files(struct trace *t, const char *file, struct log_file *out, struct err *e)
{
	char dir[4096];
	const char *slash = strrchr(file, '/');
	size_t len = slash ? (size_t)(slash - file) : 1, n = 0;
	const char *base = slash ? slash + 1 : file;
	if (len >= sizeof(dir))
		return err_set(e, ERR_CONFIG, "%s: the name is too long", file);
	memcpy(dir, slash ? file : ".", len);
	dir[len] = '\0';
	DIR *d = opendir(dir[0] ? dir : "/");
	if (!d)
		return err_sys(e, errno, "%s", dir);
	t->skipped = 0;
	for (struct dirent *en; (en = readdir(d)) != NULL && n < FILES_MAX;) {
		struct stat st;
		struct sv name = sv_z(en->d_name), rest = sv_from(name, strlen(base));
		if (!sv_starts(name, sv_z(base)) || (rest.len > 0 && rest.p[0] != '.' && rest.p[0] != '-'))
			continue;
		if (is_compressed(en->d_name)) {
			t->skipped++;
			continue;
		}
		snprintf(out[n].path, sizeof(out[n].path), "%s/%s", dir, en->d_name);
		if (stat(out[n].path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		out[n++].when = st.st_mtim;
	}
	closedir(d);
	qsort(out, n, sizeof(*out), older_first);
	return (int)n;
}

static void keep_line(struct trace *t, struct trace_mail *m, struct sv line)
{
	if (!t->keep)
		return;
	if (t->nlines == TRACE_LINES_MAX) {
		t->too_many = true;
		return;
	}
	if (t->nlines == t->lines_cap) {
		t->lines_cap = t->lines_cap ? 2 * t->lines_cap : 256;
		struct trace_line *more = mem_array(t->lines_cap, sizeof(*more));
		if (t->nlines > 0)
			memcpy(more, t->lines, t->nlines * sizeof(*more));
		free(t->lines);
		t->lines = more;
	}
	t->lines[t->nlines++] = (struct trace_line){ .mail = m, .text = mem_svdup(line) };
}

static bool names_asked(const struct trace *t, const struct queue_log_line *l)
{
	static const char *const addresses[] = { "to", "orig_to", "from" };
	struct sv v;
	if (t->kind == TRACE_ID)
		return sv_eqz(l->id, t->asked);
	if (t->kind == TRACE_MESSAGE_ID)
		return (queue_log_value(l->text, "message-id", &v) ||
			       queue_log_value(l->text, "resent-message-id", &v)) &&
		       trace_matches(t, v);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		if (queue_log_value(l->text, addresses[i], &v) && trace_matches(t, v))
			return true;
	return false;
}

/* "<ADDRESS>" anywhere: a refusal names the recipient in its text. */
static bool holds_address(struct sv text, const char *address)
{
	size_t n = strlen(address);
	for (ptrdiff_t at; (at = sv_ifind(text, sv_n(address, n))) >= 0; text = sv_from(text, (size_t)at + 1)) {
		size_t end = (size_t)at + n;
		if (at > 0 && text.p[at - 1] == '<' && end < text.len && text.p[end] == '>')
			return true;
	}
	return false;
}

/* Mails with the same message-id belong together, but for the empty one. */
static void join_by_message(struct trace *t, struct trace_mail **m, const struct queue_log_line *l)
{
	struct sv v;
	if (!queue_log_value(l->text, "message-id", &v) || v.len == 0)
		return;
	struct trace_mail *other = htab_get(&t->messages, v);
	if (other && !*m)
		*m = trace_mail(t, l->id);
	if (*m && other)
		trace_join(*m, other);
	else if (*m)
		htab_set(&t->messages, v, *m);
}

static void see_line(struct trace *t, struct sv line)
{
	struct queue_log_line l;
	struct sv child;
	if (!queue_log_parse(line, &l) || l.id.len == 0)
		return;
	if (sv_eqz(l.id, "NOQUEUE")) {
		if (t->kind == TRACE_ADDRESS && (names_asked(t, &l) || holds_address(l.text, t->asked)))
			keep_line(t, NULL, line);
		return;
	}
	struct trace_mail *m = htab_get(&t->mails, l.id);
	if (!m && names_asked(t, &l))
		m = trace_mail(t, l.id);
	join_by_message(t, &m, &l);
	if (queue_log_child(l.text, &child)) {
		struct trace_mail *c = htab_get(&t->mails, child);
		if (c && !m)
			m = trace_mail(t, l.id);
		else if (m && !c)
			c = trace_mail(t, child);
		if (m && c)
			trace_join(m, c);
	}
	if (!m)
		return;
	m->removed = m->removed || sv_eqz(l.text, "removed");
	keep_line(t, m, line);
}

static int read_file(struct trace *t, const char *path, struct err *e)
{
	struct buf b;
	int fd = sys_open(path, O_RDONLY, 0);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	buf_init(&b, 2 * CHUNK);
	for (ssize_t n = 1; n > 0;) {
		char *room = buf_room(&b, CHUNK);
		n = room ? sys_read(fd, room, CHUNK) : -1;
		if (n < 0) {
			err_sys(e, errno, "%s", path);
			sys_close(fd);
			buf_free(&b);
			return -1;
		}
		buf_added(&b, (size_t)n);
		struct sv rest = buf_sv(&b), line;
		while (sv_chr(rest, '\n') >= 0 && sv_take_line(&rest, &line))
			see_line(t, line);
		buf_consume(&b, b.len - rest.len);
		if (b.len > LINE_LONGEST)
			buf_reset(&b);
	}
	sys_close(fd);
	buf_free(&b);
	return 0;
}

int trace_logs(struct trace *t, const char *file, struct err *e)
{
	struct log_file *files = mem_array(FILES_MAX, sizeof(*files));
	int n = find_files(t, file, files, e), rc = n < 0 ? -1 : 0;
	t->logs = n < 0 ? 0 : (unsigned)n;
	for (int i = 0; i < n && rc == 0; i++)
		rc = read_file(t, files[i].path, e);
	free(files);
	return rc;
}
