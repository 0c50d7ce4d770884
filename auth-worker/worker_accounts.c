/* Accounts of the system: name service, its errors, groups. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "auth-worker/worker.h"
#include "lib/sys/name_service.h"

#define NAME_MAX_OCTETS 255
#define ENTRY_MAX       (64u << 10)
#define GROUPS_MAX      4096

/* What cannot be anybody's name does not go to sources far away. */
static bool may_be_a_name(struct sv name)
{
	if (name.len > NAME_MAX_OCTETS)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c < 0x21 || c == 0x7f || c == ':' || c == '/' || c == ',')
			return false;
	}
	return true;
}

/* By NAME, "": by UID. 1, 0, -1. A source that fails says so by errno only; one that says nothing has failed,
 * too. */
static int find_entry(const char *name, uid_t uid, struct passwd *pw, char **room, struct err *e)
{
	struct passwd *found = NULL;
	int rc = ERANGE;

	for (size_t size = 2048; rc == ERANGE && size <= ENTRY_MAX; size *= 2) {
		*room = mem_realloc(*room, size);
		errno = EIO;
		rc = name[0] ? getpwnam_r(name, pw, *room, size, &found)
		             : getpwuid_r(uid, pw, *room, size, &found);
	}
	if (found)
		return 1;
	if (rc == 0)
		return name_service_whole(e);
	return name[0] ? err_sys(e, rc, "name service: look up the account %s", name)
	               : err_sys(e, rc, "name service: look up uid %u", (unsigned)uid);
}

/* Groups besides the account's own. */
static int find_groups(const char *name, gid_t gid, struct arena *a, struct u32_list *out, struct err *e)
{
	int n = GROUPS_MAX;
	gid_t *list = mem_array(GROUPS_MAX, sizeof(*list));
	int rc = getgrouplist(name, gid, list, &n);

	if (rc < 0) {
		free(list);
		return err_set(e, ERR_CONFIG, "the account %s is in more than %d groups", name, GROUPS_MAX);
	}
	uint32_t *kept = arena_alloc(a, ((size_t)n + 1) * sizeof(*kept));

	out->v = kept;
	out->n = 0;
	for (int i = 0; kept && i < n; i++)
		if (list[i] != gid)
			kept[out->n++] = list[i];
	free(list);
	return kept ? 0 : err_set(e, ERR_TEMP, "out of memory for one request");
}

int worker_find(
        struct sv name, uid_t uid, struct arena *a, struct worker_account *out, struct err *e)
{
	char z[NAME_MAX_OCTETS + 1];
	struct passwd pw;
	char *room = NULL;

	if (!may_be_a_name(name) || sv_copyz(name, z, sizeof(z)) < 0)
		return 0;
	int rc = find_entry(z, uid, &pw, &room, e);

	if (rc == 1) {
		*out = (struct worker_account){ .name = arena_sv(a, sv_z(pw.pw_name)),
			.uid = pw.pw_uid,
			.gid = pw.pw_gid,
			.home = arena_sv(a, sv_z(pw.pw_dir)),
			.shell = arena_sv(a, sv_z(pw.pw_shell)) };
		if (find_groups(pw.pw_name, pw.pw_gid, a, &out->groups, e) < 0)
			rc = -1;
		else if (a->exhausted)
			rc = err_set(e, ERR_TEMP, "out of memory for one request");
	}
	free(room);
	return rc;
}
