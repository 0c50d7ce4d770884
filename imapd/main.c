/* imapd/main.c - process entry; a session is imapd_session.c */
#include "imapd/imapd.h"
#include "lib/config/params.h"
#include "lib/server/server_handed.h"
#include "lib/sys/jail.h"
#include "lib/sys/log.h"

#define MAX_ERRORS 20
#define STACK      (256 * 1024) /* SEARCH recurses, to a bounded depth */

struct imapd {
	struct store *store;
	struct imap_settings set;
	struct server_handed *handed;
};

static void serve(void *ctx, const struct clnt_auth_session *session)
{
	const struct imapd *d = ctx;

	imapd_serve(d->store, &d->set, session);
}

/* The homes of a private instance's users, and the index if it lives elsewhere. */
static int paths(struct server *s, struct err *e)
{
	struct params_store p;
	struct buf mail;

	if (params_store_load(server_config(s), &p, e) < 0)
		return -1;
	buf_init(&mail, 4096);
	if (buf_printf(&mail, "%s/mail", config_dir(server_config(s))) < 0)
		return err_set(
		        e, ERR_CONFIG, "the name of the configuration directory is too long");
	int rc = server_allow_write(s, buf_z(&mail));

	if (rc >= 0 && p.mail_index_dir[0])
		rc = server_allow_write(s, p.mail_index_dir);
	buf_free(&mail);
	return rc;
}

static int post_jail(struct server *s, struct err *e)
{
	struct imapd *d = mem_alloc(sizeof(*d));
	struct params_core core;
	struct params_imapd p;
	struct params_store st;
	struct params_login login;

	if (params_core_load(server_config(s), &core, e) < 0 ||
	        params_imapd_load(server_config(s), &p, e) < 0 ||
	        params_store_load(server_config(s), &st, e) < 0 ||
	        params_login_load(server_config(s), &login, e) < 0)
		return -1;
	log_set_tag(login.login_syslog_name);
	d->store = store_new(
	        &(struct store_options){ .host = core.myhostname, .index_dir = st.mail_index_dir });
	d->set = (struct imap_settings){
		.timeout_ms = p.imapd_timeout * 1000,
		.command_limit = (size_t)p.imapd_command_limit,
		.memory_limit = (size_t)p.imapd_memory_limit,
		.message_limit = (uint64_t)core.message_size_limit,
		.max_errors = MAX_ERRORS,
	};
	struct server_handed_def def = {
		.service = "imap",
		.limit = (unsigned)p.imapd_session_limit,
		.stack = STACK,
		.serve = serve,
		.ctx = d,
	};

	d->handed = server_handed_start(s, &def, e);
	server_set_state(s, d);
	return d->handed ? 0 : -1;
}

static const struct server_def imapd = {
	.name = "imapd",
	.jail = JAIL_PASS_FD | JAIL_UNIX | JAIL_READ_FILES | JAIL_WRITE_FILES | JAIL_INOTIFY,
	.paths = paths,
	.singleton = true, /* master ends it; it is kept ready for the next session */
	.post_jail = post_jail,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &imapd);
}
