/*
 * lib/sys/spawn.h - start another program: fork, a clean slate, exec.
 *
 * Layer:     sys.
 * Ownership: the caller closes the descriptors of struct sys_child and reaps it with waitid(P_PIDFD).
 * Errors:    0, or -1 with errno: nothing runs. Whether the program could be executed is told later, by
 *            .started: see sys_spawn_result().
 * Security:  the program gets three descriptors and nothing else (close_range), default signals, no
 *            signal blocked, a session of its own and the environment given here. It is killed when the
 *            thread that started it ends before it: call this from the main thread.
 */
#ifndef SYS_SPAWN_H
#define SYS_SPAWN_H

#include <sys/types.h>

#include "lib/sys/sys.h"

struct sys_spawn {
	const char *path; /* no search */
	char *const *argv, *const *envp;
	const char *dir; /* working directory; NULL: this process's */
	int in, out;     /* become descriptors 0, and 1 and 2; stay the caller's */
};

struct sys_child {
	pid_t pid;   /* also of its process group and session */
	int pidfd;   /* readable when it has ended */
	int started; /* readable when it has been executed, or could not be */
};

#define sys_spawn(s, child) sys_spawn_(SYS_SITE("fork"), (s), (child))
MUST_USE int sys_spawn_(struct fault_site *site, const struct sys_spawn *s, struct sys_child *child);

/*
 * Once .started is readable; closes it.
 *   0  the program runs, or ran
 *  >0  errno of what failed; *step, static text, says what ("chdir", "exec")
 */
MUST_USE int sys_spawn_result(struct sys_child *child, const char **step);

#endif
