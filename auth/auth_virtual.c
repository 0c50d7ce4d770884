/* Whose mailboxes virtual delivers to: virtual_uid_maps, virtual_gid_maps, read by auth itself. */
#include <stdlib.h>

#include "auth/auth.h"
#include "lib/base/num.h"
#include "lib/config/params.h"
#include "lib/map/maps.h"

struct auth_virtual {
	struct maps_env env; /* tables are opened here: auth calls nobody for them */
	struct map_key_rules rules;
	struct maps *uids, *gids;
	uint32_t least;
};

struct auth_virtual *auth_virtual_new(
        const struct params_core *core, const struct params_virtual *p, struct err *e)
{
	struct auth_virtual *v = mem_alloc(sizeof(*v));
	*v = (struct auth_virtual){ .rules = { .delimiters = core->recipient_delimiter,
	                                    .owner_request_special = core->owner_request_special },
		.least = (uint32_t)p->virtual_minimum_uid };
	v->uids = maps_open("virtual_uid_maps", p->virtual_uid_maps, &v->env, MAP_NO_SUBST, e);
	v->gids = maps_open("virtual_gid_maps", p->virtual_gid_maps, &v->env, MAP_NO_SUBST, e);
	if (v->uids && v->gids)
		return v;
	auth_virtual_free(v);
	return NULL;
}

void auth_virtual_free(struct auth_virtual *v)
{
	if (!v)
		return;
	maps_free(v->uids);
	maps_free(v->gids);
	free(v);
}

static int find(struct auth_virtual *v, struct maps *maps, struct sv address, uint32_t least, uint32_t *out,
        struct err *e)
{
	struct map_keys keys;
	struct buf value;
	buf_init(&value, MAP_VALUE_MAX);
	map_keys_addr(&keys, address, &v->rules);
	int rc = maps_find_keys(maps, &keys, &value, NULL, e);
	if (rc == 0)
		rc = err_set(e, ERR_CONFIG, "%.*s is not in %s", SV_ARG(address), maps_title(maps));
	else if (rc == 1 && (num_u32(sv_trim(buf_sv(&value)), out) < 0 || *out < least))
		rc = err_set(e, ERR_CONFIG, "%s gives \"%.*s\" for %.*s: not a number, or less than %u",
		        maps_title(maps), SV_ARG(buf_sv(&value)), SV_ARG(address), (unsigned)least);
	buf_free(&value);
	return rc;
}

int auth_virtual_find(struct auth_virtual *v, struct sv address, struct auth_account *out, struct err *e)
{
	uint32_t uid = 0, gid = 0;
	if (!v)
		return err_set(e, ERR_CONFIG, "a private instance has no virtual users of other ids");
	if (find(v, v->uids, address, v->least, &uid, e) < 0 || find(v, v->gids, address, 1, &gid, e) < 0)
		return -1;
	*out = (struct auth_account){ .uid = uid, .gid = gid };
	return 1;
}
