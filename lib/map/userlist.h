/*
 * lib/map/userlist.h - which local users may do something: authorized_{submit,mailq,flush}_users.
 *
 * Layer:     map (asks the name service: in the look-up pool when called on a fiber, else here).
 * Ownership: userlist_open() .. userlist_free(); the environment must outlive the list.
 * Errors:    1 may, 0 may not, -1 could not find out (TEMP); -1 from userlist_open(): a pattern that cannot be
 *            understood.
 * Security:  the uid comes from the kernel (SO_PEERCRED, getuid), never from the peer. An account without a name
 *            is "unknown", as in Postfix. Whether root and mail_owner are asked about at all is the caller's.
 */
#ifndef MAP_USERLIST_H
#define MAP_USERLIST_H

#include <sys/types.h>

#include "lib/map/matchlist.h"

#define USERLIST_NAME_MAX 256

struct userlist;

/* TITLE names the parameter. *OUT is NULL when LIST is "static:anyone". Before the jail. 0 or -1. */
MUST_USE int userlist_open(const char *title, const char *list, const struct maps_env *env, struct userlist **out,
	struct err *e);
void userlist_free(struct userlist *u);
/* U may be NULL: everybody. NAME is what the account is called, for messages. */
MUST_USE int userlist_allows(struct userlist *u, uid_t uid, char name[USERLIST_NAME_MAX], struct err *e);

#endif
