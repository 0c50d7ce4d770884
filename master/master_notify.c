/* What systemd is told, when it started us: sd_notify(3), without its library. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/base/num.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "master/master.h"

void master_notify(const char *text)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *to = getenv("NOTIFY_SOCKET");
	if (!to || (to[0] != '/' && to[0] != '@') || sv_copyz(sv_z(to), sa.sun_path, sizeof sa.sun_path) < 0)
		return;
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(to));
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sa, len) < 0)
		log_warn("systemd is not told that %s: %s", text, strerror(errno));
	if (fd >= 0)
		sys_close(fd);
}

/* WATCHDOG_USEC: it wants to hear of us so often. Half of that, in ms; 0: never. */
static int64_t watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t n;
	uint32_t whose;
	if (!usec || num_u64(sv_z(usec), &n) < 0 || n < 2000)
		return 0;
	if (pid && (num_u32(sv_z(pid), &whose) < 0 || (pid_t)whose != getpid()))
		return 0;
	return (int64_t)(n / 2000);
}

void master_watchdog(struct master *m, int64_t now, int64_t *next)
{
	int64_t every = watchdog_ms();
	if (every == 0)
		return;
	if (now >= m->watchdog_at) {
		master_notify("WATCHDOG=1");
		m->watchdog_at = now + every;
	}
	if (m->watchdog_at < *next)
		*next = m->watchdog_at;
}
