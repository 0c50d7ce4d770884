#include "master/master_outside.h"

#define PREFIX "unix:"

/* Where a transport may be written down. Tables themselves are not read here. */
static const char *const parameters[] = { "default_transport", "fallback_transport", "fallback_transport_maps",
	"lmtp_fallback_relay", "local_transport", "mailbox_transport", "mailbox_transport_maps", "relay_transport",
	"transport_maps", "virtual_transport" };

static bool ends_word(struct sv rest)
{
	return rest.len == 0 || ascii_is_blank(rest.p[0]) || rest.p[0] == ',' || rest.p[0] == '}';
}

bool outside_named(struct sv value, struct sv path)
{
	for (ptrdiff_t at; (at = sv_find(value, SV(PREFIX))) >= 0;) {
		value = sv_from(value, (size_t)at + sizeof(PREFIX) - 1);
		if (path.len > 0 && sv_starts(value, path) && ends_word(sv_from(value, path.len)))
			return true;
	}
	return false;
}

static bool climbs(struct sv path)
{
	while (!sv_empty(path)) {
		struct sv part = sv_take_until(&path, '/');
		if (sv_eqz(part, "..") || sv_eqz(part, "."))
			return true;
	}
	return false;
}

/* PATH below the queue directory, as a path relative to it. */
static struct sv relative(const char *queue_dir, struct sv path)
{
	struct sv top = sv_z(queue_dir);
	if (top.len > 0 && sv_starts(path, top) && path.len > top.len && path.p[top.len] == '/')
		path = sv_from(path, top.len);
	else if (path.len > 0 && path.p[0] == '/')
		return SV_NONE;
	while (path.len > 0 && path.p[0] == '/')
		path = sv_from(path, 1);
	return path;
}

/* Sockets of this instance are in folders of private/ and in public/; master's own is private/control. */
static bool is_guest(struct sv path)
{
	struct sv rest = path;
	return sv_eqz(sv_take_until(&rest, '/'), "private") && rest.len > 0 && sv_chr(rest, '/') < 0 &&
	       !sv_eqz(rest, "control");
}

static int refuse(struct sv path, struct err *e)
{
	return err_set(e, ERR_CONFIG,
		"socket %.*s: not named by %s%.*s in a transport of main.cf, and no other program's socket in private/",
		SV_ARG(path), PREFIX, SV_ARG(path));
}

int outside_allowed(const struct config *cfg, const char *queue_dir, struct sv path, struct err *e)
{
	struct sv below = relative(queue_dir, path);
	if (path.len == 0 || climbs(path) || memchr(path.p, '\0', path.len))
		return refuse(path, e);
	if (below.len > 0)
		return is_guest(below) ? 0 : refuse(path, e);
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
		struct err bad = ERR_INIT;
		const char *value = config_str(cfg, parameters[i], &bad);
		if (value && outside_named(sv_z(value), path))
			return 0;
	}
	return refuse(path, e);
}
