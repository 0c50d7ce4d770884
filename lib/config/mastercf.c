#include "lib/config/mastercf.h"

#include "lib/base/num.h"
#include "lib/config/config.h"
#include "lib/config/file.h"
#include "lib/config/maincf.h"

#define MEMORY_MAX   (16u << 20)
#define SERVICES_MAX 1000
#define WORDS_MAX    500 /* on one logical line */
#define NFIELDS      8   /* name type private unpriv chroot wakeup maxproc command */

struct parse {
	struct mastercf *m;
	unsigned line;
	bool loose;
	struct err *e;
};

static const char *const type_names[] = {
	[SERVICE_INET] = "inet", [SERVICE_UNIX] = "unix", [SERVICE_FIFO] = "fifo",
	[SERVICE_UNIX_DGRAM] = "unix-dgram", [SERVICE_PASS] = "pass",
};

const char *service_type_name(enum service_type t)
{
	return (size_t)t < ARRAY_LEN(type_names) ? type_names[t] : "?";
}

static int fail(struct parse *p, const char *what, struct sv text)
{
	return err_set(p->e, ERR_CONFIG, "%s, line %u: %s: \"%.*s\"", p->m->file, p->line, what,
		       SV_ARG(sv_upto(text, 200)));
}

static int no_room(struct parse *p)
{
	return err_set(p->e, ERR_CONFIG, "%s, line %u: the file is too large", p->m->file, p->line);
}

/* The next blank-separated word; blanks inside { } belong to it. */
static int next_word(struct parse *p, struct sv *rest, struct sv *word)
{
	*rest = sv_trim_left(*rest);
	if (rest->len == 0)
		return 0;
	size_t n = 0;
	unsigned level = 0;
	for (; n < rest->len && (level > 0 || !ascii_is_blank(rest->p[n])); n++) {
		if (rest->p[n] == '{')
			level++;
		else if (rest->p[n] == '}' && level > 0)
			level--;
	}
	if (level > 0)
		return fail(p, "\"{\" without its \"}\"", *rest);
	*word = sv_upto(*rest, n);
	*rest = sv_from(*rest, n);
	return 1;
}

/* The '}' that belongs to the '{' at the start of WORD. */
static size_t closing_brace(struct sv word)
{
	unsigned level = 0;
	for (size_t i = 0; i < word.len; i++) {
		level += word.p[i] == '{';
		if (word.p[i] == '}' && --level == 0)
			return i;
	}
	return word.len;
}

/* "{ text }" gives text; other words are themselves. */
static int unbrace(struct parse *p, struct sv word, struct sv *out)
{
	*out = word;
	if (word.len == 0 || word.p[0] != '{')
		return 0;
	if (closing_brace(word) != word.len - 1)
		return fail(p, "text after the closing \"}\"", word);
	*out = sv_trim(sv_sub(word, 1, word.len - 2));
	return 0;
}

static int yes_no(struct parse *p, struct sv word, const char *what, bool dflt, bool *out)
{
	if (sv_eqz(word, "-"))
		*out = dflt;
	else if (sv_eqz(word, "y"))
		*out = true;
	else if (sv_eqz(word, "n"))
		*out = false;
	else
		return fail(p, what, word);
	return 0;
}

static int service_type(struct parse *p, struct sv word, enum service_type *out)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
		if (sv_eqz(word, type_names[i])) {
			*out = (enum service_type)i;
			return 0;
		}
	}
	return fail(p, "a service type must be inet, unix, fifo, unix-dgram or pass", word);
}

static int number(struct parse *p, struct sv word, const char *what, int dflt, int *out)
{
	uint32_t n;
	if (sv_eqz(word, "-")) {
		*out = dflt;
		return 0;
	}
	if (num_u32(word, &n) < 0 || n > 1000000000)
		return fail(p, what, word);
	*out = (int)n;
	return 0;
}

static int typed_fields(struct parse *p, struct service *s, const struct sv *w)
{
	struct sv wakeup = w[5];
	if (service_type(p, w[1], &s->type) < 0)
		return -1;
	if (yes_no(p, w[2], "the private field must be y, n or -", s->type != SERVICE_INET,
		   &s->is_private) < 0 ||
	    yes_no(p, w[3], "the unpriv field must be y, n or -", true, &s->unprivileged) < 0 ||
	    yes_no(p, w[4], "the chroot field must be y, n or -", false, &s->chroot) < 0)
		return -1;
	if (!p->loose && s->type == SERVICE_INET && s->is_private)
		return fail(p, "an inet service cannot be private", w[0]);
	if (wakeup.len > 1 && wakeup.p[wakeup.len - 1] == '?') {
		s->wakeup_if_used = true;
		wakeup.len--;
	}
	if (number(p, wakeup, "a wake-up time is a number, perhaps with \"?\"", 0, &s->wakeup) < 0 ||
	    number(p, w[6], "a process limit is a number", SERVICE_DEFAULT, &s->maxproc) < 0)
		return -1;
	if (!p->loose && sv_chr(w[7], '/') >= 0)
		return fail(p, "a command is a program of daemon_directory, without a path", w[7]);
	return 0;
}

static int keep_raw(struct parse *p, struct service *s, const char *z)
{
	if (!z)
		return no_room(p);
	s->raw_argv[s->raw_argc++] = z;
	return 0;
}

/* TEXT is "name=value" or, from inside braces, "name = value". */
static int add_option(struct parse *p, struct service *s, struct sv text)
{
	struct sv name, value;
	struct arena *a = &p->m->arena;
	if (maincf_split(text, &name, &value) < 0) {
		if (!p->loose)
			return fail(p, "-o must be followed by name=value", text);
		return keep_raw(p, s, arena_strdup(a, text));
	}
	struct service_option *o = &s->options[s->noptions++];
	o->name = arena_strdup(a, name);
	o->value = arena_strdup(a, value);
	if (!o->name || !o->value)
		return no_room(p);
	return keep_raw(p, s, arena_printf(a, "%s=%s", o->name, o->value));
}

/* Options up to the first argument that is none; everything after it belongs to the command. */
static int arguments(struct parse *p, struct service *s, const struct sv *words, size_t n)
{
	struct arena *a = &p->m->arena;
	s->raw_argv = arena_array(a, 2 * n + 1, sizeof(*s->raw_argv));
	s->argv = arena_array(a, n + 1, sizeof(*s->argv));
	s->options = arena_array(a, n + 1, sizeof(*s->options));
	if (!s->raw_argv || !s->argv || !s->options)
		return no_room(p);
	bool options = true, value_next = false;
	for (size_t i = 0; i < n; i++) {
		struct sv text;
		if (unbrace(p, words[i], &text) < 0)
			return -1;
		if (value_next) {
			value_next = false;
			if (add_option(p, s, text) < 0)
				return -1;
			continue;
		}
		const char *z = arena_strdup(a, text);
		if (options && sv_eqz(text, "-o") && i + 1 < n) {
			value_next = true;
			if (keep_raw(p, s, z) < 0)
				return -1;
			continue;
		}
		if (options && sv_starts(text, SV("-o"))) {
			/* "-oname=value" is kept as two words */
			if (keep_raw(p, s, "-o") < 0 || add_option(p, s, sv_from(text, 2)) < 0)
				return -1;
			continue;
		}
		/* "-v" and the like may stand among the options; a word ends them */
		if (text.len == 0 || text.p[0] != '-')
			options = false;
		if (keep_raw(p, s, z) < 0)
			return -1;
		s->argv[s->argc++] = z;
	}
	return 0;
}

static int same_service(struct parse *p, const struct service *s)
{
	const struct service *was = mastercf_find(p->m, s->name, s->type);
	if (!was || p->loose)
		return 0;
	return err_set(p->e, ERR_CONFIG, "%s, line %u: service %s %s stands in line %u already",
		       p->m->file, p->line, s->name, service_type_name(s->type), was->line);
}

static int service_line(struct parse *p, struct sv text, struct service *s)
{
	struct sv words[WORDS_MAX];
	size_t n = 0;
	int rc;
	if (ascii_is_blank(text.p[0]))
		return fail(p, "a line that starts with a blank continues nothing", text);
	while ((rc = next_word(p, &text, &words[n])) == 1)
		if (++n == WORDS_MAX)
			return fail(p, "too many words for the service", words[0]);
	if (rc < 0)
		return -1;
	if (n < NFIELDS)
		return fail(p, "a service needs 8 fields", words[0]);
	*s = (struct service){ .line = p->line };
	s->name = arena_strdup(&p->m->arena, words[0]);
	s->command = arena_strdup(&p->m->arena, words[7]);
	for (size_t i = 0; i < ARRAY_LEN(s->field); i++)
		if (!(s->field[i] = arena_strdup(&p->m->arena, words[i])))
			return no_room(p);
	if (!s->name || !s->command)
		return no_room(p);
	if (typed_fields(p, s, words) < 0 ||
	    arguments(p, s, words + NFIELDS, n - NFIELDS) < 0)
		return -1;
	return same_service(p, s);
}

static int parse_all(struct parse *p, struct sv text)
{
	struct mastercf *m = p->m;
	struct logical_lines lines;
	struct buf line;
	int rc;
	logical_lines_init(&lines, text);
	buf_init(&line, CONFIG_VALUE_MAX);
	while ((rc = logical_lines_next(&lines, &line, &p->line)) == 1) {
		if (m->count == SERVICES_MAX || sv_chr(buf_sv(&line), '\0') >= 0) {
			rc = fail(p, "too many services, or a NUL octet", buf_sv(&line));
			break;
		}
		rc = service_line(p, buf_sv(&line), &m->services[m->count]);
		if (rc < 0)
			break;
		m->count++;
	}
	if (rc < 0 && line.overflow)
		no_room(p);
	buf_free(&line);
	return rc < 0 ? -1 : 0;
}

static int parse_file(struct sv text, const char *file, bool loose, struct mastercf *out,
		      struct err *e)
{
	*out = (struct mastercf){ .count = 0 };
	arena_init(&out->arena, MEMORY_MAX);
	struct parse p = { .m = out, .loose = loose, .e = e };
	out->file = arena_strdup(&out->arena, sv_z(file));
	out->services = arena_array(&out->arena, SERVICES_MAX, sizeof(*out->services));
	if (!out->file || !out->services || parse_all(&p, text) < 0) {
		mastercf_free(out);
		return -1;
	}
	return 0;
}

int mastercf_parse(struct sv text, const char *file, struct mastercf *out, struct err *e)
{
	return parse_file(text, file, false, out, e);
}

int mastercf_parse_loose(struct sv text, const char *file, struct mastercf *out, struct err *e)
{
	return parse_file(text, file, true, out, e);
}

int mastercf_open(const char *dir, struct mastercf *out, struct err *e)
{
	struct buf path, text;
	*out = (struct mastercf){ .count = 0 };
	buf_init(&path, 4096);
	buf_init(&text, CONFIG_FILE_MAX);
	int rc = buf_printf(&path, "%s/master.cf", dir);
	if (rc < 0)
		err_set(e, ERR_CONFIG, "a configuration directory's name is too long");
	else
		rc = file_read(buf_z(&path), &text, e);
	if (rc == 0)
		rc = mastercf_parse(buf_sv(&text), buf_z(&path), out, e);
	buf_free(&path);
	buf_free(&text);
	return rc;
}

void mastercf_free(struct mastercf *m)
{
	arena_free(&m->arena);
	*m = (struct mastercf){ .count = 0 };
}

const struct service *mastercf_find(const struct mastercf *m, const char *name,
				    enum service_type type)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->services[i].type == type && strcmp(m->services[i].name, name) == 0)
			return &m->services[i];
	return NULL;
}
