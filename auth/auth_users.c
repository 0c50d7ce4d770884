#include "auth/auth_users.h"

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/num.h"

#define NAME_MAX_OCTETS 320 /* RFC 5321 4.5.3.1: 64 + 1 + 255 */

struct auth_users {
	struct arena arena;
	struct htab full;    /* "user@domain" in lower case -> struct auth_user */
	struct htab local;   /* "user" -> struct auth_user, or &u->ambiguous */
	struct htab domains; /* "domain" -> one of its users */
	struct htab uids;    /* uid as octets -> the first of its users */
	struct auth_user ambiguous;
	const char *dummy;
	size_t count;
	unsigned nameless;
};

/* A yescrypt hash at the default cost that no password is known for: used before any user exists.
 */
static const char dummy_hash[] = "$y$j9T$9SmBPUPTWmyWXJIFWWtNC1$"
                                 "A0tK7z82UkON/2fmy2QDhFpJkmDPkNj1EIJ0f.o63A6";

static const struct {
	struct sv scheme;
	const char *prefix; /* what crypt(3) must find at the start of the hash, NULL: anything */
} schemes[] = {
	{ SV_INIT("CRYPT"), NULL },
	{ SV_INIT("SHA512-CRYPT"), "$6$" },
	{ SV_INIT("YESCRYPT"), "$y$" },
};

struct line_fields {
	struct sv name, hash, uid, gid, home, shell;
};

/* Fold to lower case into OUT, NUL-terminated. */
static bool fold(struct sv s, char out[static NAME_MAX_OCTETS + 1])
{
	if (s.len > NAME_MAX_OCTETS)
		return false;
	for (size_t i = 0; i < s.len; i++)
		out[i] = ascii_lower(s.p[i]);
	out[s.len] = '\0';
	return true;
}

static struct sv local_part(struct sv name)
{
	ptrdiff_t at = sv_rchr(name, '@');

	return at < 0 ? name : sv_upto(name, (size_t)at);
}

/* A part of a name that becomes a part of a path: no '/', no leading dot, nothing unprintable. */
static bool safe_part(struct sv s)
{
	if (sv_empty(s) || s.p[0] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '/')
			return false;
	return true;
}

static const char *check_name(struct sv name)
{
	ptrdiff_t at = sv_rchr(name, '@');

	if (name.len > NAME_MAX_OCTETS)
		return "name too long";
	if (at <= 0)
		return "the first field is not user@domain";
	if (!safe_part(sv_upto(name, (size_t)at)) || !safe_part(sv_from(name, (size_t)at + 1)))
		return "the name has a character that is not allowed";
	return NULL;
}

/* The {SCHEME} off FIELD; *OUT is what crypt(3) takes. NULL or what is wrong. */
static const char *check_hash(struct sv field, struct sv *out)
{
	*out = SV_NONE;
	if (sv_empty(field) || field.p[0] == '!' || field.p[0] == '*')
		return NULL; /* locked: gets mail, cannot sign in */
	ptrdiff_t end = sv_chr(field, '}');

	if (field.p[0] != '{' || end < 0)
		return "the password has no {SCHEME}";
	struct sv scheme = sv_sub(field, 1, (size_t)end - 1);
	struct sv hash = sv_from(field, (size_t)end + 1);

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!sv_ieq(scheme, schemes[i].scheme))
			continue;
		if (schemes[i].prefix && !sv_starts(hash, sv_z(schemes[i].prefix)))
			return "the hash is not of the scheme that is named";
		if (sv_empty(hash))
			return "the hash is empty";
		*out = hash;
		return NULL;
	}
	return "unknown password scheme: use {CRYPT}, {SHA512-CRYPT} or {YESCRYPT}";
}

static const char *check_ids(const struct line_fields *f, struct auth_user *out)
{
	uint32_t uid, gid;

	if (num_u32(f->uid, &uid) < 0 || num_u32(f->gid, &gid) < 0)
		return "uid or gid is not a number";
	if (uid == 0 || gid == 0)
		return "uid and gid 0 are not for mail users";
	out->uid = uid;
	out->gid = gid;
	return NULL;
}

static const char *check_home(
        struct auth_users *u, const struct line_fields *f, const char *base, struct auth_user *out)
{
	if (sv_empty(f->home)) {
		ptrdiff_t at = sv_rchr(out->name, '@');
		char folded[NAME_MAX_OCTETS + 1];

		if (!fold(out->name, folded))
			return "name too long";
		char *home = arena_printf(
		        &u->arena, "%s/%s/%.*s", base, folded + at + 1, (int)at, folded);
		if (home)
			out->home = sv_z(home);
		return NULL;
	}
	if (f->home.p[0] != '/' || sv_find(f->home, SV("/../")) >= 0 || sv_ends(f->home, SV("/..")))
		return "the home is not an absolute path";
	out->home = arena_sv(&u->arena, f->home);
	return NULL;
}

static void split(struct sv line, struct line_fields *f)
{
	struct sv skip;

	f->name = sv_take_until(&line, ':');
	f->hash = sv_take_until(&line, ':');
	f->uid = sv_take_until(&line, ':');
	f->gid = sv_take_until(&line, ':');
	skip = sv_take_until(&line, ':'); /* gecos */
	(void)skip;
	f->home = sv_take_until(&line, ':');
	f->shell = sv_take_until(&line, ':');
}

static void enter(struct auth_users *u, struct auth_user *user)
{
	char folded[NAME_MAX_OCTETS + 1];

	if (!fold(user->name, folded))
		return;
	struct sv key = sv_z(folded);

	htab_set(&u->full, key, user);
	struct sv local = local_part(key);

	if (htab_get(&u->local, local))
		htab_set(&u->local, local, &u->ambiguous);
	else
		htab_set(&u->local, local, user);
	htab_set(&u->domains, sv_from(key, local.len + 1), user);
	struct sv uid = sv_n((const char *)&user->uid, sizeof(user->uid));

	if (!user->broken && !htab_get(&u->uids, uid))
		htab_set(&u->uids, uid, user);
	u->count++;
	if (!user->broken && user->hash[0] && !u->dummy)
		u->dummy = user->hash;
}

static const char *nameless(struct auth_users *u, unsigned number, const char *why)
{
	if (u->nameless == 0)
		u->nameless = number;
	return why;
}

static const char *read_line(
        struct auth_users *u, struct sv line, unsigned number, const char *base)
{
	struct line_fields f;
	char folded[NAME_MAX_OCTETS + 1];
	struct sv hash;

	if (line.len > AUTH_USERS_LINE_MAX)
		return nameless(u, number, "line too long");
	split(line, &f);
	const char *why = check_name(f.name);
	if (why)
		return nameless(u, number, why);
	if (!fold(f.name, folded) || htab_get(&u->full, sv_z(folded)))
		return "this name has a line already; the first one counts";
	if (u->count >= AUTH_USERS_MAX)
		return nameless(u, number, "too many users in one file");
	struct auth_user *user = arena_alloc(&u->arena, sizeof(*user));

	if (!user)
		return nameless(u, number, "the file takes too much memory");
	user->line = number;
	user->name = arena_sv(&u->arena, f.name);
	why = check_hash(f.hash, &hash);
	if (!why) {
		user->hash = arena_strdup(&u->arena, hash);
		why = check_ids(&f, user);
	}
	if (!why)
		why = check_home(u, &f, base, user);
	if (!why)
		user->shell = arena_sv(&u->arena, f.shell);
	if (!why && u->arena.exhausted)
		why = "the file takes too much memory";
	user->broken = why != NULL;
	if (!user->name.p)
		return nameless(u, number, why);
	enter(u, user);
	return why;
}

struct auth_users *auth_users_parse(struct sv text, const char *home_base, struct hash_seed seed,
        auth_users_bad_fn *bad, void *arg)
{
	struct auth_users *u = mem_alloc(sizeof(*u));
	struct sv line;
	unsigned number = 0;

	arena_init(&u->arena, 4u * AUTH_USERS_FILE_MAX);
	htab_init(&u->full, seed);
	htab_init(&u->local, seed);
	htab_init(&u->domains, seed);
	htab_init(&u->uids, seed);
	while (sv_take_line(&text, &line)) {
		number++;
		struct sv t = sv_trim(line);

		if (sv_empty(t) || t.p[0] == '#')
			continue;
		const char *why = read_line(u, t, number, home_base);
		if (why)
			bad(arg, number, why);
	}
	return u;
}

void auth_users_free(struct auth_users *u)
{
	if (!u)
		return;
	htab_free(&u->full);
	htab_free(&u->local);
	htab_free(&u->domains);
	htab_free(&u->uids);
	arena_free(&u->arena);
	free(u);
}

int auth_users_find(const struct auth_users *u, struct sv name, const struct auth_user **out)
{
	char folded[NAME_MAX_OCTETS + 1];
	const struct auth_user *user;

	if (!fold(name, folded))
		return 0;
	struct sv key = sv_n(folded, name.len);

	user = htab_get(sv_rchr(key, '@') >= 0 ? &u->full : &u->local, key);
	if (!user || user == &u->ambiguous)
		return 0;
	*out = user;
	return 1;
}

const struct auth_user *auth_users_by_uid(const struct auth_users *u, uid_t uid)
{
	return htab_get(&u->uids, sv_n((const char *)&uid, sizeof(uid)));
}

unsigned auth_users_nameless(const struct auth_users *u)
{
	return u->nameless;
}

bool auth_users_has_domain(const struct auth_users *u, struct sv domain)
{
	char folded[NAME_MAX_OCTETS + 1];

	return fold(domain, folded) && htab_get(&u->domains, sv_n(folded, domain.len)) != NULL;
}

const char *auth_users_dummy(const struct auth_users *u)
{
	return u && u->dummy ? u->dummy : dummy_hash;
}

size_t auth_users_count(const struct auth_users *u)
{
	return u->count;
}
