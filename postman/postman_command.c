/* The request "command": which program, then postman_run(). */
#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#include "lib/fiber/fiber.h"
#include "lib/mail/command.h"
#include "lib/sys/sys.h"
#include "postman/postman.h"

#define SEND_MS 30000
#define ENV_MAX 1000
#define PASSWD_MAX 16384
#define SHELL   "/bin/sh"

/* ENV with HOME and SHELL of this process's account; one that the system does not know has none. */
static char **with_home(char **env, size_t n, struct arena *a)
{
	struct passwd pw, *found = NULL;
	char *room = arena_alloc(a, PASSWD_MAX);
	char **v = arena_array(a, n + 3, sizeof(*v));
	if (!room || !v)
		return NULL;
	memcpy(v, env, n * sizeof(*v));
	if (getpwuid_r(getuid(), &pw, room, PASSWD_MAX, &found) != 0 || !found)
		return env;
	v[n] = arena_printf(a, "HOME=%s", pw.pw_dir);
	v[n + 1] = v[n] ? arena_printf(a, "SHELL=%s", pw.pw_shell) : NULL;
	return v[n + 1] ? v : NULL;
}

/* The program NAME, looked for in PATH of ENV: as execvp(3), but before the fork. NULL: there is none. */
static const char *program(const char *name, char *const *env, struct arena *a)
{
	struct sv path = SV_NONE;
	if (strchr(name, '/'))
		return name;
	for (; *env; env++)
		if (sv_starts(sv_z(*env), SV("PATH=")))
			path = sv_z(*env + 5);
	while (!sv_empty(path)) {
		struct sv dir = sv_take_until(&path, ':');
		const char *full = arena_printf(a, "%.*s/%s", SV_ARG(dir), name);
		if (!full)
			return NULL;
		if (!sv_empty(dir) && access(full, X_OK) == 0)
			return full;
	}
	return NULL;
}

static char **list_of(struct sv_list l, struct arena *a)
{
	char **v = arena_array(a, l.n + 1, sizeof(*v));
	for (size_t i = 0; v && i < l.n; i++) {
		v[i] = arena_strdup(a, l.v[i]);
		if (!v[i])
			return NULL;
	}
	return v;
}

/* "/bin/sh -c COMMAND", or what local_command_shell says instead. NULL: out of memory. */
static char **shell_argv(struct sv shell, struct sv command, struct arena *a)
{
	char **words = NULL, **v;
	size_t n = 0;
	int rc = sv_empty(shell) ? command_split(SV("sh -c"), a, &words) : command_split(shell, a, &words);
	if (rc < 1)
		return NULL;
	while (words[n])
		n++;
	v = arena_array(a, n + 2, sizeof(*v));
	if (!v)
		return NULL;
	memcpy(v, words, n * sizeof(*v));
	v[n] = arena_strdup(a, command);
	return v[n] ? v : NULL;
}

struct plan_job {
	const struct msg_postman_command *m;
	struct arena *a;
	char **argv, **env;
	const char *path;
};

/* Looks at directories, asks the name service: runs in a thread. */
static void make_plan(void *rec)
{
	struct plan_job *j = rec;
	if (j->m->own_home && !(j->env = with_home(j->env, j->m->env.n, j->a)))
		return;
	if (j->m->argv.n > 0) {
		j->argv = list_of(j->m->argv, j->a);
		j->path = j->argv ? program(j->argv[0], j->env, j->a) : NULL;
		return;
	}
	if (sv_empty(j->m->shell)) {
		int rc = command_split(j->m->command, j->a, &j->argv);
		if (rc < 0)
			return;
		if (rc == 1) {
			j->path = program(j->argv[0], j->env, j->a);
			if (j->path)
				return;
		}
	}
	j->argv = shell_argv(j->m->shell, j->m->command, j->a);
	if (j->argv)
		j->path = sv_empty(j->m->shell) ? SHELL : program(j->argv[0], j->env, j->a);
}

/* 0, or -1 with E: what it was asked for cannot be tried. */
static int prepare(struct postman_session *s, const struct msg_postman_command *m,
        struct postman_run *r, struct err *e)
{
	struct plan_job j = { .m = m, .a = s->arena };
	if (r->in < 0 || m->env.n > ENV_MAX || m->limit_ms <= 0)
		return err_set(e, ERR_BUG, "bad request for a command");
	j.env = list_of(m->env, s->arena);
	r->dir = sv_empty(m->dir) ? NULL : arena_strdup(s->arena, m->dir);
	if (j.env)
		fiber_offload(FIBER_POOL_LOOKUP, make_plan, &j);
	if (s->arena->exhausted || !j.argv)
		return err_set(e, ERR_TEMP, "the command is too large");
	if (!j.path)
		return err_set(e, ERR_CONFIG, "there is no program %s", j.argv[0]);
	r->argv = j.argv;
	r->envp = j.env;
	r->path = j.path;
	r->limit_ms = m->limit_ms;
	return 0;
}

/* A script without "#!" is the shell's, as for execvp(3). */
static void run_script(struct postman_session *s, struct postman_run *r)
{
	size_t n = 0;
	while (r->argv[n])
		n++;
	char **v = arena_array(s->arena, n + 2, sizeof(*v));
	if (!v || !(v[0] = arena_strdup(s->arena, SV("sh"))) ||
	        !(v[1] = arena_strdup(s->arena, sv_z(r->path))))
		return;
	memcpy(v + 2, r->argv + 1, (n - 1) * sizeof(*v));
	r->argv = v;
	r->path = SHELL;
	buf_reset(r->output);
	postman_run(r);
}

int postman_command(struct postman_session *s, struct ipc_frame *f, struct err *e)
{
	struct msg_postman_command m;
	struct buf output;
	struct err why = ERR_INIT;
	struct postman_run r = { .in = ipc_take_fd(f, 0), .client = ipc_conn_fd(s->conn),
		.output = &output, .end = COMMAND_NOT_RUN };
	int rc = msg_postman_command_decode(f->body, s->arena, &m, e);
	buf_init(&output, POSTMAN_OUTPUT_KEPT);
	if (rc == 1) {
		if (prepare(s, &m, &r, &why) == 0)
			postman_run(&r);
		else
			(void)buf_puts(&output, why.text);
		r.config = r.config || why.cls == ERR_CONFIG;
		if (r.exec_errno == ENOEXEC)
			run_script(s, &r);
		struct msg_postman_ended answer = {
			.end = r.end, .value = r.value, .output = buf_sv(&output), .config = r.config
		};
		bool before = fiber_shield(true); /* how it ended is told, also when this process shall stop */
		rc = msg_postman_ended_send(
		        s->conn, &answer, f->request_id, NULL, 0, fiber_deadline(SEND_MS), e);
		fiber_shield(before);
	}
	buf_free(&output);
	sys_close(r.in);
	return rc;
}
