/* imapd/main.c - process entry; a session is imapd_session.c */
#include "imapd/imapd.h"
#include "imapd/imapd_charset.h"
#include "lib/config/params.h"
#include "lib/reader/reader.h"

#define MAX_ERRORS 20
#define STACK      (256 * 1024) /* SEARCH recurses, to a bounded depth */

static void serve(
        struct store *store, const void *settings, const struct clnt_auth_session *session)
{
	imapd_serve(store, settings, session);
}

static int post_jail(struct server *s, struct err *e)
{
	struct imap_settings *set = mem_alloc(sizeof(*set));
	struct params_core core;
	struct params_imapd p;

	if (params_core_load(server_config(s), &core, e) < 0 ||
	        params_imapd_load(server_config(s), &p, e) < 0)
		return -1;
	*set = (struct imap_settings){
		.timeout_ms = p.imapd_timeout * 1000,
		.command_limit = (size_t)p.imapd_command_limit,
		.memory_limit = (size_t)p.imapd_memory_limit,
		.message_limit = (uint64_t)core.message_size_limit,
		.max_errors = MAX_ERRORS,
	};
	struct reader_def def = {
		.stack = STACK,
		.settings = set,
		.serve = serve,
	};

	return reader_start(s, &def, e);
}

static int pre_jail(UNUSED struct server *s, UNUSED struct err *e)
{
	imapd_charset_load();
	return 0;
}

static int room(struct server *s, unsigned *out, struct err *e)
{
	struct params_imapd p;

	if (params_imapd_load(server_config(s), &p, e) < 0)
		return -1;
	*out = (unsigned)p.imapd_session_limit;
	return 0;
}

static const struct server_def imapd = {
	.name = "imapd",
	.handed = "imap",
	.room = room,
	.pre_jail = pre_jail,
	.jail = READER_JAIL,
	.paths = reader_paths,
	.singleton = true, /* master ends it; it is kept ready for the next session */
	.post_jail = post_jail,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &imapd);
}
