/* links: auth_core base */
/* Fuzz target of auth/auth_users.c: any file gives a table; whoever is in it has a safe home. */
#include "auth/auth_users.h"

#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(UNUSED void *arg, unsigned line, const char *why)
{
	if (line == 0 || !why)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct hash_seed seed = { 1, 2 };
	struct sv text = sv_n((const char *)data, size), line;
	struct auth_users *u = auth_users_parse(text, "/m", seed, ignore, NULL);

	while (sv_take_line(&text, &line)) {
		struct sv name = sv_take_until(&line, ':');
		const struct auth_user *user;

		if (!auth_users_find(u, name, &user))
			continue;
		if (user->broken)
			continue;
		if (user->uid == 0 || sv_empty(user->home) || user->home.p[0] != '/' ||
		        !user->hash || sv_find(user->home, SV("/../")) >= 0)
			abort();
	}
	if (!auth_users_dummy(u)[0])
		abort();
	auth_users_free(u);
	return 0;
}
