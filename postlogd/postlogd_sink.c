#include "postlogd/postlogd_sink.h"

#include <errno.h>
#include <sys/un.h>

#include "lib/sys/log.h"
#include "lib/sys/log_line.h"
#include "lib/sys/sys.h"

#define LOOK_MS  1000
#define FACILITY (2 << 3) /* mail, as syslog.h numbers it */

/* A word of PREFIXES must be FILE itself or a directory above it. */
static bool below(const char *file, const char *prefixes)
{
	struct sv rest = sv_z(prefixes), path = sv_z(file);
	while (!sv_empty(rest)) {
		struct sv word = sv_take_until(&rest, ',');
		for (struct sv w; !sv_empty(w = sv_take_word(&word));) {
			while (w.len > 1 && w.p[w.len - 1] == '/')
				w.len--;
			if (sv_starts(path, w) && (path.len == w.len || path.p[w.len] == '/'))
				return true;
		}
	}
	return false;
}

static int parse_mode(const char *z, mode_t *out)
{
	static const char *const allowed[] = { "0600", "0640", "0644" };
	static const mode_t modes[] = { 0600, 0640, 0644 };
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		if (strcmp(z, allowed[i]) == 0 || strcmp(z, allowed[i] + 1) == 0) {
			*out = modes[i];
			return 0;
		}
	}
	return -1;
}

static int open_file(struct postlogd_sink *k)
{
	int fd = sys_open(k->path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY, 0600);
	struct stat st;
	/* the mode is exactly what the parameter says, whatever the umask; a device keeps its own */
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		(void)sys_fchmod(fd, k->mode);
	return fd;
}

static int open_syslog(struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "socket");
	if (sys_connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		err_sys(e, errno, "maillog_file is empty, and the system's log /dev/log");
		sys_close(fd);
		return -1;
	}
	return fd;
}

int postlogd_sink_open(struct postlogd_sink *k, const char *file, const char *prefixes, const char *mode,
	struct err *e)
{
	memset(k, 0, sizeof(*k));
	k->fd = -1;
	buf_init(&k->waiting, SINK_KEEP);
	if (parse_mode(mode, &k->mode) < 0)
		return err_set(e, ERR_CONFIG, "maillog_file_permissions = %s: 0600, 0640 or 0644",
			mode);
	if (file[0] == '\0') {
		k->kind = SINK_SYSLOG;
		k->fd = open_syslog(e);
		return k->fd < 0 ? -1 : 0;
	}
	if (file[0] != '/' || strstr(file, "/../") || !below(file, prefixes))
		return err_set(e, ERR_CONFIG,
			"maillog_file = %s: not below one of maillog_file_prefixes = %s", file, prefixes);
	if (strcmp(file, "/dev/stdout") == 0) {
		k->kind = SINK_STDOUT;
		k->fd = STDOUT_FILENO;
		return 0;
	}
	k->kind = SINK_FILE;
	k->path = mem_strdup(file);
	k->fd = open_file(k);
	return k->fd < 0 ? err_sys(e, errno, "maillog_file = %s", file) : 0;
}

void postlogd_sink_close(struct postlogd_sink *k)
{
	if (k->kind != SINK_STDOUT && k->fd >= 0)
		sys_close(k->fd);
	k->fd = -1;
	free(k->path);
	k->path = NULL;
	buf_free(&k->waiting);
}

/* --- lines -------------------------------------------------------------------------------------- */

static int severity(struct sv text)
{
	return sv_starts(text, SV("panic: ")) || sv_starts(text, SV("fatal: ")) ? 2 :
	       sv_starts(text, SV("error: "))                                   ? 3 :
	       sv_starts(text, SV("warning: "))                                 ? 4 :
										  6;
}

/* "Mmm dd hh:mm:ss HOST TAG[PID]: TEXT" -> "<PRI>Mmm dd hh:mm:ss TAG[PID]: TEXT": the host is syslog's. */
static void to_syslog(struct postlogd_sink *k, const char *p, size_t n)
{
	char out[LOG_LINE_MAX + 16];
	struct sv line = sv_n(p, n), rest = sv_from(line, 16);
	sv_take_until(&rest, ' ');
	ptrdiff_t colon = sv_find(rest, SV("]: "));
	int pri = FACILITY | severity(colon < 0 ? rest : sv_from(rest, (size_t)colon + 3));
	int len = snprintf(out, sizeof(out), "<%d>%.*s%.*s", pri, SV_ARG(sv_upto(line, 16)), SV_ARG(rest));
	if (len <= 0)
		return;
	if ((size_t)len >= sizeof(out))
		len = sizeof(out) - 1;
	for (int attempt = 0; attempt < 2; attempt++) {
		if (k->fd >= 0 && send(k->fd, out, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return;
		k->why = errno;
		if (k->fd >= 0 && errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET)
			break;
		/* the system's log was restarted: its name stands for another socket now */
		sys_close(k->fd);
		k->fd = open_syslog(NULL);
	}
	k->lost++;
}

void postlogd_sink_line(struct postlogd_sink *k, const char *p, size_t n)
{
	char line[LOG_LINE_MAX + 1];
	while (n > 0 && (p[n - 1] == '\n' || p[n - 1] == '\0'))
		n--;
	n = log_line_cut(p, n, LOG_LINE_MAX);
	if (n == 0)
		return;
	memcpy(line, p, n);
	log_line_clean(line, n);
	if (k->kind == SINK_SYSLOG) {
		to_syslog(k, line, n);
		return;
	}
	line[n++] = '\n';
	if (buf_put(&k->waiting, line, n) < 0) {
		k->waiting.overflow = false;
		k->lost++;
	}
}

/* Rotated away, or removed: the name decides. */
static void look(struct postlogd_sink *k, int64_t now_ms)
{
	struct stat by_name, ours;
	if (k->kind != SINK_FILE || (k->fd >= 0 && now_ms - k->looked_ms < LOOK_MS))
		return;
	k->looked_ms = now_ms;
	if (k->fd >= 0 && fstat(k->fd, &ours) == 0 && stat(k->path, &by_name) == 0 &&
		ours.st_ino == by_name.st_ino && ours.st_dev == by_name.st_dev)
		return;
	int fd = open_file(k);
	if (fd < 0 && k->fd >= 0)
		return; /* better in the old file than nowhere */
	if (k->fd >= 0)
		sys_close(k->fd);
	k->fd = fd;
}

static void tell_lost(struct postlogd_sink *k)
{
	unsigned long n = k->lost;
	k->lost = 0;
	if (n > 0)
		log_warn("%lu log lines were lost: %s", n, strerror(k->why));
}

void postlogd_sink_flush(struct postlogd_sink *k, int64_t now_ms)
{
	if (k->waiting.len == 0 && k->lost == 0)
		return;
	look(k, now_ms);
	while (k->fd >= 0 && k->waiting.len > 0) {
		ssize_t w = sys_write(k->fd, k->waiting.p, k->waiting.len);
		if (w < 0) {
			k->why = errno;
			return;
		}
		buf_consume(&k->waiting, (size_t)w);
	}
	if (k->fd >= 0)
		tell_lost(k);
}
