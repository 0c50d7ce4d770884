#include "admin/qshape/qshape_table.h"

#include "lib/base/buf.h"

/* count[0] is the sum, count[1 + i] that of bucket i; the one behind the last bucket is open. */
struct qshape_row {
	char *domain; /* ".example.com" for the sum of a parent */
	unsigned long count[QSHAPE_BUCKETS_MAX + 2];
	unsigned subdomains;
};

void qshape_init(struct qshape *q, const struct qshape_options *o)
{
	*q = (struct qshape){ .o = *o };
	htab_init(&q->rows, (struct hash_seed){ 1, 2 });
}

void qshape_free(struct qshape *q)
{
	HTAB_FOREACH (&q->rows, e) {
		struct qshape_row *r = e->value;
		free(r->domain);
		free(r);
	}
	htab_free(&q->rows);
}

/* The age, in minutes, at which bucket I ends. */
static int64_t bucket_end(const struct qshape_options *o, unsigned i)
{
	return o->linear ? (int64_t)o->minutes * (i + 1) : (int64_t)o->minutes << i;
}

static unsigned bucket_of(const struct qshape_options *o, int64_t age_s)
{
	unsigned i = 0;
	while (i < o->buckets && age_s >= bucket_end(o, i) * 60)
		i++;
	return i;
}

static struct qshape_row *row(struct qshape *q, struct sv domain, bool *created)
{
	struct qshape_row *r = htab_get(&q->rows, domain);
	*created = !r;
	if (r)
		return r;
	r = mem_alloc(sizeof(*r));
	r->domain = mem_svdup(domain);
	htab_set(&q->rows, domain, r);
	return r;
}

static void add(struct qshape_row *r, unsigned bucket)
{
	r->count[0]++;
	r->count[1 + bucket]++;
}

/* ".b.c" and ".c" for "a.b.c". */
static void count_parents(struct qshape *q, struct sv domain, unsigned bucket, bool first)
{
	bool created;
	for (ptrdiff_t dot; (dot = sv_chr(domain, '.')) >= 0; domain = sv_from(domain, (size_t)dot + 1)) {
		struct qshape_row *r = row(q, sv_from(domain, (size_t)dot), &created);
		add(r, bucket);
		r->subdomains += first;
	}
}

void qshape_count(struct qshape *q, struct sv domain, int64_t age_s)
{
	unsigned bucket = bucket_of(&q->o, age_s);
	struct buf low;
	bool created;
	buf_init(&low, 4096);
	for (size_t i = 0; i < domain.len; i++)
		buf_putc(&low, ascii_lower(domain.p[i]));
	if (domain.len == 0)
		buf_puts(&low, "MAILER-DAEMON");
	add(row(q, buf_sv(&low), &created), bucket);
	q->total[0]++;
	q->total[1 + bucket]++;
	if (q->o.parents && domain.len > 0 && domain.p[0] != '[')
		count_parents(q, buf_sv(&low), bucket, created);
	buf_free(&low);
}

/* Most first, then by name. */
static int compare(const void *a, const void *b)
{
	const struct qshape_row *x = *(const struct qshape_row *const *)a,
				*y = *(const struct qshape_row *const *)b;
	if (x->count[0] != y->count[0])
		return x->count[0] < y->count[0] ? 1 : -1;
	return strcmp(x->domain, y->domain);
}

static void title_of(const struct qshape_options *o, unsigned column, char out[24])
{
	if (column == 0)
		snprintf(out, 24, "T");
	else if (column <= o->buckets)
		snprintf(out, 24, "%lld", (long long)bucket_end(o, column - 1));
	else
		snprintf(out, 24, "%lld+", (long long)bucket_end(o, o->buckets - 1));
}

/* A column is as wide as its title or its sum, with a blank before it. */
static int column_width(const struct qshape *q, unsigned column)
{
	char title[24], sum[24];
	title_of(&q->o, column, title);
	snprintf(sum, sizeof(sum), "%lu", q->total[column]);
	size_t a = strlen(title), b = strlen(sum);
	return (int)(a > b ? a : b) + 1;
}

static void print_row(const struct qshape *q, const char *name, const unsigned long *count, int names, FILE *out)
{
	size_t len = strlen(name);
	/* a name that is too long loses its front */
	if (len > (size_t)names)
		fprintf(out, "+%s", name + len - (size_t)names + 1);
	else
		fprintf(out, "%*s", names, name);
	for (unsigned i = 0; i < q->o.buckets + 2; i++) {
		char title[24];
		title_of(&q->o, i, title);
		if (count)
			fprintf(out, "%*lu", column_width(q, i), count[i]);
		else
			fprintf(out, "%*s", column_width(q, i), title);
	}
	fputc('\n', out);
}

void qshape_print(struct qshape *q, FILE *out)
{
	struct qshape_row **list = mem_array(q->rows.count + 1, sizeof(*list));
	size_t n = 0, longest = strlen("TOTAL");
	int used = 0;
	HTAB_FOREACH (&q->rows, e) {
		struct qshape_row *r = e->value;
		if (r->domain[0] == '.' && r->subdomains < q->o.min_subdomains)
			continue;
		list[n++] = r;
		if (strlen(r->domain) > longest)
			longest = strlen(r->domain);
	}
	qsort(list, n, sizeof(*list), compare);
	for (unsigned i = 0; i < q->o.buckets + 2; i++)
		used += column_width(q, i);
	int names = (int)q->o.width - used;
	if (names < 20)
		names = 20;
	if (longest < (size_t)names)
		names = (int)longest + 1;
	print_row(q, "", NULL, names, out);
	print_row(q, "TOTAL", q->total, names, out);
	for (size_t i = 0; i < n; i++)
		print_row(q, list[i]->domain, list[i]->count, names, out);
	free(list);
}
