/* admin/merpati/trace.c - merpati trace QUEUEID | MESSAGE-ID | ADDRESS: one mail's story, in order. */
#include "admin/merpati/trace.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/mail/addr.h"
#include "lib/queue/queue_log.h"

#define PASSES_MAX 8
#define SYSLOG_FILE "/var/log/mail.log"

struct trace_mail *trace_root(struct trace_mail *m)
{
	while (m->story != m)
		m = m->story;
	return m;
}

void trace_join(struct trace_mail *a, struct trace_mail *b)
{
	trace_root(b)->story = trace_root(a);
}

struct trace_mail *trace_mail(struct trace *t, struct sv id)
{
	struct trace_mail *m = htab_get(&t->mails, id);
	if (m)
		return m;
	if (t->nmails == TRACE_MAILS_MAX) {
		t->too_many = true;
		return NULL;
	}
	m = mem_alloc(sizeof(*m));
	m->id = mem_svdup(id);
	m->story = m;
	htab_set(&t->mails, id, m);
	t->order[t->nmails++] = m;
	t->grown = true;
	return m;
}

bool trace_matches(const struct trace *t, struct sv value)
{
	struct sv asked = sv_z(t->asked);
	return value.len > 0 && (t->kind == TRACE_ADDRESS ? addr_ieq(value, asked) : sv_eq(value, asked));
}

void trace_free(struct trace *t)
{
	for (size_t i = 0; i < t->nlines; i++)
		free(t->lines[i].text);
	for (size_t i = 0; i < t->nmails; i++) {
		free(t->order[i]->id);
		free(t->order[i]);
	}
	free(t->lines);
	free(t->order);
	htab_free(&t->mails);
	htab_free(&t->messages);
}

static void print_line(const struct trace_line *line, bool with_id)
{
	struct queue_log_line l;
	if (!queue_log_parse(sv_z(line->text), &l))
		return;
	printf("  %.*s  %-8.*s  ", SV_ARG(l.stamp), SV_ARG(l.program));
	if (with_id && line->mail)
		printf("%s: ", line->mail->id);
	printf("%.*s\n", SV_ARG(l.text));
}

/* What the last line of each recipient of M says. */
static void print_results(const struct trace *t, const struct trace_mail *m)
{
	for (size_t i = 0; i < t->nlines; i++) {
		struct queue_log_line l, later;
		struct sv to, status, other;
		if (t->lines[i].mail != m || !queue_log_parse(sv_z(t->lines[i].text), &l) ||
			!queue_log_value(l.text, "to", &to) || !queue_log_value(l.text, "status", &status))
			continue;
		bool last = true;
		for (size_t k = i + 1; k < t->nlines && last; k++)
			last = t->lines[k].mail != m || !queue_log_parse(sv_z(t->lines[k].text), &later) ||
				!queue_log_value(later.text, "to", &other) || !sv_eq(other, to);
		if (last)
			printf("    %.*s: %.*s\n", SV_ARG(status), SV_ARG(to));
	}
}

static int print_state(const struct trace *t, struct queue *q, const struct trace_mail *m, struct err *e)
{
	int rc = trace_queue_print(q, m->id, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (m->removed)
		printf("  %s is done\n", m->id);
	else
		printf("  %s is not in the queue, and the log does not say that it is done\n", m->id);
	print_results(t, m);
	return 0;
}

static int print_story(struct trace *t, struct queue *q, struct trace_mail *root, struct err *e)
{
	size_t members = 0;
	int rc = 0;
	for (size_t i = 0; i < t->nmails; i++)
		members += trace_root(t->order[i]) == root;
	for (size_t i = 0, n = 0; i < t->nmails; i++)
		if (trace_root(t->order[i]) == root)
			printf("%s%s", n++ ? ", " : "", t->order[i]->id);
	printf(":\n");
	for (size_t i = 0; i < t->nlines; i++)
		if (t->lines[i].mail && trace_root(t->lines[i].mail) == root)
			print_line(&t->lines[i], members > 1);
	for (size_t i = 0; i < t->nmails && rc == 0; i++)
		if (trace_root(t->order[i]) == root)
			rc = print_state(t, q, t->order[i], e);
	root->printed = true;
	return rc;
}

static void print_refused(const struct trace *t)
{
	bool first = true;
	for (size_t i = 0; i < t->nlines; i++) {
		if (t->lines[i].mail)
			continue;
		if (first)
			printf("refused before there was a mail:\n");
		first = false;
		print_line(&t->lines[i], false);
	}
}

/* Read until nothing new belongs to it, then once more for the lines. */
static int gather(struct trace *t, const char *file, struct queue *q, struct err *e)
{
	if (trace_queue(t, q, e) < 0)
		return -1;
	for (unsigned pass = 0; pass < PASSES_MAX; pass++) {
		t->grown = false;
		if (trace_logs(t, file, e) < 0)
			return -1;
		if (!t->grown)
			break;
	}
	t->keep = true;
	return trace_logs(t, file, e);
}

static int tell(struct trace *t, const char *file, struct queue *q, struct err *e)
{
	int rc = gather(t, file, q, e);
	if (rc < 0)
		return -1;
	print_refused(t);
	for (size_t i = 0; i < t->nmails && rc == 0; i++)
		if (!trace_root(t->order[i])->printed)
			rc = print_story(t, q, trace_root(t->order[i]), e);
	if (t->too_many)
		fprintf(stderr, "merpati: there is more than is shown: ask for a queue id or a message-id\n");
	if (t->skipped > 0)
		fprintf(stderr, "merpati: %u compressed logs beside %s were not read\n", t->skipped, file);
	if (rc == 0 && t->nmails == 0 && t->nlines == 0)
		return err_set(e, ERR_PERM, "nothing is known of %s, neither in the queue nor in %s", t->asked, file);
	return rc;
}

/* The logs are asked for a message-id first: what looks like an address may be one. */
static enum trace_kind kind_of(struct sv asked, bool brackets)
{
	if (!brackets && sv_chr(asked, '@') < 0 && queue_id_valid(asked))
		return TRACE_ID;
	return sv_chr(asked, '@') >= 0 || brackets ? TRACE_MESSAGE_ID : TRACE_ADDRESS;
}

static int trace_as(struct instance *in, const char *asked, enum trace_kind kind, const char *file, struct queue *q,
	struct err *e)
{
	struct trace t = { .asked = asked, .kind = kind };
	(void)in;
	htab_init(&t.mails, (struct hash_seed){ 1, 2 });
	htab_init(&t.messages, (struct hash_seed){ 1, 2 });
	t.order = mem_array(TRACE_MAILS_MAX, sizeof(*t.order));
	int rc = tell(&t, file, q, e);
	trace_free(&t);
	return rc;
}

int run_trace(struct instance *in, const char *what, struct err *e)
{
	struct sv asked = sv_trim(sv_z(what));
	bool brackets = asked.len > 1 && asked.p[0] == '<' && asked.p[asked.len - 1] == '>';
	struct queue q;
	if (brackets)
		asked = sv_sub(asked, 1, asked.len - 2);
	if (asked.len == 0)
		return err_set(e, ERR_PERM, "trace: give a queue id, a message-id or an address");
	const char *file = in->core.maillog_file[0] ? in->core.maillog_file : SYSLOG_FILE;
	if (queue_open(&q, in->core.queue_directory, e) < 0)
		return -1;
	char *z = mem_svdup(asked);
	enum trace_kind kind = kind_of(asked, brackets);
	int rc = trace_as(in, z, kind, file, &q, e);
	if (rc < 0 && kind != TRACE_ADDRESS && e->cls == ERR_PERM && e->sys_errno == 0)
		rc = trace_as(in, z, TRACE_ADDRESS, file, &q, e);
	free(z);
	queue_close(&q);
	return rc;
}
