/*
 * lib/sys/name_service.h - the name service (nsswitch.conf) made usable behind the jail.
 *
 * Layer:    sys.
 * Security: its modules are loaded at the first question to them; behind the jail nothing new is executable, and
 *           a module that cannot be loaded would be left out in silence: accounts that only it knows would not
 *           exist.
 */
#ifndef SYS_NAME_SERVICE_H
#define SYS_NAME_SERVICE_H

#include "lib/base/err.h"

/* Load the modules for accounts and groups. In pre_jail. */
void name_service_load(void);

/*
 * Does "no such user" mean what it says? The C library says so, too, when /etc/passwd is not there or cut off and
 * another source of nsswitch.conf does not know the name. Blocks.
 *   0  it does
 *  -1  it cannot be known (E)
 */
MUST_USE int name_service_whole(struct err *e);

#endif
