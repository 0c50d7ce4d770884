#include "lib/sys/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/base/buf.h"
#include "lib/sys/clock.h"
#include "lib/sys/log_line.h"
#include "lib/sys/sys.h"

/* How long a full socket to postlogd may hold a process without a loop up, once. */
#define LOG_WAIT_MS 1000
/* Octets of lines that wait for postlogd; what does not fit is counted. */
#define LOG_KEEP (256 * 1024)

static struct {
	char tag[128];
	char program[64];
	char host[128];
	pid_t pid; /* a system call less a line; who forks without exec calls log_init() again */
	int fd;    /* datagrams to postlogd, or -1 */
	int verbose;
	bool deferred;      /* an event loop flushes */
	bool stuck;         /* postlogd did not read for LOG_WAIT_MS */
	bool pending;       /* waiting holds something; read without the lock */
	struct buf waiting; /* lines with their LF; [0, sent) are gone */
	size_t sent;
	unsigned lost;
	pthread_mutex_t lock;
} the_log = { .tag = "merpati", .program = "merpati", .host = "localhost", .fd = -1, .waiting = { .max = LOG_KEEP },
	.lock = PTHREAD_MUTEX_INITIALIZER };

void log_init(const char *tag)
{
	the_log.program[0] = '\0';
	log_set_tag(tag);
	the_log.pid = getpid();
	if (gethostname(the_log.host, sizeof(the_log.host) - 1) < 0)
		snprintf(the_log.host, sizeof(the_log.host), "localhost");
	the_log.host[sizeof(the_log.host) - 1] = '\0';
	char *dot = strchr(the_log.host, '.');
	if (dot)
		*dot = '\0';
	tzset(); /* reads the zone file now: a chroot has none */
	(void)clock_wall_s(); /* likewise a test's clock */
}

void log_set_tag(const char *tag)
{
	const char *slash = strrchr(tag, '/');
	snprintf(the_log.tag, sizeof(the_log.tag), "%s", tag);
	/* "dovecot" on the lines of imapd does not make another program of it */
	if (slash || !the_log.program[0])
		snprintf(the_log.program, sizeof(the_log.program), "%s", slash ? slash + 1 : tag);
}

const char *log_program(void)
{
	return the_log.program;
}

void log_to_fd(int fd)
{
	(void)log_flush(0);
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

/* One datagram. 1 sent, 0 the socket is full, -1 nobody will ever read it. */
static int send_now(const char *line, size_t n)
{
	for (;;) {
		if (send(the_log.fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 1;
		if (errno != EINTR)
			return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
	}
}

static bool wait_for_room(int ms)
{
	struct pollfd p = { .fd = the_log.fd, .events = POLLOUT };
	return ms > 0 && poll(&p, 1, ms) > 0;
}

static void keep(const char *line, size_t n)
{
	if (the_log.sent > 0 && the_log.waiting.len + n > LOG_KEEP) {
		buf_consume(&the_log.waiting, the_log.sent);
		the_log.sent = 0;
	}
	if (buf_put(&the_log.waiting, line, n) < 0) {
		the_log.waiting.overflow = false;
		the_log.lost++;
	}
}

static void tell_lost(void)
{
	char note[LOG_LINE_MAX + 1], text[80];
	if (the_log.lost == 0)
		return;
	int len = snprintf(text, sizeof(text), "warning: %u log lines lost: postlogd did not read", the_log.lost);
	size_t m = log_line_make(note, clock_wall(), the_log.host, the_log.tag, own_pid(),
		sv_n(text, (size_t)len));
	if (send_now(note, m) == 1)
		the_log.lost = 0;
}

/* Send what waits; a full socket is waited for once, MS long. The caller holds the lock. */
static void send_waiting(int ms)
{
	while (the_log.sent < the_log.waiting.len) {
		const char *line = the_log.waiting.p + the_log.sent;
		const char *lf = memchr(line, '\n', the_log.waiting.len - the_log.sent);
		size_t n = lf ? (size_t)(lf - line) + 1 : the_log.waiting.len - the_log.sent;
		int rc = the_log.fd >= 0 ? send_now(line, n) : -1;
		if (rc < 0)
			to_stderr(line, n);
		if (rc == 0 && wait_for_room(ms))
			continue;
		if (rc == 0)
			break;
		the_log.sent += n;
	}
	bool empty = the_log.sent == the_log.waiting.len;
	if (empty) {
		buf_reset(&the_log.waiting);
		the_log.sent = 0;
		tell_lost();
	}
	__atomic_store_n(&the_log.pending, !empty, __ATOMIC_RELAXED);
}

bool log_flush(int ms)
{
	if (!__atomic_load_n(&the_log.pending, __ATOMIC_RELAXED))
		return true;
	pthread_mutex_lock(&the_log.lock);
	send_waiting(ms);
	bool done = !the_log.pending;
	pthread_mutex_unlock(&the_log.lock);
	return done;
}

void log_set_deferred(bool on)
{
	the_log.deferred = on;
}

/* Straight to the socket when nothing waits; else in line. */
static void deliver(const char *line, size_t n)
{
	pthread_mutex_lock(&the_log.lock);
	if (the_log.pending)
		send_waiting(0);
	int rc = the_log.fd < 0 ? -1 : the_log.pending ? 0 : send_now(line, n);
	if (rc < 0)
		to_stderr(line, n);
	if (rc == 0) {
		keep(line, n);
		if (!the_log.deferred) {
			send_waiting(the_log.stuck ? 0 : LOG_WAIT_MS);
			the_log.stuck = the_log.pending;
		} else {
			__atomic_store_n(&the_log.pending, true, __ATOMIC_RELAXED);
		}
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
	int sent = the_log.fd >= 0 ? send_now(line, len) : -1;
	if (sent == 0 && wait_for_room(LOG_WAIT_MS))
		sent = send_now(line, len);
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
	(void)log_flush(LOG_WAIT_MS);
	exit(code);
}

void log_bug(const char *fmt, ...)
{
	EMIT("panic: ");
	(void)log_flush(LOG_WAIT_MS);
	abort();
}
