/* auth/main.c - process entry: settings, directory, switchboard. */
#include <pwd.h>
#include <sys/types.h>

#include "auth/auth.h"
#include "lib/config/mastercf.h"
#include "lib/config/params.h"
#include "lib/sys/jail.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"

#define PENALTIES_MAX 10000
#define WORKERS_MAX   64

static const char *users_file(struct server *s, const struct params_auth *p)
{
	static const char name[] = "/users";
	const char *dir = config_dir(server_config(s));

	if (p->auth_users_file[0])
		return p->auth_users_file;
	char *path = mem_alloc(strlen(dir) + sizeof(name));

	snprintf(path, strlen(dir) + sizeof(name), "%s%s", dir, name);
	return path;
}

/* The folder of each table that a list like "hash:/etc/merpati/uids" names: it is opened before the jail, and again
 * when postmap has made another one. */
static int table_folders(struct server *s, struct sv list, struct err *e)
{
	while (!sv_empty(list)) {
		struct sv item = sv_take_until(&list, ',');
		struct sv word;

		while (!sv_empty(word = sv_take_word(&item))) {
			char dir[4096];
			ptrdiff_t at = sv_find(word, SV(":/")), slash = sv_rchr(word, '/');

			if (at < 0 || slash <= at)
				continue; /* static:, inline: and so on */
			struct sv path = sv_from(word, (size_t)at + 1);
			size_t n = (size_t)(slash - at - 1);

			if (sv_copyz(sv_upto(path, n ? n : 1), dir, sizeof(dir)) < 0 || server_allow_read(s, dir) < 0)
				return err_set(e, ERR_CONFIG, "too many tables, or too long a name: %.*s",
				        SV_ARG(word));
		}
	}
	return 0;
}

static int paths(struct server *s, struct err *e)
{
	struct params_auth p;
	struct params_virtual v;

	if (params_auth_load(server_config(s), &p, e) < 0 || params_virtual_load(server_config(s), &v, e) < 0)
		return -1;
	if (server_is_system(s) && (table_folders(s, sv_z(v.virtual_uid_maps), e) < 0 ||
	            table_folders(s, sv_z(v.virtual_gid_maps), e) < 0))
		return -1;
	/* the folder, not the file: `merpati user` replaces the file by rename */
	char *dir = mem_strdup(users_file(s, &p));
	char *slash = strrchr(dir, '/');

	int rc = -1;
	if (!slash) {
		err_set(e, ERR_CONFIG, "auth_users_file = %s is not an absolute path", dir);
	} else {
		slash[slash == dir ? 1 : 0] = '\0';
		rc = server_allow_read(s, dir);
	}
	free(dir);
	return rc;
}

/* How many connections the workers of SERVICE take: a process has one, and a connection beyond would wait for the
 * end of another. */
static unsigned worker_limit(const struct mastercf *m, const char *service, const struct params_core *core)
{
	const struct service *s = mastercf_find(m, service, SERVICE_UNIX);
	int n = !s ? 1 : s->maxproc == SERVICE_DEFAULT ? core->default_process_limit : s->maxproc;

	return n <= 0 || n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

static int read_limits(struct auth *a, const struct params_core *core, struct server *s, struct err *e)
{
	struct mastercf m;

	if (mastercf_open(config_dir(server_config(s)), &m, e) < 0)
		return -1;
	a->set.workers = worker_limit(&m, "auth-worker", core);
	a->set.pam_workers = worker_limit(&m, "auth-pam", core);
	mastercf_free(&m);
	return 0;
}

/* Whom this instance may serve: a private one its owner only. */
static int pre_jail(struct server *s, struct err *e)
{
	struct auth *a = mem_alloc(sizeof(*a));
	struct params_core core;

	server_set_state(s, a);
	a->set.only_uid = (uid_t)-1;
	if (params_core_load(server_config(s), &core, e) < 0 || read_limits(a, &core, s, e) < 0)
		return -1;
	a->services = auth_services_new(config_dir(server_config(s)), e);
	if (!a->services)
		return -1;
	if (!server_is_system(s)) {
		a->set.only_uid = geteuid();
		a->set.only_gid = getegid();
		return 0;
	}
	const struct passwd *pw = getpwnam(core.default_privs);

	if (!pw)
		return err_set(e, ERR_CONFIG, "default_privs = %s: no such account", core.default_privs);
	a->set.default_uid = pw->pw_uid;
	a->set.default_gid = pw->pw_gid;
	a->set.own = *server_own_accounts(s);
	struct params_virtual virtual;

	if (params_virtual_load(server_config(s), &virtual, e) < 0)
		return -1;
	a->virtual = auth_virtual_new(&core, &virtual, e);
	return a->virtual ? 0 : -1;
}

static int post_jail(struct server *s, struct err *e)
{
	struct hash_seed seed = { rand_u64(), rand_u64() };
	struct params_auth p;
	struct params_login login;
	struct params_local local;
	struct params_store store;
	struct auth *a = server_state(s);
	struct params_core core;
	struct buf homes;

	if (params_auth_load(server_config(s), &p, e) < 0 ||
	        params_login_load(server_config(s), &login, e) < 0 ||
	        params_core_load(server_config(s), &core, e) < 0 ||
	        params_local_load(server_config(s), &local, e) < 0 ||
	        params_store_load(server_config(s), &store, e) < 0)
		return -1;
	log_set_tag(login.login_syslog_name);
	buf_init(&homes, 4096);
	if (buf_printf(&homes, "%s/mail", config_dir(server_config(s))) < 0)
		return err_set(
		        e, ERR_CONFIG, "the name of the configuration directory is too long");
	/* a directory of the system's is no place for mail of a private instance */
	const struct auth_where where = { .mail_location = store.mail_location, .home_mailbox = local.home_mailbox,
		.mail_spool_directory = server_is_system(s) ? local.mail_spool_directory : NULL };

	a->dir = auth_dir_new(users_file(s, &p), buf_z(&homes), &where);
	buf_free(&homes);
	a->penalty = auth_penalty_new(seed, PENALTIES_MAX);
	a->sw = auth_switch_new();
	a->workers = server_pool(s, "auth-worker", a->set.workers);
	a->set.failure_delay_ms = p.auth_failure_delay * 1000;
	a->set.wait_ms = p.auth_session_wait * 1000;
	a->set.first_valid_uid = (uid_t)p.first_valid_uid;
	a->set.names[0] = core.myhostname;
	a->set.names[1] = core.mydomain;
	if (server_is_system(s))
		a->pam = server_pool(s, "auth-pam", a->set.pam_workers);
	return 0;
}

static const struct server_def auth = {
	.name = "auth",
	.client_limit = 2000,
	.jail = JAIL_ACCEPT | JAIL_PASS_FD | JAIL_READ_FILES,
	.singleton = true,
	.paths = paths,
	.pre_jail = pre_jail,
	.post_jail = post_jail,
	.serve = auth_serve,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &auth);
}
