/* admin/postcat/postcat.c - show queue files, and files of maildrop/, as text. */
#include <errno.h>
#include <stdarg.h>
#include <time.h>

#include "lib/config/params.h"
#include "lib/mail/header.h"
#include "lib/queue/drop_file.h"
#include "lib/queue/queue_dir.h"
#include "lib/queue/queue_mail.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

enum show { SHOW_ENVELOPE = 1, SHOW_HEADER = 2, SHOW_BODY = 4 };

enum { PIECE = 64 * 1024, STDIN_MAX = 1 << 30 };

struct options {
	unsigned show; /* enum show */
	bool search;   /* -q: names are queue ids */
	bool offsets, types;
};

struct out {
	const struct options *o;
	const char *path;
	struct buf line;   /* an unfinished line of content */
	bool in_body;
};

static void warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void warn(const char *fmt, ...)
{
	va_list ap;
	fputs("postcat: warning: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static NORETURN void die(const char *text)
{
	fprintf(stderr, "postcat: fatal: %s\n", text);
	exit(1);
}

static void marker(const struct out *w, const char *text)
{
	if (w->o->show & SHOW_ENVELOPE)
		printf("*** %s %s ***\n", text, w->path);
}

static void prefix(const struct out *w, uint64_t offset, char type)
{
	if (w->o->offsets)
		printf("%9llu ", (unsigned long long)offset);
	if (w->o->types)
		printf("%3d ", type);
}

static void record(const struct out *w, uint64_t offset, char type, const char *name, struct sv value)
{
	prefix(w, offset, type);
	printf("%s: %.*s\n", name, SV_ARG(value));
}

static void attribute(const struct out *w, uint64_t offset, char type, const char *name, struct sv value)
{
	if (value.len == 0)
		return;
	prefix(w, offset, type);
	printf("named_attribute: %s=%.*s\n", name, SV_ARG(value));
}

static void time_record(const struct out *w, const char *name, int64_t time_s)
{
	char stamp[64];
	time_t t = (time_t)time_s;
	struct tm tm;
	localtime_r(&t, &tm);
	strftime(stamp, sizeof(stamp), "%a %b %e %H:%M:%S %Y", &tm);
	record(w, 0, 'T', name, sv_z(stamp));
}

/* --- content ---------------------------------------------------------------------------------------- */

static void content_line(struct out *w, struct sv line)
{
	struct sv name, body;
	bool folded = line.p[0] == ' ' || line.p[0] == '\t';
	if (!w->in_body && !folded && header_line(line, &name, &body) != 1)
		w->in_body = true;
	if (w->o->show & (w->in_body ? SHOW_BODY : SHOW_HEADER))
		fwrite(line.p, 1, line.len, stdout);
}

static void content(struct out *w, struct sv octets)
{
	while (octets.len > 0) {
		ptrdiff_t lf = sv_chr(octets, '\n');
		size_t n = lf < 0 ? octets.len : (size_t)lf + 1;
		if (buf_put_sv(&w->line, sv_upto(octets, n)) < 0)
			die("a line is too long");
		if (lf >= 0) {
			content_line(w, buf_sv(&w->line));
			buf_reset(&w->line);
		}
		octets = sv_from(octets, n);
	}
}

static void content_end(struct out *w)
{
	if (w->line.len > 0)
		content_line(w, buf_sv(&w->line));
	buf_reset(&w->line);
}

/* --- queue files -------------------------------------------------------------------------------------- */

static void show_facts(const struct out *w, const struct queue_mail *m)
{
	char text[128];
	const struct queue_facts *f = &m->facts;
	snprintf(text, sizeof(text), "%16llu%16llu%16u%16u%16llu%16u", (unsigned long long)m->h.content_size,
		(unsigned long long)m->h.content_offset, m->h.rcpt_count, m->h.mail_flags,
		(unsigned long long)m->h.content_size, m->h.content_flags);
	record(w, 0, 'C', "message_size", sv_z(text));
	time_record(w, "message_arrival_time", m->h.arrival_us / 1000000);
	snprintf(text, sizeof(text), "%016llx", (unsigned long long)m->h.nonce);
	attribute(w, 0, 'A', "nonce", sv_z(text));
	attribute(w, 0, 'A', "rewrite_context", f->rewrite_context);
	attribute(w, 0, 'A', "encoding", f->body_type);
	attribute(w, 0, 'A', "log_client_name", f->client_name);
	attribute(w, 0, 'A', "log_client_address", f->client_addr);
	attribute(w, 0, 'A', "log_client_port", f->client_port);
	attribute(w, 0, 'A', "log_helo_name", f->helo_name);
	attribute(w, 0, 'A', "log_protocol_name", f->protocol);
	attribute(w, 0, 'A', "sasl_username", f->sasl_username);
	attribute(w, 0, 'A', "sasl_method", f->sasl_method);
	attribute(w, 0, 'A', "dsn_envelope_id", f->envid);
	attribute(w, 0, 'A', "message_id", f->message_id);
	if (f->uid >= 0) {
		snprintf(text, sizeof(text), "%lld", (long long)f->uid);
		attribute(w, 0, 'A', "uid", sv_z(text));
	}
	record(w, m->h.envelope_offset, 'S', "sender", f->sender);
}

static void show_rcpt(const struct out *w, const struct queue_rcpt *r)
{
	char notify[16];
	snprintf(notify, sizeof(notify), "%u", r->notify);
	attribute(w, r->offset, 'A', "dsn_orig_rcpt", r->orcpt);
	if (r->notify)
		attribute(w, r->offset, 'A', "notify_flags", sv_z(notify));
	if (!sv_eq(r->original, r->address))
		record(w, r->offset, 'O', "original_recipient", r->original);
	if (r->cell_unknown)
		warn("%s: recipient at offset %llu has a damaged mark: it counts as not delivered", w->path,
			(unsigned long long)r->offset);
	record(w, r->offset, 'R', r->cell == QUEUE_CELL_PENDING ? "recipient" : "done_recipient", r->address);
}

static int show_content(struct out *w, const struct queue_mail *m)
{
	static char piece[PIECE];
	uint64_t at = m->h.content_offset, end = at + m->h.content_size;
	while (at < end) {
		size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;
		if (sys_pread_all(m->fd, piece, n, (off_t)at) < 0) {
			warn("%s: %s", w->path, strerror(errno));
			return 1;
		}
		content(w, sv_n(piece, n));
		at += n;
	}
	content_end(w);
	return 0;
}

static int show_queue_file(struct out *w, int fd)
{
	struct queue_mail m;
	struct queue_rcpt_cursor c;
	struct queue_rcpt r;
	struct err e = ERR_INIT;
	int rc = queue_mail_open(&m, fd, &e);
	if (rc != QUEUE_FILE_OK) {
		warn("%s: input is not a valid queue file: %s", w->path, e.text);
		return 1;
	}
	marker(w, "ENVELOPE RECORDS");
	if (w->o->show & SHOW_ENVELOPE) {
		show_facts(w, &m);
		queue_rcpt_start(&c, &m, 0);
		while ((rc = queue_rcpt_next(&c, &r, &e)) == 1)
			show_rcpt(w, &r);
		queue_rcpt_end(&c);
		if (rc < 0)
			warn("%s: %s", w->path, e.text);
	}
	marker(w, "MESSAGE CONTENTS");
	rc = w->o->show & (SHOW_HEADER | SHOW_BODY) ? show_content(w, &m) : 0;
	marker(w, "HEADER EXTRACTED");
	marker(w, "MESSAGE FILE END");
	queue_mail_close(&m);
	return rc;
}

/* --- maildrop files ------------------------------------------------------------------------------------- */

static void drop_envelope(struct out *w, const struct drop_record *r)
{
	char text[16];
	snprintf(text, sizeof(text), "%u", r->number);
	switch (r->type) {
	case DROP_SENDER: record(w, 0, 'S', "sender", r->data); break;
	case DROP_FULL_NAME: record(w, 0, 'F', "sender_fullname", r->data); break;
	case DROP_ID: attribute(w, 0, 'A', "submission_id", r->data); break;
	case DROP_ENVID: attribute(w, 0, 'A', "dsn_envelope_id", r->data); break;
	case DROP_RET: attribute(w, 0, 'A', "ret_flags", sv_z(text)); break;
	case DROP_BODY: attribute(w, 0, 'A', "encoding", r->data); break;
	case DROP_UTF8: attribute(w, 0, 'A', "smtputf8", SV("1")); break;
	case DROP_TRACE: attribute(w, 0, 'A', "trace_flags", sv_z(text)); break;
	case DROP_ORCPT: attribute(w, 0, 'A', "dsn_orig_rcpt", r->data); break;
	case DROP_RCPT: record(w, 0, 'R', "recipient", r->data); break;
	case DROP_CONTENT: case DROP_END: break;
	}
}

static int show_drop_file(struct out *w, int fd)
{
	struct drop_reader d = { 0 };
	struct buf in;
	const char *why = "it ends too early";
	bool contents = false;
	ssize_t n = 1;
	off_t at = 0;
	int rc = 0;
	buf_init(&in, 4 * PIECE);
	marker(w, "ENVELOPE RECORDS");
	while (rc >= 0 && n > 0) {
		char *room = buf_room(&in, PIECE);
		n = room ? sys_pread(fd, room, PIECE, at) : -1;
		if (n < 0)
			break;
		buf_added(&in, (size_t)n);
		at += n;
		struct drop_record r;
		size_t used = 0, total = 0;
		while ((rc = drop_next(&d, sv_from(buf_sv(&in), total), &r, &used, &why)) == 1) {
			total += used;
			if (r.type == DROP_CONTENT && !contents) {
				contents = true;
				marker(w, "MESSAGE CONTENTS");
			}
			if (r.type == DROP_CONTENT)
				content(w, r.data);
			else if (w->o->show & SHOW_ENVELOPE)
				drop_envelope(w, &r);
		}
		buf_consume(&in, total + (rc == 0 ? used : 0));
	}
	content_end(w);
	if (!drop_ended(&d))
		warn("%s: input is not a valid maildrop file: %s", w->path, why);
	marker(w, "HEADER EXTRACTED");
	marker(w, "MESSAGE FILE END");
	buf_free(&in);
	return drop_ended(&d) ? 0 : 1;
}

static int show_fd(const struct options *o, const char *path, int fd)
{
	struct out w = { .o = o, .path = path };
	char magic[8] = { 0 };
	buf_init(&w.line, STDIN_MAX);
	bool drop = sys_pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
		memcmp(magic, DROP_MAGIC, sizeof(magic)) == 0;
	int rc = drop ? show_drop_file(&w, fd) : show_queue_file(&w, fd);
	buf_free(&w.line);
	return rc;
}

/* --- which files -------------------------------------------------------------------------------------- */

static int show_path(const struct options *o, const char *path)
{
	int fd = sys_open(path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0) {
		warn("open %s: %s", path, strerror(errno));
		return 1;
	}
	int rc = show_fd(o, path, fd);
	sys_close(fd);
	return rc;
}

static int show_id(const struct options *o, struct queue *q, const char *id)
{
	struct err e = ERR_INIT;
	enum queue_name n = QUEUE_DIR_COUNT;
	char path[QUEUE_PATH_MAX];
	int fd = -1;
	if (!queue_id_valid(sv_z(id)))
		die("bad mail queue id");
	int rc = queue_find(q, sv_z(id), &n, &e);
	if (rc == 1)
		rc = queue_open_mail(q, n, sv_z(id), O_RDONLY, &fd, &e);
	if (rc != 1 || queue_path(n, sv_z(id), path) < 0) {
		warn("open queue file %s: %s", id, rc < 0 ? e.text : "No such file or directory");
		return 1;
	}
	rc = show_fd(o, path, fd);
	sys_close(fd);
	return rc;
}

/* stdin may be a pipe: offsets need a file. */
static int show_stdin(const struct options *o)
{
	FILE *copy = tmpfile();
	static char piece[PIECE];
	ssize_t n;
	if (!copy)
		die("cannot make a temporary file");
	while ((n = sys_read(STDIN_FILENO, piece, sizeof(piece))) > 0)
		if (sys_write_all(fileno(copy), piece, (size_t)n) < 0)
			die("cannot write a temporary file");
	int rc = show_fd(o, "stdin", fileno(copy));
	fclose(copy);
	return rc;
}

static int show_all(const struct options *o, const char *config, char **names, int n)
{
	struct err e = ERR_INIT;
	struct params_core core;
	struct queue q;
	int rc = 0;
	if (n == 0)
		return show_stdin(o);
	if (!o->search) {
		for (int i = 0; i < n; i++)
			rc |= show_path(o, names[i]);
		return rc;
	}
	struct config *cfg = config_open(config, &e);
	if (!cfg || params_core_load(cfg, &core, &e) < 0 || queue_open(&q, core.queue_directory, &e) < 0)
		die(e.text);
	for (int i = 0; i < n; i++)
		rc |= show_id(o, &q, names[i]);
	queue_close(&q);
	config_free(cfg);
	return rc;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	const char *config = NULL;
	int c;
	log_init("merpati/postcat");
	while ((c = getopt(argc, argv, "bc:dehoqrv")) >= 0) {
		switch (c) {
		case 'b': o.show |= SHOW_BODY; break;
		case 'c': config = optarg; break;
		case 'd': o.types = true; break;
		case 'e': o.show |= SHOW_ENVELOPE; break;
		case 'h': o.show |= SHOW_HEADER; break;
		case 'o': o.offsets = true; break;
		case 'q': o.search = true; break;
		case 'r': case 'v': break;
		default: die("usage: postcat [-bdehoqv] [-c config_dir] [files...]");
		}
	}
	if (o.show == 0)
		o.show = SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY;
	int rc = show_all(&o, config, argv + optind, argc - optind);
	if (fflush(stdout) != 0)
		die("output write error");
	return rc;
}
