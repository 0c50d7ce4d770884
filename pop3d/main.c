/* pop3d/main.c - process entry; a session is pop3d_session.c */
#include "lib/config/params.h"
#include "lib/reader/reader.h"
#include "pop3d/pop3d.h"

#define MAX_ERRORS 20

static void serve(
        struct store *store, const void *settings, const struct clnt_auth_session *session)
{
	pop3_serve(store, settings, session);
}

static int post_jail(struct server *s, struct err *e)
{
	struct pop3_settings *set = mem_alloc(sizeof(*set));
	struct params_pop3d p;

	if (params_pop3d_load(server_config(s), &p, e) < 0)
		return -1;
	*set = (struct pop3_settings){ .timeout_ms = p.pop3d_timeout * 1000,
		.max_errors = MAX_ERRORS };
	struct reader_def def = {
		.settings = set,
		.serve = serve,
	};

	return reader_start(s, &def, e);
}

static int room(struct server *s, unsigned *out, struct err *e)
{
	struct params_pop3d p;

	if (params_pop3d_load(server_config(s), &p, e) < 0)
		return -1;
	*out = (unsigned)p.pop3d_session_limit;
	return 0;
}

static const struct server_def pop3d = {
	.name = "pop3d",
	.handed = "pop3",
	.room = room,
	.jail = READER_JAIL,
	.paths = reader_paths,
	.singleton = true, /* master ends it; it is kept ready for the next session */
	.post_jail = post_jail,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &pop3d);
}
