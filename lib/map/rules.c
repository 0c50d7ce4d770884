#include "lib/map/rules.h"

#include "lib/mail/text_lines.h"
#include "lib/sys/log.h"

struct parse {
	struct rules *rules;
	const char *file;
	unsigned line, flags;
	size_t open[RULES_NESTING]; /* indexes of ifs without their endif */
	size_t depth;
};

static struct rule *append(struct rules *r)
{
	if (r->n == r->room) {
		r->room = r->room ? 2 * r->room : 32;
		r->v = mem_realloc(r->v, r->room * sizeof(*r->v));
	}
	r->v[r->n] = (struct rule){ .kind = RULE_MATCH };
	return &r->v[r->n++];
}

static void drop_last(struct rules *r)
{
	struct rule *last = &r->v[--r->n];
	if (last->matcher)
		r->ops->free_matcher(last->matcher);
	free(last->result);
}

/* WORD at the start, not followed by a letter or digit: cut off with the blanks after it. */
static bool take_keyword(struct sv *rest, struct sv word)
{
	struct sv after = sv_from(*rest, word.len);
	if (!sv_istarts(*rest, word) || (after.len > 0 && ascii_is_alnum(after.p[0])))
		return false;
	*rest = sv_trim_left(after);
	return true;
}

static void end_if(struct parse *p)
{
	if (p->depth == 0) {
		log_warn("%s map %s, line %u: endif without if", p->rules->ops->type, p->file,
			 p->line);
		return;
	}
	append(p->rules)->kind = RULE_ENDIF;
	p->rules->v[p->open[--p->depth]].endif = p->rules->n - 1;
}

static int compile(struct parse *p, struct rule *r, struct sv rest, struct err *e)
{
	while (rest.len > 0 && rest.p[0] == '!') {
		r->negate = !r->negate;
		rest = sv_trim_left(sv_from(rest, 1));
	}
	if (p->rules->ops->compile(r, &rest, e) < 0)
		return -1;
	rest = sv_trim(rest);
	if (r->kind == RULE_IF && rest.len > 0)
		return err_set(e, ERR_CONFIG, "text after the pattern of an if");
	if (r->kind == RULE_IF && p->depth == RULES_NESTING)
		return err_set(e, ERR_CONFIG, "more than %d ifs inside each other", RULES_NESTING);
	struct buf joined;
	buf_init(&joined, rest.len + 1);
	for (size_t i = 0; i < rest.len; i++)
		if (rest.p[i] != '\n')
			buf_putc(&joined, rest.p[i]);
	r->result = buf_steal(&joined);
	return p->rules->ops->check ? p->rules->ops->check(r, p->flags, e) : 0;
}

static void parse_rule(struct parse *p, struct sv text)
{
	struct err e = ERR_INIT;
	text = sv_trim(text);
	if (take_keyword(&text, SV("endif"))) {
		end_if(p);
		return;
	}
	bool is_if = take_keyword(&text, SV("if"));
	struct rule *r = append(p->rules);
	r->kind = is_if ? RULE_IF : RULE_MATCH;
	if (compile(p, r, text, &e) < 0) {
		log_warn("%s map %s, line %u: %s: skipping this rule", p->rules->ops->type, p->file,
			 p->line, e.text);
		drop_last(p->rules);
		return;
	}
	if (is_if)
		p->open[p->depth++] = p->rules->n - 1;
}

int rules_parse(struct rules *r, const struct rule_ops *ops, struct sv text, const char *file,
		unsigned flags, struct err *e)
{
	struct parse p = { .rules = r, .file = file, .flags = flags };
	struct text_lines lines;
	struct sv line;
	int rc;
	*r = (struct rules){ .ops = ops };
	text_lines_init(&lines, text, file);
	while ((rc = text_lines_next(&lines, &line, &p.line, e)) == 1)
		parse_rule(&p, line);
	text_lines_free(&lines);
	while (p.depth > 0) {
		log_warn("%s map %s: an if without its endif", ops->type, file);
		end_if(&p);
	}
	if (rc < 0)
		rules_free(r);
	return rc;
}

void rules_free(struct rules *r)
{
	while (r->n > 0)
		drop_last(r);
	free(r->v);
	r->v = NULL;
	r->room = 0;
}

int rules_match(const struct rules *r, struct sv key, struct buf *out)
{
	struct rule_hit hit = { .key = key };
	for (size_t i = 0; i < r->n; i++) {
		const struct rule *rule = &r->v[i];
		if (rule->kind == RULE_ENDIF)
			continue;
		bool comparable = true;
		bool yes = r->ops->match(rule, &hit, &comparable);
		yes = comparable && yes != rule->negate;
		if (rule->kind == RULE_IF) {
			if (!yes)
				i = rule->endif;
		} else if (yes) {
			r->ops->result(rule, &hit, out);
			return 1;
		}
	}
	return 0;
}
