/*
 * Loaded into a daemon by LD_PRELOAD: when its event loop waits for the first time, its jail is closed and it tries
 * what it must not be able to do. One datagram an attempt, "NAME allowed" or "NAME refused ERRNO", to the socket in
 * PROBE_TO, which is connected before the daemon's main() begins. Attempts that end the process come last: the one in
 * PROBE_LAST, announced by "NAME tried".
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_REPORT 400

static const char *queue_file, *log_fd_name, *sibling;

static void say(const char *name, const char *how, int err)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "%s %s %d", name, how, err);
	if (send(FD_REPORT, text, (size_t)n, 0) < 0)
		_exit(99);
}

static void result(const char *name, long rc)
{
	say(name, rc >= 0 ? "allowed" : "refused", rc >= 0 ? 0 : errno);
}

/* --- files ------------------------------------------------------------------------------------------ */

static void open_it(const char *name, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600);
	result(name, fd);
	if (fd < 0)
		return;
	if (flags & O_CREAT)
		(void)unlink(path);
	close(fd);
}

/* By a descriptor of a directory that was left open: out of the root directory, or past Landlock. */
static void leave_by_descriptor(void)
{
	long way = -1;
	for (int fd = 0; fd < 300 && way < 0; fd++)
		way = openat(fd, "../../../../../../../etc/passwd", O_RDONLY | O_CLOEXEC);
	errno = EBADF; /* of the last number that was tried, most likely */
	result("read-passwd", way);
}

static void try_files(void)
{
	open_it("read-queue", queue_file, O_RDONLY);
	open_it("write-queue", queue_file, O_WRONLY);
	open_it("create-queue", "/var/spool/merpati/incoming/A/probe", O_WRONLY | O_CREAT | O_EXCL);
	open_it("create-pid", "/var/spool/merpati/pid/probe", O_WRONLY | O_CREAT | O_EXCL);
	open_it("create-private", "/var/spool/merpati/private/queue/probe", O_WRONLY | O_CREAT | O_EXCL);
	open_it("create-empty", "/var/spool/merpati/empty/probe", O_WRONLY | O_CREAT | O_EXCL);
	open_it("create-root", "/probe", O_WRONLY | O_CREAT | O_EXCL);
	open_it("create-tmp", "/tmp/probe", O_WRONLY | O_CREAT | O_EXCL);
	open_it("read-passwd", "/etc/passwd", O_RDONLY);
	open_it("read-shadow", "/etc/shadow", O_RDONLY);
	open_it("read-users", "/etc/merpati/users", O_RDONLY);
	open_it("write-main.cf", "/etc/merpati/main.cf", O_WRONLY);
	open_it("read-mailbox-anna", "/home/anna/Maildir/probe", O_RDONLY);
	open_it("read-home-anna", "/home/anna/.secret", O_RDONLY);
	open_it("read-spool-anna", access("/var/mail", F_OK) == 0 ? "/var/mail/anna" : "/anna", O_RDONLY);
	open_it("write-spool-anna", access("/var/mail", F_OK) == 0 ? "/var/mail/anna" : "/anna", O_WRONLY);
	open_it("read-mailbox-ben", "/home/ben/Maildir/probe", O_RDONLY);
	open_it("read-log", "/var/log/merpati/mail.log", O_RDONLY);
	open_it("read-own-memory", "/proc/self/mem", O_RDWR);
	leave_by_descriptor();
	result("chmod-passwd", chmod("/etc/passwd", 0644));
	result("chown-passwd", chown("/etc/passwd", 0, 0));
	result("link-passwd", link("/etc/passwd", "/var/spool/merpati/incoming/A/passwd"));
	result("truncate-log", log_fd_name ? ftruncate(2, 0) : -1);
}

/* --- network ---------------------------------------------------------------------------------------- */

static void connect_unix(const char *name, const char *path, bool abstract)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(sa.sun_path + abstract, sizeof(sa.sun_path) - 1, "%s", path);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
	result(name, fd < 0 ? -1 : connect(fd, (struct sockaddr *)&sa, len));
	if (fd >= 0)
		close(fd);
}

static void try_network(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(25),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	result("socket-inet", fd);
	int rc = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	result("connect-inet", rc < 0 && errno == EINPROGRESS ? 0 : rc);
	sa.sin_port = 0;
	if (fd >= 0)
		close(fd);
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	result("socket-raw", fd);
	result("socket-packet", socket(AF_PACKET, SOCK_RAW, 0));
	result("socket-netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	connect_unix("connect-queue", "/var/spool/merpati/private/queue/cleanup", false);
	connect_unix("connect-net", "/var/spool/merpati/private/net/cleanup", false);
	connect_unix("connect-auth-pam", "/var/spool/merpati/private/auth/auth-pam", false);
	connect_unix("connect-control", "/var/spool/merpati/private/control", false);
	connect_unix("connect-public", "/var/spool/merpati/public/submit", false);
	connect_unix("connect-abstract", "probe", true);
}

/* --- processes -------------------------------------------------------------------------------------- */

static void try_processes(void)
{
	struct rlimit more = { 1 << 20, 1 << 20 };
	pid_t other = sibling ? (pid_t)atoi(sibling) : 1;
	result("signal-sibling", kill(other, SIGCONT));
	result("signal-master", kill(getppid(), SIGCONT));
	result("setuid-root", setuid(0));
	result("setreuid-root", setreuid(0, 0));
	result("setgid-root", setgid(0));
	result("setgroups", setgroups(0, NULL));
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct all[2] = { { ~0u, ~0u, 0 }, { ~0u, ~0u, 0 } };
	result("capset", syscall(SYS_capset, &h, all));
	result("dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	result("more-descriptors", setrlimit(RLIMIT_NOFILE, &more));
	result("nice", setpriority(PRIO_PROCESS, 0, -5));
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	result("executable-memory", p == MAP_FAILED ? -1 : 0);
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	result("fork", child);
	if (child > 0)
		(void)waitpid(child, NULL, 0);
}

/* --- what nobody survives ---------------------------------------------------------------------------- */

static void try_last(const char *what)
{
	char *argv[] = { NULL };
	long rc = -1;
	say(what, "tried", 0);
	if (strcmp(what, "exec") == 0)
		rc = execv("/bin/true", argv);
	else if (strcmp(what, "ptrace") == 0)
		rc = ptrace(PTRACE_ATTACH, sibling ? atoi(sibling) : 1, NULL, NULL);
	else if (strcmp(what, "peek") == 0)
		rc = syscall(SYS_process_vm_readv, sibling ? atoi(sibling) : 1, NULL, 0, NULL, 0, 0);
	else if (strcmp(what, "mount") == 0)
		rc = syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL);
	else if (strcmp(what, "chroot") == 0)
		rc = chroot(".");
	else if (strcmp(what, "unshare") == 0)
		rc = unshare(CLONE_NEWUSER);
	else if (strcmp(what, "bpf") == 0)
		rc = syscall(SYS_bpf, 0, NULL, 0);
	else if (strcmp(what, "mknod") == 0)
		rc = syscall(SYS_mknodat, AT_FDCWD, "/tmp/probe", S_IFCHR | 0600, 0);
	else if (strcmp(what, "x32") == 0) /* getpid by the other numbers of this processor */
		rc = syscall(0x40000000 | SYS_getpid);
	result(what, rc);
}

static void probe_once(void)
{
	static bool done;
	const char *last = getenv("PROBE_LAST");
	/* root: not in its jail yet, but for the one that stays what it is there, whose filter then refuses to tell */
	bool root = getenv("PROBE_ROOT") && *getenv("PROBE_ROOT");
	if (done || !getenv("PROBE_TO") || (geteuid() == 0 && (!root || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0)))
		return;
	done = true;
	if (last && last[0]) {
		try_last(last);
	} else {
		try_files();
		try_network();
		try_processes();
	}
	say("end", "allowed", 0);
}

/* libuv waits by one of these. */
int epoll_pwait(int fd, struct epoll_event *ev, int n, int ms, const sigset_t *mask)
{
	probe_once();
	return (int)syscall(SYS_epoll_pwait, fd, ev, n, ms, mask, (size_t)8);
}

int epoll_wait(int fd, struct epoll_event *ev, int n, int ms)
{
	return epoll_pwait(fd, ev, n, ms, NULL);
}

__attribute__((constructor)) static void prepare(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *to = getenv("PROBE_TO");
	if (!to)
		return;
	queue_file = getenv("PROBE_QUEUE");
	sibling = getenv("PROBE_SIBLING");
	log_fd_name = "log";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", to);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || dup3(fd, FD_REPORT, O_CLOEXEC) < 0)
		_exit(98);
	close(fd);
}
