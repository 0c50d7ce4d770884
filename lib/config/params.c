/* lib/config/params.c - values by their rows: parse, check the bounds, fill the structs. */
#include "lib/config/params.h"

#include <limits.h>

#include "lib/base/num.h"

int params_parse_time(struct sv text, char default_unit, long *out)
{
	static const struct {
		char unit;
		long seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	text = sv_trim(text);
	char unit = default_unit;
	if (text.len > 0 && ascii_is_alpha(text.p[text.len - 1])) {
		unit = ascii_lower(text.p[text.len - 1]);
		text.len--;
	}
	uint32_t n;
	if (num_u32(text, &n) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (units[i].unit == unit) {
			*out = (long)n * units[i].seconds;
			return *out > INT_MAX ? -1 : 0;
		}
	}
	return -1;
}

/* The unit of a bare number is the one that the default is written with. */
static char unit_of(const struct param_row *row)
{
	size_t n = strlen(row->def);
	char c = n > 0 ? row->def[n - 1] : 's';
	return strchr("smhdw", c) && c ? c : 's';
}

static int parse_number(const struct param_row *row, const char *value, long *num)
{
	int64_t n;
	if (row->type == PARAM_TIME)
		return params_parse_time(sv_z(value), unit_of(row), num);
	if (num_i64(sv_trim(sv_z(value)), &n) < 0)
		return -1;
	if (row->type == PARAM_INT && (n < INT_MIN || n > INT_MAX))
		return -1;
	*num = (long)n;
	return 0;
}

static int parse_bool(const char *value, long *num)
{
	struct sv s = sv_trim(sv_z(value));
	if (sv_ieqz(s, "yes"))
		*num = 1;
	else if (sv_ieqz(s, "no"))
		*num = 0;
	else
		return -1;
	return 0;
}

int params_parse(const struct param_row *row, const char *value, long *num, struct err *e)
{
	if (row->type == PARAM_STR || row->type == PARAM_RAW || row->type == PARAM_LINE)
		return 0;
	if (row->type == PARAM_BOOL) {
		if (parse_bool(value, num) == 0)
			return 0;
		return err_set(e, ERR_CONFIG, "%s = %.100s: must be yes or no", row->name, value);
	}
	if (parse_number(row, value, num) < 0)
		return err_set(e, ERR_CONFIG, "%s = %.100s: not a %s", row->name, value,
			       row->type == PARAM_TIME ? "time (a number and s, m, h, d or w)"
						       : "number");
	if (*num < row->lo)
		return err_set(e, ERR_CONFIG, "%s = %.100s: smaller than %ld", row->name, value,
			       row->lo);
	if (row->hi != 0 && *num > row->hi)
		return err_set(e, ERR_CONFIG, "%s = %.100s: larger than %ld", row->name, value,
			       row->hi);
	return 0;
}

static void store(const struct param_row *row, char *base, const char *text, long num)
{
	void *at = base + row->offset;
	switch (row->type) {
	case PARAM_STR:
	case PARAM_RAW:
	case PARAM_LINE:
		*(const char **)at = text;
		break;
	case PARAM_BOOL:
		*(bool *)at = num != 0;
		break;
	case PARAM_INT:
		*(int *)at = (int)num;
		break;
	case PARAM_TIME:
	case PARAM_SIZE:
		*(long *)at = num;
		break;
	}
}

static int load_row(const struct config *cfg, const struct param_row *row, char *base,
		    struct err *e)
{
	long num = 0;
	const char *text = row->type == PARAM_RAW    ? config_raw_str(cfg, row->name)
			   : row->type == PARAM_LINE ? config_line_str(cfg, row->name, e)
						     : config_str(cfg, row->name, e);
	if (!text)
		return -1;
	if (params_parse(row, text, &num, e) < 0)
		return err_prefix(e, "%s", config_where(cfg, row->name));
	store(row, base, text, num);
	return 0;
}

static int load(const struct config *cfg, enum param_section section, void *out, struct err *e)
{
	size_t n;
	const struct param_row *row = params_rows(&n);
	for (size_t i = 0; i < n; i++)
		if (row[i].section == section && row[i].state == PARAM_IMPLEMENTED &&
		    load_row(cfg, &row[i], out, e) < 0)
			return -1;
	return 0;
}

#define X(s)                                                                                  \
	int params_##s##_load(const struct config *cfg, struct params_##s *out, struct err *e) \
	{                                                                                      \
		*out = (struct params_##s){ .config = cfg };                                   \
		return load(cfg, SECTION_##s, out, e);                                         \
	}
CONFIG_SECTIONS(X)
#undef X
