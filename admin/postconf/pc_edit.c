/* admin/postconf/pc_edit.c - change main.cf: set, remove, comment out. */
#include <errno.h>
#include <sys/stat.h>

#include "admin/postconf/postconf.h"
#include "lib/config/file.h"
#include "lib/config/maincf.h"
#include "lib/sys/sys.h"

void pc_read_file(const char *dir, const char *name, struct buf *out)
{
	char path[4096];
	struct err e = ERR_INIT;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (file_read(path, out, &e) < 0)
		pc_fatal("%s", e.text);
}

/* The new file must belong to whom the old one did, or the old one's reader loses it. */
static int take_over(int fd, const struct stat *st)
{
	struct stat now;
	if (sys_fstat(fd, &now) < 0)
		return -1;
	if ((now.st_uid != st->st_uid || now.st_gid != st->st_gid) &&
	    fchown(fd, st->st_uid, st->st_gid) < 0)
		return -1;
	return sys_fchmod(fd, st->st_mode & 07777);
}

void pc_replace_file(const char *dir, const char *name, struct sv text)
{
	char path[4096], tmp[4096 + 32];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(tmp, sizeof(tmp), "%s.tmp%ld", path, (long)getpid());
	if (stat(path, &st) < 0)
		pc_fatal("%s: %m", path);
	int fd = sys_open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		pc_fatal("create %s: %m", tmp);
	if (sys_write_all(fd, text.p, text.len) < 0 || take_over(fd, &st) < 0 ||
	    sys_fsync(fd) < 0 || sys_rename(tmp, path) < 0) {
		int saved = errno;
		sys_unlink(tmp);
		errno = saved;
		pc_fatal("replace %s: %m", path);
	}
	sys_close(fd);
}

struct change {
	struct sv name, value;
	unsigned seen;
};

static struct change *find_change(struct change *c, size_t n, struct sv line)
{
	ptrdiff_t eq = sv_chr(line, '=');
	struct sv name = sv_trim(sv_upto(line, eq < 0 ? 0 : (size_t)eq));
	for (size_t i = 0; i < n; i++)
		if (sv_eq(c[i].name, name))
			return &c[i];
	return NULL;
}

static void put_setting(struct buf *out, const struct change *c)
{
	buf_put_sv(out, c->name);
	buf_puts(out, c->value.len > 0 ? " = " : " =");
	buf_put_sv(out, c->value);
	buf_putc(out, '\n');
}

/*
 * Copy the file line by line. A logical line that is concerned is replaced, dropped or commented
 * out together with the lines that continue it; comments between those stay.
 */
static void edit_lines(struct sv text, enum pc_edit what, struct change *c, size_t n,
		       struct buf *out)
{
	struct change *now = NULL;
	struct sv line;
	while (sv_take_line(&text, &line)) {
		struct sv bare = sv_trim_left(line);
		bool nothing = bare.len == 0 || bare.p[0] == '#';
		bool first = !nothing && !ascii_is_blank(line.p[0]);
		if (first)
			now = find_change(c, n, line);
		if (first && now) {
			if (now->seen++ == 1)
				pc_warn("main.cf: multiple entries for \"%.*s\"", SV_ARG(now->name));
			if (what == PC_EDIT_SET && now->seen == 1)
				put_setting(out, now);
		}
		if (nothing || !now) {
			buf_put_sv(out, line);
			buf_putc(out, '\n');
		} else if (what == PC_EDIT_COMMENT) {
			buf_putc(out, '#');
			buf_put_sv(out, line);
			buf_putc(out, '\n');
		}
	}
}

static int by_name(const void *a, const void *b)
{
	return sv_cmp(((const struct change *)a)->name, ((const struct change *)b)->name);
}

static size_t parse_changes(enum pc_edit what, char *const *args, int count, struct change *c)
{
	size_t n = 0;
	for (int i = 0; i < count; i++) {
		struct change one = { .name = sv_trim(sv_z(args[i])) };
		if (strchr(args[i], '\n'))
			pc_fatal("a line end in \"%s\"", args[i]);
		if (what == PC_EDIT_SET && maincf_split(sv_z(args[i]), &one.name, &one.value) < 0)
			pc_fatal("not name=value: \"%s\"", args[i]);
		if (what != PC_EDIT_SET && sv_chr(one.name, '=') >= 0)
			pc_fatal("a name is wanted, no value: \"%s\"", args[i]);
		if (one.name.len == 0 || one.name.p[0] == '#')
			pc_fatal("not a parameter's name: \"%s\"", args[i]);
		size_t at = 0;
		while (at < n && !sv_eq(c[at].name, one.name))
			at++;
		c[at] = one; /* the last one of several counts */
		if (at == n)
			n++;
	}
	qsort(c, n, sizeof(*c), by_name);
	return n;
}

void pc_edit_main(struct pc *pc, enum pc_edit what, char *const *args, int count)
{
	struct change *c = mem_array((size_t)count, sizeof(*c));
	size_t n = parse_changes(what, args, count, c);
	struct buf text, out;
	buf_init(&text, CONFIG_FILE_MAX);
	buf_init(&out, CONFIG_FILE_MAX);
	pc_read_file(pc->dir, "main.cf", &text);
	edit_lines(buf_sv(&text), what, c, n, &out);
	for (size_t i = 0; what == PC_EDIT_SET && i < n; i++)
		if (c[i].seen == 0)
			put_setting(&out, &c[i]);
	if (out.overflow)
		pc_fatal("main.cf would become larger than %u octets", CONFIG_FILE_MAX);
	pc_replace_file(pc->dir, "main.cf", buf_sv(&out));
	buf_free(&text);
	buf_free(&out);
	free(c);
}
