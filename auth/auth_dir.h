/*
 * auth/auth_dir.h - the user directory: the users file, read again when it changes.
 *
 * Layer:     daemon (system calls; a look-up costs one stat(2)).
 * Ownership: auth_dir_new() .. auth_dir_free(); accounts are copied into the caller's arena.
 * Errors:    an unreadable file, or a broken line of that user, is -1 (TEMP): never "no such user".
 *            Each new fault is one log line with file and line.
 */
#ifndef AUTH_AUTH_DIR_H
#define AUTH_AUTH_DIR_H

#include <sys/types.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/ipc/ipc.h"

struct auth_dir;

struct auth_account {
	struct sv name; /* user@domain as in the file; empty: somebody without mail */
	struct sv hash; /* "": no sign-in by password */
	uid_t uid;
	gid_t gid;
	struct sv home;
	struct sv mail; /* mail_location, or what home_mailbox or mail_spool_directory mean: maildir:HOME/Maildir,
	                   mbox:HOME/mail:INBOX=... */
	struct sv shell; /* may be empty */
	bool unix_account; /* of the system: PAM knows the password */
	struct u32_list groups; /* besides GID */
};

/* Where mail is, as main.cf has it: the first that is not empty (NULL: empty, too); none: Maildir/. */
struct auth_where {
	const char *mail_location;
	const char *home_mailbox;
	const char *mail_spool_directory;
};

/* PATH of the file; HOME_BASE: where homes are that the file does not name. */
struct auth_dir *auth_dir_new(const char *path, const char *home_base, const struct auth_where *where);
void auth_dir_free(struct auth_dir *d);

/*
 * 1, 0 no such user, -1 could not find out. LOOSE (delivery, never sign-in): a domain that no user
 * has is one of this host's own names, which local delivery may put there: only the local part
 * counts.
 */
MUST_USE int auth_dir_find(struct auth_dir *d, struct sv name, bool loose, struct arena *a,
        struct auth_account *out, struct err *e);
/* The first user that has this UID. 1, 0, -1. */
MUST_USE int auth_dir_find_uid(
        struct auth_dir *d, uid_t uid, struct arena *a, struct auth_account *out, struct err *e);
/* Where USER with that HOME has mail, as store_location() reads it. 1 or -1. */
MUST_USE int auth_dir_mail(const struct auth_dir *d, struct sv user, struct sv home, struct arena *a,
        struct sv *out, struct err *e);
/* A hash to verify for a user that does not exist; lives until the next auth_dir_find(). */
struct sv auth_dir_dummy(const struct auth_dir *d);

#endif
