/* lib/config/values.c - single values by type, per-transport values, and the default directory. */
#include <sys/auxv.h>

#include "lib/base/num.h"
#include "lib/config/config.h"
#include "lib/config/params.h"
#include "lib/config/paths.h"

static int typed(const struct config *cfg, const char *name, struct param_row *row, long *out,
		 struct err *e)
{
	const char *text = config_str(cfg, name, e);
	if (!text)
		return -1;
	row->name = name;
	if (params_parse(row, text, out, e) < 0)
		return err_prefix(e, "%s", config_where(cfg, name));
	return 0;
}

int config_bool(const struct config *cfg, const char *name, bool *out, struct err *e)
{
	struct param_row row = { .type = PARAM_BOOL };
	long n = 0;
	if (typed(cfg, name, &row, &n, e) < 0)
		return -1;
	*out = n != 0;
	return 0;
}

int config_int(const struct config *cfg, const char *name, int *out, struct err *e)
{
	struct param_row row = { .type = PARAM_INT, .lo = INT32_MIN };
	long n = 0;
	if (typed(cfg, name, &row, &n, e) < 0)
		return -1;
	*out = (int)n;
	return 0;
}

int config_time(const struct config *cfg, const char *name, char default_unit, long *out,
		struct err *e)
{
	char unit[2] = { default_unit, '\0' };
	struct param_row row = { .type = PARAM_TIME, .def = unit };
	return typed(cfg, name, &row, out, e);
}

static const struct param_row *suffix_row(const char *suffix)
{
	size_t n;
	const struct param_row *rows = params_transport_rows(&n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].name, suffix) == 0)
			return &rows[i];
	return NULL;
}

const char *config_transport_str(const struct config *cfg, const char *transport,
				 const char *suffix, struct err *e)
{
	char name[CONFIG_NAME_MAX];
	if (!suffix_row(suffix)) {
		err_set(e, ERR_BUG, "%s: no per-transport parameter ends so", suffix);
		return NULL;
	}
	int n = snprintf(name, sizeof(name), "%s%s", transport, suffix);
	if (n < 0 || (size_t)n >= sizeof(name)) {
		err_set(e, ERR_CONFIG, "%.100s...: a transport's name is too long", transport);
		return NULL;
	}
	return config_str(cfg, name, e);
}

int config_transport_int(const struct config *cfg, const char *transport, const char *suffix,
			 long *out, struct err *e)
{
	const char *text = config_transport_str(cfg, transport, suffix, e);
	char name[CONFIG_NAME_MAX];
	if (!text)
		return -1;
	struct param_row row = *suffix_row(suffix);
	snprintf(name, sizeof(name), "%s%s", transport, suffix);
	row.name = name;
	if (params_parse(&row, text, out, e) < 0)
		return err_prefix(e, "%s", config_where(cfg, name));
	return 0;
}

const char *config_dir_default(void)
{
	const char *dir = getenv("MAIL_CONFIG");
	if (!dir || !*dir || (getauxval(AT_SECURE) && !config_dir_allowed(dir)))
		return paths_config_dir();
	return dir;
}

static bool listed(const struct config *cfg, const char *name, const char *dir)
{
	const char *text = config_str(cfg, name, NULL);
	struct sv rest = sv_z(text);
	while (rest.len > 0) {
		size_t n = 0;
		while (n < rest.len && rest.p[n] != ',' && !ascii_is_blank(rest.p[n]))
			n++;
		if (n > 0 && sv_eqz(sv_upto(rest, n), dir))
			return true;
		rest = sv_from(rest, n + 1);
	}
	return false;
}

bool config_dir_allowed(const char *dir)
{
	if (strcmp(dir, paths_config_dir()) == 0)
		return true;
	struct config *builtin = config_open(paths_config_dir(), NULL);
	if (!builtin)
		return false;
	bool ok = listed(builtin, "alternate_config_directories", dir) ||
		  listed(builtin, "multi_instance_directories", dir);
	config_free(builtin);
	return ok;
}
