/* ~/.forward: which file counts, and what it says. */
#include "lib/config/expand.h"
#include "lib/mail/command.h"
#include "local/local.h"

struct names {
	const struct local_rcpt *r;
	const struct clnt_auth_identity *who;
	const char *filter;
};

/* What a stranger wrote in the address, with what FILTER does not hold turned into '_'. */
static int clean(const struct names *v, struct sv value, struct sv *out, struct err *e)
{
	struct buf b;
	buf_init(&b, value.len + 1);
	if (v->filter && command_clean(&b, value, v->filter) == 0)
		value = arena_sv(v->r->rq->arena, buf_sv(&b));
	buf_free(&b);
	*out = value;
	return value.p ? 1 : err_set(e, ERR_TEMP, "out of memory");
}

static int lookup(void *arg, struct sv name, struct sv *out, struct err *e)
{
	const struct names *v = arg;
	const struct local_rcpt *r = v->r;
	const struct {
		const char *name;
		struct sv value;
		bool ours; /* from the user directory */
	} names[] = {
		{ "home", v->who ? v->who->home : SV_NONE, true },
		{ "shell", v->who ? v->who->shell : SV_NONE, true },
		{ "user", r->user, false },
		{ "local", r->name, false },
		{ "domain", r->domain, false },
		{ "recipient", r->address, false },
		{ "extension", r->ext, false },
		{ "recipient_delimiter", sv_empty(r->ext) ? SV_NONE : sv_sub(r->name, r->user.len, 1), false },
	};
	*out = SV_NONE;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (sv_eqz(name, names[i].name)) {
			*out = names[i].value;
			return names[i].ours ? 1 : clean(v, names[i].value, out, e);
		}
	return 0;
}

int local_expand_text(const struct local_rcpt *r, const struct clnt_auth_identity *who, struct sv template,
        const char *filter, struct buf *out, struct err *e)
{
	struct names v = { .r = r, .who = who, .filter = filter };
	struct expand x = { .lookup = lookup, .arg = &v };
	return expand_text(&x, template, out, e);
}

int local_forward_path(const struct local_rcpt *r, const struct clnt_auth_identity *who,
        struct sv template, struct buf *out, struct err *e)
{
	/* what a stranger wrote in the address can never lead out of the directory */
	if (sv_chr(r->name, '/') >= 0 || sv_chr(r->name, '\0') >= 0)
		return 0;
	return local_expand_text(r, who, template, r->local->params.forward_expansion_filter, out, e) < 0 ? -1
	                                                                                                  : 1;
}

#define FORWARD_PATHS_MAX 8

struct forward_files {
	const char *paths[FORWARD_PATHS_MAX];
	bool with_ext[FORWARD_PATHS_MAX]; /* its name has the extension in it */
	size_t n;
};

/* Would TEMPLATE be another file than PATH if R had no extension? 1, 0, -1 with E. */
static int has_extension(const struct local_rcpt *r, const struct clnt_auth_identity *who, struct sv template,
        const char *path, struct err *e)
{
	struct local_rcpt without = *r;
	struct buf other;
	without.name = r->user;
	without.ext = SV_NONE;
	buf_init(&other, 4000);
	int rc = local_forward_path(&without, who, template, &other, e);
	if (rc >= 0)
		rc = !sv_eqz(buf_sv(&other), path);
	buf_free(&other);
	return rc;
}

/* forward_path expanded, without doubles: one that differs by the extension only is the same without it.
 * 0, or -1 with E. */
static int forward_paths(const struct local_rcpt *r, const struct clnt_auth_identity *who,
        struct forward_files *j, struct err *e)
{
	struct sv list = sv_z(r->local->params.forward_path);
	while (!sv_empty(list)) {
		struct sv word = sv_trim(sv_take_until(&list, ','));
		struct buf path;
		buf_init(&path, 4000);
		int rc = sv_empty(word) ? 0 : local_forward_path(r, who, word, &path, e);
		bool known = path.len == 0;
		for (size_t i = 0; i < j->n; i++)
			known |= sv_eqz(buf_sv(&path), j->paths[i]);
		if (rc == 1 && !known && j->n == FORWARD_PATHS_MAX)
			rc = err_set(e, ERR_CONFIG, "forward_path: more than %d files",
			        FORWARD_PATHS_MAX);
		if (rc == 1 && !known) {
			j->paths[j->n] = arena_strdup(r->rq->arena, buf_sv(&path));
			rc = j->paths[j->n] ? has_extension(r, who, word, j->paths[j->n], e)
			                    : err_set(e, ERR_TEMP, "out of memory for forward_path");
			j->with_ext[j->n++] = rc == 1;
		}
		buf_free(&path);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* The first file of forward_path that exists. 1 with text, name and unmatched extension, 0, -1. */
static int find_forward(const struct local_rcpt *r, const struct local_rights *rights, struct buf *text,
        const char **name, struct sv *ext, struct err *e)
{
	struct forward_files files = { .n = 0 };
	size_t which;
	if (forward_paths(r, rights->user, &files, e) < 0)
		return -1;
	const struct text_file what = { .paths = files.paths,
		.n = files.n,
		.rule = TEXT_FILE_FORWARD,
		.uid = rights->user->uid,
		.max = LOCAL_FORWARD_MAX };
	int rc = files.n > 0 ? local_read_text(r, rights, &what, text, &which, NULL, e) : 0;
	if (rc == 1) {
		*name = files.paths[which];
		*ext = files.with_ext[which] ? SV_NONE : local_unmatched(r);
	}
	return rc;
}

/* 1 there is a .forward that says something else than "keep it", and X tells what; 0; -1 with E. */
int local_forward(struct local_rcpt *r, const struct clnt_auth_identity *who, struct local_expansion *x,
        struct err *e)
{
	struct buf text;
	buf_init(&text, LOCAL_FORWARD_MAX + 2 * 65536);
	const char *name = NULL;
	struct alias_list list;
	const struct local_rights rights = { { .kind = "user", .name = who->name, .fd = -1 }, who };
	struct sv ext = SV_NONE;
	int rc = find_forward(r, &rights, &text, &name, &ext, e);
	if (rc == 1) {
		x->written = arena_sv(r->rq->arena, buf_sv(&text));
		x->sender = r->rq->sender;
		if (!name || !x->written.p)
			rc = err_set(e, ERR_TEMP, ".forward is too large");
		else
			rc = alias_parse(x->written, ALIAS_LINES, name, 1, LOCAL_ITEMS_MAX,
			        r->rq->arena, &list, e);
	}
	const struct local_text t = { .name = name,
		.own = r->user,
		.source = LOCAL_FROM_FORWARD,
		.ext = ext,
		.rights = rights };
	if (rc == 1)
		rc = list.count == 0 ? 0 : local_expand(r, &t, &list, x, e) < 0 ? -1 : 1;
	buf_free(&text);
	return rc;
}
