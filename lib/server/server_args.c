#include "lib/server/server_args.h"

#include "lib/base/buf.h"
#include "lib/base/num.h"

static int set_option(struct server_args *a, char option, const char *value, struct err *e)
{
	switch (option) {
	case 'c':
		a->config_dir = value;
		return 0;
	case 'n':
		a->service = value;
		return 0;
	case 'g':
		a->generation = value;
		return 0;
	default: /* 'o' */
		if (a->noverrides == SERVER_OVERRIDES_MAX)
			return err_set(e, ERR_CONFIG, "more than %d -o options", SERVER_OVERRIDES_MAX);
		a->overrides[a->noverrides++] = value;
		return 0;
	}
}

int server_args_parse(struct server_args *a, int argc, char **argv, struct err *e)
{
	int i = 1;
	memset(a, 0, sizeof(*a));
	a->generation = "0";
	for (; i < argc; i++) {
		const char *z = argv[i];
		if (strcmp(z, "--") == 0) {
			i++;
			break;
		}
		if (strcmp(z, "-v") == 0) {
			a->verbose++;
			continue;
		}
		if (z[0] != '-' || z[1] == '\0' || !strchr("cngo", z[1]))
			break; /* the daemon's own arguments */
		const char *value = z[2] != '\0' ? z + 2 : i + 1 < argc ? argv[++i] : NULL;
		if (!value)
			return err_set(e, ERR_CONFIG, "option %s needs a value", z);
		if (set_option(a, z[1], value, e) < 0)
			return -1;
	}
	a->rest = argv + i;
	a->nrest = argc - i;
	return 0;
}

/* "class:service:fd": the first colon ends the class, the last one begins the number. */
static int parse_listener(char *item, struct server_listener *out)
{
	char *first = strchr(item, ':'), *last = strrchr(item, ':');
	uint32_t fd = 0;
	if (!first || first == last || first == item || last == first + 1)
		return -1;
	if (num_u32(sv_z(last + 1), &fd) < 0 || fd < 3 || fd > 65535)
		return -1;
	*first = *last = '\0';
	*out = (struct server_listener){ .class = item, .service = first + 1, .fd = (int)fd };
	return 0;
}

int server_args_listen(struct server_args *a, const char *listen, struct err *e)
{
	char *at, *save = NULL;
	if (!listen)
		return 0;
	a->listen_copy = mem_strdup(listen);
	for (at = strtok_r(a->listen_copy, " ", &save); at; at = strtok_r(NULL, " ", &save)) {
		if (a->nlisteners == SERVER_LISTENERS_MAX)
			return err_set(e, ERR_CONFIG, "MERPATI_LISTEN: more than %d sockets",
				SERVER_LISTENERS_MAX);
		if (parse_listener(at, &a->listeners[a->nlisteners]) < 0)
			return err_set(e, ERR_CONFIG, "MERPATI_LISTEN: [%s] is not class:service:fd", at);
		a->nlisteners++;
	}
	return 0;
}

void server_args_free(struct server_args *a)
{
	free(a->listen_copy);
	a->listen_copy = NULL;
	a->nlisteners = 0;
}
