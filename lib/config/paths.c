#include "lib/config/paths.h"

#include <errno.h>
#include <sys/auxv.h>

#ifndef MERPATI_PREFIX
#error "the build defines MERPATI_PREFIX (lib/config/CMakeLists.txt)"
#endif

#define CONFIG_DIR "/etc/merpati"

const char *paths_config_dir(void)
{
	return CONFIG_DIR;
}

/* Everything before the directory that programs of ours live in; false: not such a place. */
static bool prefix_of(struct sv exe, struct sv *out)
{
	static const struct sv homes[] = { SV_INIT("/libexec/merpati"), SV_INIT("/sbin"),
					   SV_INIT("/bin") };
	ptrdiff_t slash = sv_rchr(exe, '/');
	struct sv dir = sv_upto(exe, slash < 0 ? 0 : (size_t)slash);
	for (size_t i = 0; i < ARRAY_LEN(homes); i++) {
		if (sv_ends(dir, homes[i])) {
			*out = sv_upto(dir, dir.len - homes[i].len);
			return true;
		}
	}
	return false;
}

static void put_prefix(struct buf *out)
{
	char exe[4096];
	struct sv prefix;
	ssize_t n = getauxval(AT_SECURE) ? -1 : readlink("/proc/self/exe", exe, sizeof(exe));
	if (n > 0 && (size_t)n < sizeof(exe) && prefix_of(sv_n(exe, (size_t)n), &prefix))
		buf_put_sv(out, prefix);
	else
		buf_puts(out, MERPATI_PREFIX);
}

static void put_program_name(struct buf *out)
{
	buf_puts(out, program_invocation_short_name);
}

static void put_hostname(struct buf *out)
{
	char name[256];
	if (gethostname(name, sizeof(name)) < 0)
		name[0] = '\0';
	name[sizeof(name) - 1] = '\0';
	buf_puts(out, name[0] ? name : "localhost");
}

bool paths_builtin(const char *kind, struct buf *out)
{
	static const struct {
		const char *kind, *below;
	} dirs[] = {
		{ "daemon_directory", "/libexec/merpati" }, { "command_directory", "/sbin" },
		{ "manpage_directory", "/share/man" },      { "mailq_path", "/bin/mailq" },
		{ "newaliases_path", "/bin/newaliases" },   { "sendmail_path", "/sbin/sendmail" },
	};
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		if (strcmp(kind, dirs[i].kind) == 0) {
			put_prefix(out);
			buf_puts(out, dirs[i].below);
			return true;
		}
	}
	if (strcmp(kind, "mail_version") == 0)
		buf_puts(out, MERPATI_VERSION);
	else if (strcmp(kind, "process_id") == 0)
		buf_printf(out, "%ld", (long)getpid());
	else if (strcmp(kind, "process_name") == 0)
		put_program_name(out);
	else if (strcmp(kind, "hostname") == 0)
		put_hostname(out);
	else
		return false;
	return true;
}

bool paths_is_foreign(const char *name, struct sv value)
{
	static const struct {
		const char *name, *value;
	} foreign[] = {
#define FOREIGN(n, v) { #n, v },
#include "lib/config/params/foreign.def"
#undef FOREIGN
	};
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (strcmp(foreign[i].name, name) == 0 && sv_eqz(value, foreign[i].value))
			return true;
	return false;
}
