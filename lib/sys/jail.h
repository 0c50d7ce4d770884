/*
 * lib/sys/jail.h - the cage of a process: chroot, uid, no_new_privs, Landlock, seccomp.
 *
 * Layer:    sys.
 * Security: both functions run before any thread exists (checked); jail_enter() is the last step before
 *           serving. A step that the instance's shape demands and the kernel refuses is an error, not a
 *           warning. What is opened between the two is opened with the rights of .uid.
 *           Sanitizer builds install the system call filter in log-only mode.
 * Limits:   with WITH_SECCOMP off, jail_enter() fails unless .seccomp_optional is set by the admin's
 *           parameter sandbox_required = no.
 */
#ifndef SYS_JAIL_H
#define SYS_JAIL_H

#include <sys/types.h>

#include "lib/base/err.h"

/* What a process may still do; a daemon names the sum in its struct server_def. */
enum jail_class {
	JAIL_BASIC = 0,          /* compute, memory, read/write/close on open fds, threads, epoll, time */
	JAIL_ACCEPT = 1 << 0,    /* accept4 on inherited sockets, socket options */
	JAIL_PASS_FD = 1 << 1,   /* sendmsg/recvmsg */
	JAIL_INET = 1 << 2,      /* socket(INET, INET6), connect, bind: smtp, lmtp, dnsd */
	JAIL_UNIX = 1 << 3,      /* socket(UNIX) and connect: unjailed daemons */
	JAIL_READ_FILES = 1 << 4, /* open for reading, stat, readdir below .read_paths */
	JAIL_WRITE_FILES = 1 << 5, /* create, rename, link, unlink, truncate below .write_paths */
	JAIL_EXEC = 1 << 6,      /* fork, exec: master, postman */
	JAIL_INOTIFY = 1 << 7,
};

#define JAIL_PATHS_MAX 16

struct jail {
	unsigned allow;               /* enum jail_class bits */
	const char *read_paths[JAIL_PATHS_MAX];  /* Landlock, NULL ends the list */
	const char *write_paths[JAIL_PATHS_MAX];
	const char *chroot_dir;       /* NULL: none (private instance, or not jailed) */
	uid_t uid;                    /* (uid_t)-1: stay */
	gid_t gid;
	const gid_t *groups;          /* besides GID; may be NULL */
	size_t ngroups;
	bool stays_root;              /* .uid says "stay", but with no group and these capabilities only, for good */
	const int *keep_caps;
	size_t nkeep_caps;
	bool keep_bounding;           /* set-id programs below keep what their files say */
	bool no_new_privs;
	bool seccomp_optional;
};

/* For a process of root: .uid, .gid and .groups for good, no capability, an empty bounding set. 0, or -1
 * with the step that failed in E. Does nothing where .uid says "stay". */
MUST_USE int jail_user(const struct jail *j, struct err *e);
/* The whole cage; what jail_user() did already is not done again. 0, or -1 with the step that failed in E. */
MUST_USE int jail_enter(const struct jail *j, struct err *e);

/*
 * For a process that stays root: keep the capabilities OWN, and for programs that it executes those BELOW
 * (the bounding set; OWN must be among them). Nothing else, for good. 0, -1.
 */
MUST_USE int jail_keep(const int *own, size_t nown, const int *below, size_t nbelow, struct err *e);

#endif
