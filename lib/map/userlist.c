#include "lib/map/userlist.h"

#include <pwd.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/name_service.h"

#define ENTRY_ROOM 16384 /* of one entry of the name service */

struct userlist {
	struct matchlist *list;
};

int userlist_open(const char *title, const char *list, const struct maps_env *env, struct userlist **out,
	struct err *e)
{
	*out = NULL;
	if (strcmp(list, "static:anyone") == 0)
		return 0;
	struct matchlist *m = matchlist_open(title, list, 0, env, e);
	if (!m)
		return -1;
	name_service_load();
	*out = mem_alloc(sizeof(**out));
	(*out)->list = m;
	return 0;
}

void userlist_free(struct userlist *u)
{
	if (!u)
		return;
	matchlist_free(u->list);
	free(u);
}

struct name_job {
	uid_t uid;
	char *name;
	int failed;
};

static void find_name(void *rec)
{
	struct name_job *j = rec;
	struct passwd pw, *found = NULL;
	char *room = mem_alloc(ENTRY_ROOM);
	j->failed = getpwuid_r(j->uid, &pw, room, ENTRY_ROOM, &found);
	if (j->failed == 0)
		snprintf(j->name, USERLIST_NAME_MAX, "%s", found ? found->pw_name : "unknown");
	free(room);
}

int userlist_allows(struct userlist *u, uid_t uid, char name[USERLIST_NAME_MAX], struct err *e)
{
	struct name_job j = { .uid = uid, .name = name };
	snprintf(name, USERLIST_NAME_MAX, "unknown");
	if (!u)
		return 1;
	if (fiber_self())
		fiber_offload(FIBER_POOL_LOOKUP, find_name, &j);
	else
		find_name(&j);
	if (j.failed != 0)
		return err_sys(e, j.failed, "name of uid %u", (unsigned)uid);
	return matchlist_string(u->list, sv_z(name), e);
}
