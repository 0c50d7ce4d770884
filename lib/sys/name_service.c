#include "lib/sys/name_service.h"

#include <grp.h>
#include <pwd.h>

#include "lib/base/attr.h"

/* No source knows it: all of them are asked. */
#define NOBODYS_NAME "no-such-account-of-merpati"

void name_service_load(void)
{
	gid_t groups[8];
	int n = (int)ARRAY_LEN(groups);
	(void)getpwnam(NOBODYS_NAME);
	(void)getgrnam(NOBODYS_NAME);
	(void)getgrouplist(NOBODYS_NAME, (gid_t)-1, groups, &n);
}
