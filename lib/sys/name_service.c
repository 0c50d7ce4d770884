#include "lib/sys/name_service.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

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

#define PASSWD "/etc/passwd"

int name_service_whole(struct err *e)
{
	struct stat st;
	if (stat(PASSWD, &st) < 0)
		return err_sys(e, errno, "name service: " PASSWD);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return err_set(e, ERR_CONFIG, "name service: " PASSWD " holds nobody");
	return 0;
}
