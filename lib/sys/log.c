#include "lib/sys/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/sys/clock.h"
#include "lib/sys/log_line.h"
#include "lib/sys/sys.h"

/* How long a full socket to postlogd may hold a process up, once; then lines are counted, not waited for. */
#define LOG_WAIT_MS 1000

static struct {
	char tag[128];
	char host[128];
	pid_t pid; /* a system call less a line; who forks without exec calls log_init() again */
	int fd;    /* datagrams to postlogd, or -1 */
	int verbose;
	bool stuck;    /* postlogd did not read for LOG_WAIT_MS */
	unsigned lost; /* lines since then */
	pthread_mutex_t lock;
} the_log = { .tag = "merpati", .host = "localhost", .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

void log_init(const char *tag)
{
	log_set_tag(tag);
	the_log.pid = getpid();
	if (gethostname(the_log.host, sizeof(the_log.host) - 1) < 0)
		snprintf(the_log.host, sizeof(the_log.host), "localhost");
	the_log.host[sizeof(the_log.host) - 1] = '\0';
	char *dot = strchr(the_log.host, '.');
	if (dot)
		*dot = '\0';
	tzset(); /* reads the zone file now: a chroot has none */
}

void log_set_tag(const char *tag)
{
	snprintf(the_log.tag, sizeof(the_log.tag), "%s", tag);
}

const char *log_program(void)
{
	const char *slash = strrchr(the_log.tag, '/');
	return slash ? slash + 1 : the_log.tag;
}

void log_to_fd(int fd)
{
	if (the_log.fd >= 0 && the_log.fd != fd)
		sys_close(the_log.fd);
	the_log.fd = fd;
}

/* Through a descriptor of the directory: its name may be longer than a socket's address. */
int log_connect(const char *queue_directory)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int dir = open(queue_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/public/postlog", dir);
	int rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&sa, sizeof(sa));
	if (rc < 0) {
		snprintf(sa.sun_path, sizeof(sa.sun_path), "%.80s/public/postlog", queue_directory);
		rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&sa, sizeof(sa));
	}
	sys_close(dir);
	if (rc < 0) {
		sys_close(fd);
		return -1;
	}
	log_to_fd(fd);
	return 0;
}

void log_set_verbose(int level)
{
	the_log.verbose = level;
}

int log_verbose(void)
{
	return the_log.verbose;
}

static pid_t own_pid(void)
{
	return the_log.pid > 0 ? the_log.pid : getpid();
}

static void to_stderr(const char *line, size_t n)
{
	while (n > 0) {
		ssize_t w = write(STDERR_FILENO, line, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return;
		line += w;
		n -= (size_t)w;
	}
}

/* One datagram. 1 sent, 0 the socket stayed full, -1 nobody will ever read it. */
static int to_postlogd(const char *line, size_t n)
{
	bool waited = the_log.stuck;
	for (;;) {
		if (send(the_log.fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 1;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != ENOBUFS)
			return -1;
		if (waited)
			return 0;
		struct pollfd p = { .fd = the_log.fd, .events = POLLOUT };
		if (poll(&p, 1, LOG_WAIT_MS) <= 0)
			waited = true;
	}
}

static void deliver(const char *line, size_t n)
{
	pthread_mutex_lock(&the_log.lock);
	int sent = the_log.fd >= 0 ? to_postlogd(line, n) : -1;
	if (sent < 0) {
		to_stderr(line, n);
	} else if (sent == 0) {
		the_log.stuck = true;
		the_log.lost++;
	} else if (the_log.lost > 0) {
		char note[LOG_LINE_MAX + 1], text[80];
		int len = snprintf(text, sizeof(text), "warning: %u log lines lost: postlogd did not read",
			the_log.lost);
		size_t m = log_line_make(note, clock_wall(), the_log.host, the_log.tag, own_pid(),
			sv_n(text, (size_t)len));
		the_log.stuck = false;
		the_log.lost = 0;
		(void)to_postlogd(note, m);
	}
	pthread_mutex_unlock(&the_log.lock);
}

static void emit(const char *prefix, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void emit(const char *prefix, const char *fmt, va_list ap)
{
	int keep = errno;
	char text[LOG_LINE_MAX + 1], line[LOG_LINE_MAX + 1];
	int head = snprintf(text, sizeof(text), "%s", prefix);
	int body = vsnprintf(text + head, sizeof(text) - (size_t)head, fmt, ap);
	size_t len = (size_t)head + (body > 0 ? (size_t)body : 0);
	if (len > LOG_LINE_MAX)
		len = LOG_LINE_MAX;
	size_t n = log_line_make(line, clock_wall(), the_log.host, the_log.tag, own_pid(), sv_n(text, len));
	deliver(line, n);
	errno = keep;
}

int log_line_as(const char *tag, const char *prefix, struct sv text)
{
	char whole[LOG_LINE_MAX + 1], line[LOG_LINE_MAX + 1];
	int n = snprintf(whole, sizeof(whole), "%s%.*s", prefix, SV_ARG(text));
	if (n < 0)
		return -1;
	size_t len = (size_t)n < sizeof(whole) ? (size_t)n : sizeof(whole) - 1;
	len = log_line_make(line, clock_wall(), the_log.host, tag, own_pid(), sv_n(whole, len));
	pthread_mutex_lock(&the_log.lock);
	int sent = the_log.fd >= 0 ? to_postlogd(line, len) : -1;
	pthread_mutex_unlock(&the_log.lock);
	return sent == 1 ? 0 : -1;
}

#define EMIT(prefix)                       \
	do {                               \
		va_list ap;                \
		va_start(ap, fmt);         \
		emit((prefix), fmt, ap);   \
		va_end(ap);                \
	} while (0)

void log_debug(const char *fmt, ...)
{
	if (the_log.verbose > 0)
		EMIT("debug: ");
}

void log_info(const char *fmt, ...)
{
	EMIT("");
}

void log_warn(const char *fmt, ...)
{
	EMIT("warning: ");
}

void log_error(const char *fmt, ...)
{
	EMIT("error: ");
}

void log_fatal(int code, const char *fmt, ...)
{
	EMIT("fatal: ");
	exit(code);
}

void log_bug(const char *fmt, ...)
{
	EMIT("panic: ");
	abort();
}
