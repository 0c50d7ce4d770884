#include <errno.h>

#include "admin/merpati/merpati.h"
#include "lib/sys/sys.h"

/*
 * Mail for postmaster must have a reader (RFC 5321 4.5.1): the first user of an instance becomes
 * it, unless the aliases file of the instance says otherwise already.
 */
#define ALIASES_MAX (16u << 20)

static int read_file(const char *path, struct buf *out, struct err *e)
{
	int fd = sys_open(path, O_RDONLY | O_NOFOLLOW, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", path);
	int rc = 1;
	for (ssize_t n = 1; rc == 1 && n > 0;) {
		char *room = buf_room(out, 65536);
		n = room ? sys_read(fd, room, 65536) : -1;
		if (n < 0)
			rc = room ? err_sys(e, errno, "read %s", path)
			          : err_set(e, ERR_CONFIG, "%s is larger than %u octets", path,
			                    ALIASES_MAX);
		else
			buf_added(out, (size_t)n);
	}
	sys_close(fd);
	return rc;
}

static bool has_alias(struct sv text, const char *name)
{
	struct sv line;
	while (sv_take_line(&text, &line)) {
		struct sv left = sv_trim(sv_take_until(&line, ':'));
		if (sv_ieqz(left, name))
			return true;
	}
	return false;
}

static int append(const char *path, const char *user, bool root_too, struct err *e)
{
	struct buf b;
	buf_init(&b, 4096);
	buf_printf(&b,
	        "\n# The first user reads what is written to those who run this.\npostmaster: %s\n",
	        user);
	if (root_too)
		buf_puts(&b, "root:       postmaster\n");
	int rc = 0;
	int fd = sys_open(path, O_WRONLY | O_APPEND | O_NOFOLLOW, 0);
	if (fd < 0 || sys_write_all(fd, buf_z(&b), b.len) < 0 || sys_fsync(fd) < 0)
		rc = err_sys(e, errno, "write %s", path);
	if (fd >= 0)
		sys_close(fd);
	buf_free(&b);
	return rc;
}

int postmaster_default(struct instance *in, const char *user, struct err *e)
{
	char path[4096], table[4200], program[4096];
	struct buf text;
	const char *maps = config_str(in->cfg, "alias_maps", e);
	snprintf(path, sizeof path, "%s/aliases", in->dir);
	snprintf(table, sizeof table, "hash:%s", path);
	if (!maps)
		return -1;
	if (!strstr(maps, table)) /* aliases are the admin's own affair */
		return 0;
	buf_init(&text, ALIASES_MAX);
	int rc = read_file(path, &text, e);
	bool wanted = rc == 1 && !has_alias(buf_sv(&text), "postmaster");
	if (wanted)
		rc = append(path, user, !has_alias(buf_sv(&text), "root"), e);
	buf_free(&text);
	if (!wanted || rc < 0)
		return rc < 0 ? -1 : 0;
	snprintf(program, sizeof program, "%s/postalias", in->core.command_directory);
	const char *const argv[] = { program, "-c", in->dir, table, NULL };
	int status = run_program(argv, e);
	if (status > 0)
		return err_set(e, ERR_CONFIG, "%s %s failed", program, table);
	if (status == 0)
		printf("mail for postmaster goes to %s (%s)\n", user, path);
	return status;
}
