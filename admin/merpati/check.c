#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "admin/merpati/check.h"
#include "lib/config/bouncecf.h"
#include "lib/config/mastercf.h"
#include "lib/config/notify_classes.h"
#include "lib/queue/queue_dir.h"

void check_finding(struct check *c, bool wrong, const char *fmt, ...)
{
	va_list ap;
	fputs(wrong ? "error: " : "warning: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	if (wrong)
		c->wrong++;
	else
		c->doubtful++;
}

/* --- parameters ----------------------------------------------------------------------------------
 */

static void check_sections(struct check *c)
{
	struct err e = ERR_INIT;
#define X(s)                                                   \
	do {                                                   \
		struct params_##s p;                           \
		if (params_##s##_load(c->in->cfg, &p, &e) < 0) \
			check_finding(c, true, "%s", e.text);  \
	} while (0);
	CONFIG_SECTIONS(X)
#undef X
}

static void check_name(void *arg, const char *name, struct sv value, unsigned line)
{
	struct check *c = arg;
	const struct param_row *row = params_find(sv_z(name));
	if (!row)
		row = params_find_transport(sv_z(name));
	(void)value;
	if (row && row->state == PARAM_KNOWN)
		check_finding(c, false,
		        "%s/main.cf, line %u: %s is known but has no effect in this "
		        "version",
		        c->in->dir, line, name);
}

static void check_parameters(struct check *c)
{
	const char *w;
	check_sections(c);
	config_each(c->in->cfg, check_name, c);
	for (size_t i = 0; (w = config_warning(c->in->cfg, i)); i++)
		check_finding(c, false, "%s", w);
}

static void bad_template(void *arg, const char *text)
{
	check_finding(arg, false, "%s", text);
}

static void check_notify_classes(struct check *c)
{
	struct err e = ERR_INIT;
	unsigned classes;
	if (notify_classes_parse(c->in->core.notify_classes, &classes, &e) < 0)
		check_finding(c, true, "%s: %s", config_where(c->in->cfg, "notify_classes"), e.text);
}

static void check_templates(struct check *c)
{
	struct bouncecf b;
	struct err e = ERR_INIT;
	if (bouncecf_open(&b, c->in->cfg, NULL, bad_template, c, &e) < 0)
		check_finding(c, false, "bounce_template_file: %s; the built-in templates are used", e.text);
	bouncecf_expand(&b, c->in->cfg, bad_template, c);
	bouncecf_free(&b);
}

/* --- services
 * -------------------------------------------------------------------------------------- */

static void check_service(struct check *c, const struct mastercf *m, const struct service *s)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", c->in->core.daemon_directory, s->command);
	if (access(path, X_OK) < 0)
		check_finding(c, true, "%s, line %u: service %s: %s: %s", m->file, s->line, s->name,
		        path, strerror(errno));
	for (size_t i = 0; i < s->noptions; i++) {
		struct sv name = sv_z(s->options[i].name);
		if (!params_find(name) && !params_find_transport(name))
			check_finding(c, false, "%s, line %u: service %s: -o %s: no such parameter",
			        m->file, s->line, s->name, s->options[i].name);
	}
	if (s->type == SERVICE_PASS)
		check_finding(c, true, "%s, line %u: services of type pass do not exist here",
		        m->file, s->line);
}

static void check_services(struct check *c)
{
	struct mastercf m;
	struct err e = ERR_INIT;
	if (mastercf_open(c->in->dir, &m, &e) < 0) {
		check_finding(c, true, "%s", e.text);
		return;
	}
	for (size_t i = 0; i < m.count; i++)
		check_service(c, &m, &m.services[i]);
	mastercf_free(&m);
}

/* --- owners and modes ----------------------------------------------------------------------------
 */

enum need { MUST_EXIST = 1, FOLDER = 2, OWNED = 4, SECRET = 8, NOT_WRITABLE = 16 };

static void check_path(struct check *c, const char *path, unsigned need)
{
	struct stat st;
	if (lstat(path, &st) < 0) {
		if (errno != ENOENT || (need & MUST_EXIST))
			check_finding(c, true, "%s: %s", path, strerror(errno));
		return;
	}
	if ((need & FOLDER) ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		check_finding(
		        c, true, "%s is not a %s", path, (need & FOLDER) ? "folder" : "plain file");
	if ((need & OWNED) && st.st_uid != c->in->uid)
		check_finding(c, true,
		        "%s belongs to uid %u, not to the owner of the instance: chown it to uid "
		        "%u",
		        path, (unsigned)st.st_uid, (unsigned)c->in->uid);
	if (st.st_uid != c->in->uid && st.st_uid != 0)
		check_finding(c, true, "%s belongs to uid %u: neither root nor the owner", path,
		        (unsigned)st.st_uid);
	mode_t own = (need & FOLDER) ? 0700 : 0600;
	if ((need & OWNED) && (st.st_mode & own) != own)
		check_finding(c, true, "%s is closed to its owner (mode %04o): chmod u+%s %s", path,
		        (unsigned)(st.st_mode & 07777), (need & FOLDER) ? "rwx" : "rw", path);
	if ((need & SECRET) && (st.st_mode & 077))
		check_finding(c, true, "%s is open to others (mode %04o): chmod go= %s", path,
		        (unsigned)(st.st_mode & 07777), path);
	else if ((need & NOT_WRITABLE) && (st.st_mode & 022))
		check_finding(c, true, "%s may be written by others (mode %04o): chmod go-w %s",
		        path, (unsigned)(st.st_mode & 07777), path);
}

static void check_below(struct check *c, const char *dir, const char *name, unsigned need)
{
	char path[4096];
	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
		check_finding(c, true, "%s/%s: the path is too long", dir, name);
	else
		check_path(c, path, need);
}

/* A queue directory and the hashed ones in it. */
static void check_queue(struct check *c, const char *name)
{
	char path[4096];
	const unsigned need = FOLDER | OWNED | SECRET;
	check_below(c, c->in->core.queue_directory, name, need);
	if (snprintf(path, sizeof path, "%s/%s", c->in->core.queue_directory, name) >=
	        (int)sizeof path)
		return;
	DIR *dir = opendir(path);
	if (!dir)
		return; /* absent, or named above */
	for (struct dirent *d; (d = readdir(dir));)
		if (strlen(d->d_name) == 1 && d->d_name[0] != '.')
			check_below(c, path, d->d_name, need);
	closedir(dir);
}

static void check_files(struct check *c)
{
	static const struct {
		const char *name;
		unsigned need;
	} config_files[] = {
		{ "main.cf", MUST_EXIST | NOT_WRITABLE }, { "master.cf", MUST_EXIST | NOT_WRITABLE },
		{ "aliases", NOT_WRITABLE },              { "users", OWNED | SECRET },
		{ "tls", FOLDER | OWNED | SECRET },       { "mail", FOLDER | OWNED | SECRET },
	}, spool_files[] = {
		{ "pid", FOLDER | OWNED | NOT_WRITABLE },    { "public", FOLDER | OWNED | NOT_WRITABLE },
		{ "private", FOLDER | OWNED | SECRET },
	};
	check_path(c, c->in->dir, MUST_EXIST | FOLDER | NOT_WRITABLE);
	for (size_t i = 0; i < ARRAY_LEN(config_files); i++)
		check_below(c, c->in->dir, config_files[i].name, config_files[i].need);
	check_path(c, c->in->core.queue_directory, MUST_EXIST | FOLDER | OWNED | NOT_WRITABLE);
	for (size_t i = 0; i < ARRAY_LEN(spool_files); i++)
		check_below(
		        c, c->in->core.queue_directory, spool_files[i].name, spool_files[i].need);
	for (int q = 0; q < QUEUE_DIR_COUNT; q++)
		check_queue(c, queue_dir_name((enum queue_name)q));
	check_path(c, c->in->core.daemon_directory, MUST_EXIST | FOLDER | NOT_WRITABLE);
}

int run_check(struct instance *in, struct err *e)
{
	struct check c = { .in = in };
	check_parameters(&c);
	check_notify_classes(&c);
	check_templates(&c);
	check_maps(&c);
	check_services(&c);
	check_files(&c);
	if (c.wrong)
		return err_set(
		        e, ERR_CONFIG, "%s: %u errors, %u warnings", in->dir, c.wrong, c.doubtful);
	printf("%s: no errors, %u warnings\n", in->dir, c.doubtful);
	return 0;
}
