/* As whom pipe's services run: user= in master.cf. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "lib/config/mastercf.h"

struct service_user {
	char *service;
	uid_t uid;
	gid_t gid;
	char *wrong; /* NULL: the account is there */
};

struct auth_services {
	struct service_user *v;
	size_t n;
};

/* "user" or "user:group". */
static void look_up(struct service_user *u, struct sv value)
{
	struct sv group = value, user = sv_take_until(&group, ':');
	char *name = mem_svdup(user), *group_name = mem_svdup(group), text[300] = "";
	const struct passwd *pw = getpwnam(name);
	const struct group *gr = sv_empty(group) ? NULL : getgrnam(group_name);
	if (!pw)
		(void)snprintf(text, sizeof(text), "user=%.100s: no such account", name);
	else if (!sv_empty(group) && !gr)
		(void)snprintf(text, sizeof(text), "user=%.100s:%.100s: no such group", name, group_name);
	if (pw) {
		u->uid = pw->pw_uid;
		u->gid = gr ? gr->gr_gid : pw->pw_gid;
	}
	u->wrong = *text ? mem_strdup(text) : NULL;
	free(name);
	free(group_name);
}

struct auth_services *auth_services_new(const char *config_dir, struct err *e)
{
	struct mastercf mc;
	if (mastercf_open(config_dir, &mc, e) < 0)
		return NULL;
	struct auth_services *s = mem_alloc(sizeof(*s));
	s->v = mem_alloc((mc.count + 1) * sizeof(*s->v));
	s->n = 0;
	for (size_t i = 0; i < mc.count; i++) {
		const struct service *sv = &mc.services[i];
		for (size_t k = 0; strcmp(sv->command, "pipe") == 0 && k < sv->argc; k++) {
			struct sv arg = sv_z(sv->argv[k]);
			if (sv_starts(arg, SV("argv=")))
				break; /* what follows is the program's */
			if (!sv_starts(arg, SV("user=")))
				continue;
			struct service_user *u = &s->v[s->n++];
			u->service = mem_strdup(sv->name);
			look_up(u, sv_from(arg, 5));
			break;
		}
	}
	mastercf_free(&mc);
	return s;
}

void auth_services_free(struct auth_services *s)
{
	for (size_t i = 0; s && i < s->n; i++) {
		free(s->v[i].service);
		free(s->v[i].wrong);
	}
	if (s)
		free(s->v);
	free(s);
}

int auth_services_find(const struct auth_services *s, struct sv name, struct auth_account *out, struct err *e)
{
	for (size_t i = 0; s && i < s->n; i++) {
		const struct service_user *u = &s->v[i];
		if (!sv_eqz(name, u->service))
			continue;
		if (u->wrong)
			return err_set(e, ERR_CONFIG, "master.cf: service %s: %s", u->service, u->wrong);
		*out = (struct auth_account){ .uid = u->uid, .gid = u->gid };
		return 1;
	}
	return err_set(e, ERR_CONFIG, "master.cf: service %.*s has no user=", SV_ARG(name));
}
