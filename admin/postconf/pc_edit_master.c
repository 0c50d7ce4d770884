/*
 * admin/postconf/pc_edit_master.c - change master.cf: whole services, single fields, -o options.
 *
 * The file is copied line by line; a service that changes is written anew as postconf -Mf would
 * show it, everything else stays as it is.
 */
#include "admin/postconf/postconf.h"
#include "lib/config/maincf.h"

struct request {
	const char *pattern; /* service/type[/name] */
	struct sv value;
	unsigned matched;
};

struct edit {
	struct pc *pc;
	enum pc_master_view view;
	enum pc_edit what;
	struct request *requests;
	size_t n;
};

static struct arena *memory(struct edit *ed)
{
	return &ed->pc->master.arena;
}

static const char *keep(struct edit *ed, struct sv s)
{
	const char *z = arena_strdup(memory(ed), s);
	if (!z)
		pc_fatal("master.cf is too large");
	return z;
}

static void parse_requests(struct edit *ed, char *const *args, int count)
{
	ed->requests = mem_array((size_t)count, sizeof(*ed->requests));
	for (int i = 0; i < count; i++) {
		struct request *r = &ed->requests[ed->n++];
		struct sv pattern = sv_z(args[i]);
		if (strchr(args[i], '\n'))
			pc_fatal("a line end in \"%s\"", args[i]);
		if (ed->what == PC_EDIT_SET && maincf_split(sv_z(args[i]), &pattern, &r->value) < 0)
			pc_fatal("not service/type=value: \"%s\"", args[i]);
		r->pattern = keep(ed, pattern);
		size_t slashes = 0;
		for (const char *z = r->pattern; *z; z++)
			slashes += *z == '/';
		if (slashes != (ed->view == PC_MASTER_SERVICE ? 1 : 2))
			pc_fatal("\"%s\": %s is wanted", r->pattern,
				 ed->view == PC_MASTER_SERVICE ? "service/type"
							       : "service/type/name");
	}
}

/* Drop "-o" and its argument where the argument sets NAME. */
static void drop_option(struct service *s, const char *name)
{
	size_t n = strlen(name), to = 0;
	for (size_t i = 0; i < s->raw_argc; i++) {
		const char *next = i + 1 < s->raw_argc ? s->raw_argv[i + 1] : "";
		if (strcmp(s->raw_argv[i], "-o") == 0 && strncmp(next, name, n) == 0 &&
		    next[n] == '=') {
			i++;
			continue;
		}
		s->raw_argv[to++] = s->raw_argv[i];
	}
	s->raw_argc = to;
}

/* Options stand before the first argument that is none. */
static void add_option(struct edit *ed, struct service *s, const char *name, struct sv value)
{
	size_t at = 0;
	while (at < s->raw_argc && s->raw_argv[at][0] == '-')
		at += strcmp(s->raw_argv[at], "-o") == 0 && at + 1 < s->raw_argc ? 2 : 1;
	const char **argv = arena_array(memory(ed), s->raw_argc + 3, sizeof(*argv));
	char *text = arena_printf(memory(ed), "%s=%.*s", name, SV_ARG(value));
	if (!argv || !text)
		pc_fatal("master.cf is too large");
	for (size_t i = 0; i < at; i++)
		argv[i] = s->raw_argv[i];
	argv[at] = "-o";
	argv[at + 1] = text;
	for (size_t i = at; i < s->raw_argc; i++)
		argv[i + 2] = s->raw_argv[i];
	s->raw_argv = argv;
	s->raw_argc += 2;
}

/* TEXT parsed as the one service of a file. */
static void parse_one(struct edit *ed, struct sv text, struct mastercf *out)
{
	struct err e = ERR_INIT;
	if (mastercf_parse_loose(text, "new entry", out, &e) < 0)
		pc_fatal("%s", e.text);
	if (out->count != 1)
		pc_fatal("not one service: \"%.*s\"", SV_ARG(text));
	(void)ed;
}

static void put_service(struct service *s, struct buf *out)
{
	if (mastercf_format(s, true, out) < 0 || buf_putc(out, '\n') < 0)
		pc_fatal("master.cf would become too large");
}

static void set_field(struct edit *ed, struct service *s, const char *field, struct sv value,
		      struct buf *out)
{
	static const char *const names[] = { "service", "type",   "private",      "unprivileged",
					     "chroot",  "wakeup", "process_limit" };
	struct mastercf again;
	struct buf text;
	size_t i = 0;
	while (i < ARRAY_LEN(names) && strcmp(field, names[i]) != 0)
		i++;
	if (i < ARRAY_LEN(names)) {
		s->field[i] = keep(ed, value);
	} else if (strcmp(field, "command") == 0) {
		s->command = keep(ed, value);
		s->raw_argc = 0;
	} else {
		pc_fatal("\"%s\" is no field of master.cf", field);
	}
	/* parse it again: a wrong value must not reach the file */
	buf_init(&text, CONFIG_VALUE_MAX);
	if (mastercf_format(s, false, &text) < 0)
		pc_fatal("master.cf would become too large");
	parse_one(ed, buf_sv(&text), &again);
	put_service(&again.services[0], out);
	mastercf_free(&again);
	buf_free(&text);
}

static void replace_service(struct edit *ed, struct sv value, struct buf *out)
{
	struct mastercf one;
	parse_one(ed, value, &one);
	put_service(&one.services[0], out);
	mastercf_free(&one);
}

/* The new text of a service that request R concerns; nothing for one that goes. */
static void change(struct edit *ed, const struct request *r, const char *rest, struct service *s,
		   struct buf *out)
{
	if (ed->view == PC_MASTER_SERVICE && ed->what == PC_EDIT_SET) {
		replace_service(ed, r->value, out);
	} else if (ed->view == PC_MASTER_FIELD && ed->what == PC_EDIT_SET) {
		set_field(ed, s, rest, r->value, out);
	} else if (ed->view == PC_MASTER_OPTION) {
		drop_option(s, rest);
		if (ed->what == PC_EDIT_SET)
			add_option(ed, s, rest, r->value);
		put_service(s, out);
	} else if (ed->what != PC_EDIT_REMOVE) {
		pc_fatal("this cannot be commented out, only set or removed");
	}
}

/* Apply every request to service number INDEX; OUT gets its new text. False: nothing to change. */
static bool apply(struct edit *ed, size_t index, struct buf *out, bool *comment)
{
	struct service *s = &ed->pc->master.services[index];
	bool changed = false;
	for (size_t i = 0; i < ed->n; i++) {
		const char *rest;
		if (!pc_service_matches(ed->requests[i].pattern, s, &rest))
			continue;
		ed->requests[i].matched++;
		changed = true;
		*comment = ed->view == PC_MASTER_SERVICE && ed->what == PC_EDIT_COMMENT;
		buf_reset(out);
		if (!*comment)
			change(ed, &ed->requests[i], rest, s, out);
	}
	return changed;
}

static void copy_lines(struct edit *ed, struct sv text, struct buf *out)
{
	struct buf now;
	struct sv line;
	size_t index = 0;
	bool changed = false, comment = false;
	buf_init(&now, CONFIG_VALUE_MAX);
	while (sv_take_line(&text, &line)) {
		struct sv bare = sv_trim_left(line);
		bool nothing = bare.len == 0 || bare.p[0] == '#';
		if (!nothing && !ascii_is_blank(line.p[0])) {
			buf_reset(&now);
			changed = apply(ed, index++, &now, &comment);
			if (changed)
				buf_put_sv(out, buf_sv(&now));
		}
		if (!nothing && changed && !comment)
			continue;
		if (!nothing && changed)
			buf_putc(out, '#');
		buf_put_sv(out, line);
		buf_putc(out, '\n');
	}
	buf_free(&now);
}

void pc_edit_master(struct pc *pc, enum pc_master_view view, enum pc_edit what, char *const *args,
		    int count)
{
	struct edit ed = { .pc = pc, .view = view, .what = what };
	struct buf text, out;
	if (view == PC_MASTER_FIELD && what != PC_EDIT_SET)
		pc_fatal("a field of master.cf can only be set");
	pc_open_master(pc, true);
	parse_requests(&ed, args, count);
	buf_init(&text, CONFIG_FILE_MAX);
	buf_init(&out, CONFIG_FILE_MAX);
	pc_read_file(pc->dir, "master.cf", &text);
	copy_lines(&ed, buf_sv(&text), &out);
	for (size_t i = 0; i < ed.n; i++) {
		if (ed.requests[i].matched)
			continue;
		if (view == PC_MASTER_SERVICE && what == PC_EDIT_SET)
			replace_service(&ed, ed.requests[i].value, &out);
		else
			pc_fatal("unmatched request: \"%s\"", ed.requests[i].pattern);
	}
	if (out.overflow)
		pc_fatal("master.cf would become larger than %u octets", CONFIG_FILE_MAX);
	pc_replace_file(pc->dir, "master.cf", buf_sv(&out));
	buf_free(&text);
	buf_free(&out);
	free(ed.requests);
}
