/*
 * auth/auth_users.h - the users file of a private instance, parsed: name@domain -> who.
 *
 * Layer:     daemon (pure).
 * Ownership: auth_users_parse() .. auth_users_free(); users and their views live as long.
 * Errors:    a line that cannot be read is reported and skipped; when its name could be read the
 *            name is kept as "broken", so that a typing error makes mail wait instead of bouncing
 *            it; when not even the name could be read, anybody who is not found may be the one.
 * Security:  the file is the owner's; lines, users and file size have ceilings all the same.
 * Standards: internal; the fields are those of Dovecot's passwd-file:
 *            name@domain:{SCHEME}hash:uid:gid:gecos:home:shell:
 *
 * Names are compared without regard to ASCII case, both parts, as the local part of a delivery is.
 */
#ifndef AUTH_AUTH_USERS_H
#define AUTH_AUTH_USERS_H

#include <sys/types.h>

#include "lib/base/hash.h"

#define AUTH_USERS_FILE_MAX (16u << 20)
#define AUTH_USERS_LINE_MAX 4096
#define AUTH_USERS_MAX      100000

struct auth_user {
	struct sv name;   /* as written: user@domain */
	const char *hash; /* for crypt(3), "" when nobody may sign in with a password */
	uid_t uid;
	gid_t gid;
	struct sv home;
	struct sv shell; /* may be empty */
	unsigned line;
	bool broken; /* only .name and .line are good */
};

struct auth_users;

/* Called for each line that is skipped; WHY is for the log. */
typedef void auth_users_bad_fn(void *arg, unsigned line, const char *why);

/*
 * HOME_BASE/DOMAIN/NAME is the home where the field is empty. Always succeeds: what is wrong with
 * single lines goes to BAD.
 */
struct auth_users *auth_users_parse(struct sv text, const char *home_base, struct hash_seed seed,
        auth_users_bad_fn *bad, void *arg);
void auth_users_free(struct auth_users *u);

/* By "user@domain", or by "user" where only one domain has that user. 1, or 0 (also: not unique).
 */
int auth_users_find(const struct auth_users *u, struct sv name, const struct auth_user **out);
/* The user of this uid whose line comes first; NULL: none has it. */
const struct auth_user *auth_users_by_uid(const struct auth_users *u, uid_t uid);
/* The first line that names nobody, though it should: 0 none. */
unsigned auth_users_nameless(const struct auth_users *u);
/* Does any user have this domain? */
bool auth_users_has_domain(const struct auth_users *u, struct sv domain);
/* A hash that costs what the users' own cost, to be verified for names that do not exist. */
const char *auth_users_dummy(const struct auth_users *u);
size_t auth_users_count(const struct auth_users *u);

#endif
