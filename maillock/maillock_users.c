#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "lib/sys/rand.h"
#include "maillock/maillock.h"

struct users {
	struct htab table; /* uid -> number of connections, as size_t * */
};

struct users *users_new(void)
{
	struct users *u = mem_alloc(sizeof(*u));
	htab_init(&u->table, (struct hash_seed){ rand_u64(), rand_u64() });
	return u;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	HTAB_FOREACH(&u->table, e)
		free(e->value);
	htab_free(&u->table);
	free(u);
}

static struct sv key_of(const uid_t *uid)
{
	return sv_n((const char *)uid, sizeof(*uid));
}

bool users_enter(struct users *u, uid_t uid)
{
	size_t *n = htab_get(&u->table, key_of(&uid));
	if (!n) {
		n = mem_alloc(sizeof(*n));
		(void)htab_set(&u->table, key_of(&uid), n);
	}
	if (*n >= USER_CONNECTIONS_MAX)
		return false;
	++*n;
	return true;
}

void users_leave(struct users *u, uid_t uid)
{
	size_t *n = htab_get(&u->table, key_of(&uid));
	if (n && --*n == 0)
		free(htab_del(&u->table, key_of(&uid)));
}
