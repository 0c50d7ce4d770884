/*
 * One table of names a class. What is not named fails with EPERM; what only an attacker would try ends
 * the process. Processes that exec other programs cannot be held to a list: for them there is only the
 * second kind.
 */
#include "lib/sys/seccomp_filter.h"

#ifdef WITH_SECCOMP

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "lib/sys/jail.h"

static const char *const basic_calls[] = {
	/* octets on open descriptors */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
	"pwritev2", "lseek", "close", "fstat", "fstatfs", "newfstatat", "fcntl", "dup", "dup2", "dup3",
	"fsync", "fdatasync", "sync_file_range", "flock", "fadvise64",
	"splice", "sendfile",
	/* sockets that are open */
	"sendto", "recvfrom", "sendmsg", "recvmsg", "recvmmsg", "shutdown", "getsockopt", "setsockopt",
	"getsockname", "getpeername", "socketpair", "pipe", "pipe2",
	/* memory; mmap and mprotect have conditions below */
	"munmap", "mremap", "madvise", "brk", "msync", "mincore", "membarrier",
	/* threads and signals of this process */
	"futex", "set_robust_list", "get_robust_list", "rseq", "sched_yield", "sched_getaffinity",
	"gettid", "getpid", "getppid", "exit", "exit_group", "rt_sigaction", "rt_sigprocmask",
	"rt_sigreturn", "rt_sigtimedwait", "sigaltstack", "restart_syscall", "set_tid_address",
	/* waiting */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
	"select", "pselect6", "eventfd2", "nanosleep", "clock_nanosleep",
	/* facts */
	"clock_gettime", "clock_getres", "gettimeofday", "time", "getrandom", "getuid", "geteuid",
	"getgid", "getegid", "getresuid", "getresgid", "getgroups", "getrusage", "times",
	"sysinfo", "uname", "getrlimit", "getcpu",
};

static const char *const accept_calls[] = {
	"accept4", "accept", "listen",
};
static const char *const inet_calls[] = {
	"connect", "bind", "sendmmsg",
};
static const char *const unix_calls[] = {
	"connect",
};
static const char *const read_calls[] = {
	"stat", "lstat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
	"getdents64", "statfs", "getcwd", "chdir", "fchdir",
};
static const char *const write_calls[] = {
	"open", "openat", "ftruncate", "fallocate", "rename", "renameat", "renameat2", "link", "linkat", "unlink",
	"unlinkat", "mkdir", "mkdirat", "rmdir", "truncate", "chmod", "fchmod", "fchmodat",
	"utimensat", "utimes", "utime", "symlink", "symlinkat", "umask", "fchown",
	"copy_file_range", "ioctl",
};
static const char *const inotify_calls[] = {
	"inotify_init1", "inotify_add_watch", "inotify_rm_watch",
};

static const char *const exec_calls[] = {
	"execve", "execveat",
};
static const char *const deadly_calls[] = {
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "mount", "umount2",
	"move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
	"pivot_root", "chroot", "setns", "unshare", "init_module", "finit_module", "delete_module",
	"kexec_load", "kexec_file_load", "bpf", "perf_event_open", "keyctl", "add_key",
	"request_key", "userfaultfd", "swapon", "swapoff", "reboot", "sethostname",
	"setdomainname", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "acct",
	"quotactl", "open_by_handle_at", "iopl", "ioperm", "modify_ldt", "io_uring_setup",
	"io_uring_enter", "io_uring_register", "pidfd_getfd", "personality", "vhangup", "mknod",
	"mknodat",
};

static int rule(scmp_filter_ctx ctx, uint32_t action, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);
	if (nr == __NR_SCMP_ERROR || nr < 0)
		return 0; /* unknown to this library or machine */
	int rc = seccomp_rule_add(ctx, action, nr, 0);
	return rc == -EEXIST ? 0 : rc;
}

static int rules(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n)
{
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = rule(ctx, action, names[i]);
	return rc;
}

#define RULES(ctx, action, names) rules((ctx), (action), (names), ARRAY_LEN(names))
#define ALLOW_IF(call, n, ...) \
	seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(call), (n), __VA_ARGS__)

static struct scmp_arg_cmp is(unsigned arg, scmp_datum_t value)
{
	return (struct scmp_arg_cmp){ .arg = arg, .op = SCMP_CMP_EQ, .datum_a = value };
}

static struct scmp_arg_cmp masked(unsigned arg, scmp_datum_t mask, scmp_datum_t value)
{
	return (struct scmp_arg_cmp){ .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask,
		.datum_b = value };
}

/* Calls that are harmless with some arguments only. */
static int conditional(scmp_filter_ctx ctx, unsigned allow)
{
	const scmp_datum_t opening = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
	const scmp_datum_t self = (scmp_datum_t)getpid();
	int rc = 0;
	rc |= ALLOW_IF(mmap, 1, masked(2, PROT_EXEC, 0));
	rc |= ALLOW_IF(mprotect, 1, masked(2, PROT_EXEC, 0));
	/* threads, never processes; clone3 hides its flags, so glibc has to fall back to clone */
	rc |= ALLOW_IF(clone, 1, masked(0, CLONE_THREAD, CLONE_THREAD));
	rc |= seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	rc |= ALLOW_IF(prctl, 1, is(0, PR_SET_NAME));
	rc |= ALLOW_IF(prlimit64, 1, is(2, 0));
	rc |= ALLOW_IF(kill, 1, is(0, self));
	rc |= ALLOW_IF(tgkill, 1, is(0, self));
	/* "is the process alive that a lock file names?": no signal is sent */
	if (allow & JAIL_WRITE_FILES)
		rc |= ALLOW_IF(kill, 1, is(1, 0));
	if (!(allow & JAIL_WRITE_FILES)) {
		rc |= ALLOW_IF(ioctl, 1, is(1, 0x5421)); /* FIONBIO */
		rc |= ALLOW_IF(ioctl, 1, is(1, 0x5451)); /* FIOCLEX */
		rc |= ALLOW_IF(ioctl, 1, is(1, 0x541b)); /* FIONREAD */
	}
	if ((allow & JAIL_READ_FILES) && !(allow & JAIL_WRITE_FILES)) {
		rc |= ALLOW_IF(openat, 1, masked(2, opening, 0));
		rc |= ALLOW_IF(open, 1, masked(1, opening, 0));
	}
	if (allow & JAIL_INET) {
		rc |= ALLOW_IF(socket, 1, is(0, AF_INET));
		rc |= ALLOW_IF(socket, 1, is(0, AF_INET6));
	}
	if (allow & JAIL_UNIX)
		rc |= ALLOW_IF(socket, 1, is(0, AF_UNIX));
	return rc;
}

static int allow_list(scmp_filter_ctx ctx, unsigned allow)
{
	int rc = RULES(ctx, SCMP_ACT_ALLOW, basic_calls);
	if (rc == 0 && (allow & JAIL_ACCEPT))
		rc = RULES(ctx, SCMP_ACT_ALLOW, accept_calls);
	if (rc == 0 && (allow & JAIL_INET))
		rc = RULES(ctx, SCMP_ACT_ALLOW, inet_calls);
	if (rc == 0 && (allow & JAIL_UNIX))
		rc = RULES(ctx, SCMP_ACT_ALLOW, unix_calls);
	if (rc == 0 && (allow & (JAIL_READ_FILES | JAIL_WRITE_FILES)))
		rc = RULES(ctx, SCMP_ACT_ALLOW, read_calls);
	if (rc == 0 && (allow & JAIL_WRITE_FILES))
		rc = RULES(ctx, SCMP_ACT_ALLOW, write_calls);
	if (rc == 0 && (allow & JAIL_INOTIFY))
		rc = RULES(ctx, SCMP_ACT_ALLOW, inotify_calls);
#ifdef MERPATI_FAULTS
	if (rc == 0) /* fault plans look at descriptors' names */
		rc = rule(ctx, SCMP_ACT_ALLOW, "readlink");
#endif
	return rc != 0 ? rc : conditional(ctx, allow);
}

int seccomp_filter_load(unsigned allow, struct err *e)
{
#ifdef MERPATI_SANITIZED
	const uint32_t refuse = SCMP_ACT_LOG; /* the sanitizers' own calls are not on the list */
#else
	const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
#endif
	bool execs = allow & JAIL_EXEC;
	scmp_filter_ctx ctx = seccomp_init(execs ? SCMP_ACT_ALLOW : refuse);
	if (!ctx)
		return err_set(e, ERR_CONFIG, "sandbox: no memory for the system call filter");
	int rc = 0;
#ifndef MERPATI_SANITIZED
	rc = RULES(ctx, SCMP_ACT_KILL_PROCESS, deadly_calls);
	if (rc == 0 && !execs)
		rc = RULES(ctx, SCMP_ACT_KILL_PROCESS, exec_calls);
#else
	(void)exec_calls;
	(void)deadly_calls;
#endif
	if (rc == 0 && !execs)
		rc = allow_list(ctx, allow);
	/* no_new_privs is jail.c's decision; a tree of comparisons instead of a list of 120 */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc == 0 ? 0 : err_sys(e, -rc, "sandbox: system call filter");
}

#else

int seccomp_filter_load(unsigned allow, struct err *e)
{
	(void)allow;
	return err_set(e, ERR_CONFIG,
		"sandbox: this program was built without libseccomp; \"sandbox_required = no\" accepts that");
}

#endif
