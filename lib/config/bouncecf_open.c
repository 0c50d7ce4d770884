/* lib/config/bouncecf_open.c - the file, and values for the $names in its texts. */
#include "lib/base/num.h"
#include "lib/base/utf8.h"
#include "lib/config/bouncecf.h"
#include "lib/config/config.h"
#include "lib/config/expand.h"
#include "lib/config/file.h"

/* Complaints about lines become warnings about a file. */
struct telling {
	const char *file;
	bouncecf_warn_fn *warn;
	void *arg;
};

static void tell(void *arg, unsigned line, const char *text)
{
	const struct telling *t = arg;
	char out[1200];
	snprintf(out, sizeof(out), "%s, line %u: %s; the built-in template is used", t->file, line, text);
	t->warn(t->arg, out);
}

int bouncecf_open(struct bouncecf *b, const struct config *cfg, const char *path, bouncecf_warn_fn *warn,
	void *arg, struct err *e)
{
	int rc = 0;
	*b = (struct bouncecf){ 0 };
	buf_init(&b->file, BOUNCECF_FILE_MAX);
	if (!path)
		path = config_str(cfg, "bounce_template_file", e);
	b->path = path ? path : "";
	if (!path || (*path && file_read(path, &b->file, e) < 0)) {
		buf_reset(&b->file);
		rc = -1;
	}
	struct telling t = { .file = b->path, .warn = warn, .arg = arg };
	(void)bouncecf_parse(buf_sv(&b->file), b->t, tell, &t);
	return rc;
}

void bouncecf_free(struct bouncecf *b)
{
	buf_free(&b->file);
	for (unsigned k = 0; k < BOUNCECF_KINDS; k++)
		buf_free(&b->expanded[k]);
}

/* --- expansion ---------------------------------------------------------------------------------- */

struct values {
	const struct config *cfg;
	const char *kind;
	const struct telling *telling; /* of doubts that keep the template; NULL: of none */
	unsigned line;
	char number[32];
};

/* "delay_warning_time_hours", and the same of maximal_queue_lifetime. 1, 0 another name, -1 with E. */
static int in_units(struct values *v, struct sv name, struct sv *out, struct err *e)
{
	static const struct {
		const char *name;
		char unit; /* of a number without one */
	} times[] = { { "delay_warning_time", 'h' }, { "maximal_queue_lifetime", 'd' } };
	static const struct {
		const char *suffix;
		long seconds;
	} units[] = { { "seconds", 1 }, { "minutes", 60 }, { "hours", 3600 }, { "days", 86400 },
		{ "weeks", 604800 } };
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct sv param = sv_z(times[i].name), suffix = sv_from(name, param.len + 1);
		if (!sv_starts(name, param) || name.len == param.len || name.p[param.len] != '_')
			continue;
		for (size_t u = 0; u < ARRAY_LEN(units); u++) {
			long seconds;
			if (!sv_eqz(suffix, units[u].suffix))
				continue;
			if (config_time(v->cfg, times[i].name, times[i].unit, &seconds, e) < 0)
				return -1;
			if (seconds > 0 && seconds < units[u].seconds && v->telling) {
				char text[1200];
				snprintf(text, sizeof(text), "%s, line %u: $%.*s in %s template is 0: take a "
					"smaller unit", v->telling->file, v->line, SV_ARG(name), v->kind);
				v->telling->warn(v->telling->arg, text);
			}
			snprintf(v->number, sizeof(v->number), "%ld", seconds / units[u].seconds);
			*out = sv_z(v->number);
			return 1;
		}
		return err_set(e, ERR_CONFIG, "\"%.*s\" in $%.*s is none of seconds, minutes, hours, days, weeks",
			SV_ARG(suffix), SV_ARG(name));
	}
	return 0;
}

static int value_of(void *arg, struct sv name, struct sv *out, struct err *e)
{
	struct values *v = arg;
	char z[CONFIG_NAME_MAX];
	struct sv raw;
	int rc = in_units(v, name, out, e);
	if (rc != 0)
		return rc;
	if (sv_copyz(name, z, sizeof(z)) < 0 || config_get(v->cfg, z, &raw) != 1)
		return err_set(e, ERR_CONFIG, "undefined parameter $%.*s", SV_ARG(sv_upto(name, 100)));
	const char *value = config_str(v->cfg, z, e);
	*out = sv_z(value);
	return value ? 1 : -1;
}

/* What a value brought along must fit in too. */
static int check_line(struct sv line, bool ascii, struct err *e)
{
	if (line.len > BOUNCECF_LINE_MAX)
		return err_set(e, ERR_CONFIG, "the expanded line is longer than %d octets", BOUNCECF_LINE_MAX);
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.p[i] < ' ' && line.p[i] != '\t')
			return err_set(e, ERR_CONFIG, "control octet in the expanded line");
	return ascii && !utf8_is_ascii(line) ? err_set(e, ERR_CONFIG, "the expanded line is not in us-ascii") : 0;
}

/* The text of T, expanded line by line, into OUT. 0, or -1 with E about v->line. */
static int expand(struct values *v, const struct bouncecf_template *t, struct buf *out, struct err *e)
{
	const struct expand x = { .lookup = value_of, .arg = v };
	struct sv rest = t->text, line;
	buf_reset(out);
	for (v->line = t->line; sv_take_line(&rest, &line); v->line++) {
		size_t start = out->len;
		if (expand_text(&x, line, out, e) < 0 ||
			check_line(sv_from(buf_sv(out), start), sv_ieqz(t->charset, "us-ascii"), e) < 0)
			return -1;
		if (buf_putc(out, '\n') < 0)
			return err_set(e, ERR_CONFIG, "the expanded text is too long");
	}
	return 0;
}

void bouncecf_expand(struct bouncecf *b, const struct config *cfg, bouncecf_warn_fn *warn, void *arg)
{
	for (unsigned k = 0; k < BOUNCECF_KINDS; k++) {
		struct err e = ERR_INIT;
		struct telling t = { .file = b->t[k].line ? b->path : "built in", .warn = warn, .arg = arg };
		struct values v = { .cfg = cfg, .kind = bouncecf_name((enum bouncecf_kind)k), .telling = &t };
		struct buf *out = &b->expanded[k];
		buf_init(out, BOUNCECF_FILE_MAX);
		if (expand(&v, &b->t[k], out, &e) < 0) {
			tell(&t, v.line, e.text);
			b->t[k] = *bouncecf_builtin((enum bouncecf_kind)k);
			v.telling = NULL;
			if (expand(&v, &b->t[k], out, &e) < 0)
				continue; /* as written: the names of all built-in texts exist */
		}
		b->t[k].text = buf_sv(out);
	}
}
