#include "lib/map/matchlist.h"

#include "lib/config/file.h"
#include "lib/map/cidr.h"
#include "lib/map/split.h"
#include "lib/sys/log.h"

#define PATTERNS_MAX 100000
#define FILES_DEEP   4
#define FILE_SIZE    (16u << 20)

struct pattern {
	bool negate;
	char *text;         /* folded; NULL for a table */
	struct cidr *net;   /* the text is an address or a network */
	struct maps *table;
	char *broken; /* a file that could not be read: nobody knows what it would say */
};

struct matchlist {
	char *title;
	unsigned flags;
	const struct maps_env *env;
	struct pattern *v;
	size_t n, room;
};

/* What one pattern is compared with. */
struct subject {
	struct sv name;   /* domain, string or host name; may be empty */
	const struct cidr_addr *addr;
	struct sv addr_text;
	bool subdomains;  /* names below a pattern may match */
};

static int add_items(struct matchlist *m, struct sv text, unsigned depth, struct err *e);

static struct pattern *append(struct matchlist *m)
{
	if (m->n == m->room) {
		m->room = m->room ? 2 * m->room : 16;
		m->v = mem_realloc(m->v, m->room * sizeof(*m->v));
	}
	m->v[m->n] = (struct pattern){ .negate = false };
	return &m->v[m->n++];
}

/* Every line of the file is a list of patterns; "#" starts a comment at the start of a line. */
static int add_file(struct matchlist *m, struct sv path, unsigned depth, struct err *e)
{
	struct buf text;
	struct sv rest, line;
	int rc;
	if (depth == FILES_DEEP)
		return err_set(e, ERR_CONFIG, "%.*s: files inside files, too deep", SV_ARG(path));
	char *z = mem_svdup(path);
	struct err why = ERR_INIT;
	buf_init(&text, FILE_SIZE);
	rc = 0;
	if (file_read(z, &text, &why) < 0) {
		log_warn("%s: %s", m->title, why.text);
		append(m)->broken = mem_strdup(why.text);
		buf_reset(&text);
	}
	rest = buf_sv(&text);
	while (rc == 0 && sv_take_line(&rest, &line)) {
		struct sv bare = sv_trim_left(line);
		if (bare.len > 0 && bare.p[0] != '#')
			rc = add_items(m, bare, depth + 1, e);
	}
	if (rc < 0)
		err_prefix(e, "%s", z);
	buf_free(&text);
	free(z);
	return rc;
}

static int add_table(struct matchlist *m, struct sv item, bool negate, struct err *e)
{
	char *spec = mem_svdup(item);
	struct pattern *p = append(m);
	p->negate = negate;
	p->table = maps_open(m->title, spec, m->env, 0, e);
	free(spec);
	if (!p->table)
		return -1;
	/* what a jail would put out of reach; a table that is wrong says so when it is asked */
	struct err later = ERR_INIT;
	if (maps_check(p->table, &later) < 0)
		log_warn("%s", later.text);
	return 0;
}

/* Only what must be an address: a name may start with a digit too. */
static bool looks_like_network(struct sv item)
{
	return item.p[0] == '[' || sv_chr(item, '/') >= 0;
}

static int add_text(struct matchlist *m, struct sv item, bool negate, struct err *e)
{
	struct cidr net;
	const char *why;
	int rc = cidr_parse(item, &net, &why);
	if (rc < 0 && looks_like_network(item))
		return err_set(e, ERR_CONFIG, "\"%.*s\": %s", SV_ARG(item), why);
	struct pattern *p = append(m);
	p->negate = negate;
	p->text = mem_svdup(item);
	for (char *c = p->text; *c; c++)
		*c = ascii_lower(*c);
	if (rc == 0) {
		p->net = mem_alloc(sizeof(net));
		*p->net = net;
	}
	return 0;
}

static int add_item(struct matchlist *m, struct sv item, unsigned depth, struct err *e)
{
	bool negate = false;
	struct sv whole = item;
	while (item.len > 0 && item.p[0] == '!') {
		negate = !negate;
		item = sv_from(item, 1);
	}
	if (item.len == 0)
		return err_set(e, ERR_CONFIG, "no pattern after \"!\"");
	if (m->n >= PATTERNS_MAX)
		return err_set(e, ERR_CONFIG, "more than %d patterns", PATTERNS_MAX);
	if (item.p[0] == '/') {
		if (negate)
			return err_set(e, ERR_CONFIG, "\"%.*s\": a file cannot be negated",
				       SV_ARG(whole));
		return add_file(m, item, depth, e);
	}
	if (item.p[0] != '[' && sv_chr(item, ':') >= 0) {
		struct cidr net;
		const char *why;
		if (cidr_parse(item, &net, &why) == 0)
			return err_set(e, ERR_CONFIG, "\"%.*s\": an IPv6 address is written in [ ]",
				       SV_ARG(item));
		return add_table(m, item, negate, e);
	}
	return add_text(m, item, negate, e);
}

static int add_items(struct matchlist *m, struct sv text, unsigned depth, struct err *e)
{
	struct split items;
	struct sv item;
	int rc;
	split_init(&items, text);
	while ((rc = split_next(&items, &item, e)) == 1)
		if (add_item(m, item, depth, e) < 0)
			return -1;
	return rc;
}

struct matchlist *matchlist_open(const char *title, const char *list, unsigned flags,
				 const struct maps_env *env, struct err *e)
{
	struct matchlist *m = mem_alloc(sizeof(*m));
	m->title = mem_strdup(title);
	m->flags = flags;
	m->env = env;
	if (add_items(m, sv_z(list), 0, e) < 0) {
		err_prefix(e, "%s", title);
		matchlist_free(m);
		return NULL;
	}
	return m;
}

void matchlist_free(struct matchlist *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].text);
		free(m->v[i].net);
		free(m->v[i].broken);
		maps_free(m->v[i].table);
	}
	free(m->v);
	free(m->title);
	free(m);
}

bool matchlist_empty(const struct matchlist *m)
{
	return m->n == 0;
}

static int match_table(const struct matchlist *m, struct maps *table, const struct subject *s,
		       struct err *e)
{
	struct map_keys keys;
	struct buf value;
	int rc = 0;
	buf_init(&value, MAP_VALUE_MAX);
	if (s->name.len > 0) {
		if (s->subdomains)
			map_keys_domain(&keys, s->name, (m->flags & MATCHLIST_PARENT) != 0);
		else
			map_keys_one(&keys, s->name);
		rc = maps_find_keys(table, &keys, &value, NULL, e);
	}
	if (rc == 0 && s->addr_text.len > 0)
		rc = maps_find(table, s->addr_text, &value, e);
	buf_free(&value);
	return rc;
}

static bool match_name(const struct matchlist *m, struct sv pattern, const struct subject *s)
{
	if (s->name.len == 0)
		return false;
	if (sv_ieq(s->name, pattern))
		return true;
	if (!s->subdomains || pattern.len == 0 || s->name.len <= pattern.len)
		return false;
	if (pattern.p[0] == '.')
		return sv_iends(s->name, pattern);
	return (m->flags & MATCHLIST_PARENT) && sv_iends(s->name, pattern) &&
	       s->name.p[s->name.len - pattern.len - 1] == '.';
}

static int match(struct matchlist *m, const struct subject *s, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct pattern *p = &m->v[i];
		int rc;
		if (p->broken)
			rc = err_set(e, ERR_TEMP, "%s: %s", m->title, p->broken);
		else if (p->table)
			rc = match_table(m, p->table, s, e);
		else if (s->addr && p->net && cidr_match(p->net, s->addr))
			rc = 1;
		else
			rc = match_name(m, sv_z(p->text), s);
		if (rc < 0)
			return -1;
		if (rc == 1)
			return p->negate ? 0 : 1;
	}
	return 0;
}

int matchlist_string(struct matchlist *m, struct sv s, struct err *e)
{
	struct subject subject = { .name = s };
	return match(m, &subject, e);
}

int matchlist_domain(struct matchlist *m, struct sv domain, struct err *e)
{
	struct subject subject = { .name = domain, .subdomains = true };
	return match(m, &subject, e);
}

int matchlist_host(struct matchlist *m, struct sv name, struct sv address, struct err *e)
{
	struct cidr_addr addr;
	struct subject subject = { .addr_text = address, .subdomains = true };
	if (!sv_eqz(name, "unknown"))
		subject.name = name;
	if (cidr_parse_addr(address, &addr))
		subject.addr = &addr;
	return match(m, &subject, e);
}

unsigned matchlist_parent_flag(const char *parent_list, const char *title)
{
	struct split items;
	struct sv item;
	split_init(&items, sv_z(parent_list));
	while (split_next(&items, &item, NULL) == 1)
		if (sv_ieqz(item, title))
			return MATCHLIST_PARENT;
	return 0;
}
