/* Whose mailbox: virtual_mailbox_maps, virtual_uid_maps, virtual_gid_maps. */
#include <unistd.h>

#include "lib/base/num.h"
#include "virtual/virtual.h"

static int find(const struct virtual *v, struct maps *maps, struct sv address, struct buf *value, struct err *e)
{
	const struct map_key_rules rules = { .delimiters = v->core.recipient_delimiter,
		.owner_request_special = v->core.owner_request_special };
	struct map_keys keys;
	map_keys_addr(&keys, address, &rules);
	return maps_find_keys(maps, &keys, value, NULL, e);
}

/* A pattern table can make a value of what a stranger wrote: it stays below the base. */
static bool climbs(struct sv value)
{
	while (!sv_empty(value))
		if (sv_eqz(sv_take_until(&value, '/'), ".."))
			return true;
	return false;
}

int virtual_path(struct sv base, struct sv value, struct buf *out, bool *maildir, struct err *e)
{
	value = sv_trim(value);
	if (sv_empty(value) || memchr(value.p, '\0', value.len))
		return err_set(e, ERR_CONFIG, "virtual_mailbox_maps gives an empty value, or one with a NUL octet");
	if (climbs(value))
		return err_set(e, ERR_CONFIG, "virtual_mailbox_maps gives \"%.*s\", which has \"..\" in it",
		        SV_ARG(value));
	*maildir = sv_ends(value, SV("/"));
	if (buf_put_sv(out, base) < 0 || buf_putc(out, '/') < 0 || buf_put_sv(out, value) < 0)
		return err_set(e, ERR_CONFIG, "virtual_mailbox_maps gives a path that is too long");
	while (out->len > 1 && out->p[out->len - 1] == '/')
		buf_truncate(out, out->len - 1);
	return 0;
}

int virtual_find(struct virtual *v, struct sv address, struct arena *a, struct virtual_box *out, struct err *e)
{
	struct buf value, path;
	buf_init(&value, MAP_VALUE_MAX);
	buf_init(&path, VIRTUAL_PATH_MAX);
	int rc = find(v, v->mailboxes, address, &value, e);
	if (rc == 1)
		rc = virtual_path(sv_z(v->params.virtual_mailbox_base), buf_sv(&value), &path, &out->maildir, e) < 0
		             ? -1
		             : 1;
	if (rc == 1) {
		out->path = arena_strdup(a, buf_sv(&path));
		rc = out->path ? 1 : err_set(e, ERR_TEMP, "out of memory");
	}
	buf_free(&value);
	buf_free(&path);
	return rc;
}

int virtual_id(const char *table, struct sv value, uint32_t least, uint32_t *out, struct err *e)
{
	value = sv_trim(value);
	if (num_u32(value, out) < 0)
		return err_set(e, ERR_CONFIG, "%s gives \"%.*s\", which is no id", table, SV_ARG(value));
	if (*out < least)
		return err_set(e, ERR_CONFIG, "%s gives %u, the least one allowed is %u", table, (unsigned)*out,
		        (unsigned)least);
	return 0;
}

static int check_id(struct virtual *v, struct maps *maps, struct sv address, uint32_t least, uint32_t mine,
        struct err *e)
{
	struct buf value;
	uint32_t id = 0;
	if (maps_empty(maps))
		return 0; /* nobody but the owner is there */
	buf_init(&value, MAP_VALUE_MAX);
	int rc = find(v, maps, address, &value, e);
	if (rc == 0)
		rc = err_set(e, ERR_CONFIG, "%.*s is not in %s", SV_ARG(address), maps_title(maps));
	else if (rc == 1)
		rc = virtual_id(maps_title(maps), buf_sv(&value), least, &id, e);
	if (rc == 0 && id != mine)
		rc = err_set(e, ERR_CONFIG, "%s gives %u for %.*s, this instance serves %u only", maps_title(maps),
		        (unsigned)id, SV_ARG(address), (unsigned)mine);
	buf_free(&value);
	return rc;
}

int virtual_check_ids(struct virtual *v, struct sv address, struct err *e)
{
	if (check_id(v, v->uids, address, (uint32_t)v->params.virtual_minimum_uid, getuid(), e) < 0)
		return -1;
	return check_id(v, v->gids, address, 1, getgid(), e);
}
