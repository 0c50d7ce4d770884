/* links: config base */
/* Any main.cf: parsing and expanding every name of it ends, within its ceilings. */
#include "lib/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expand(void *arg, const char *name, struct sv value, unsigned line)
{
	struct config *cfg = arg;
	struct err e = ERR_INIT;
	bool b;
	int n;
	long t;
	(void)value;
	(void)line;
	const char *text = config_str(cfg, name, &e);
	if (!text && e.text[0] == '\0')
		abort(); /* a failure without a reason */
	if (config_bool(cfg, name, &b, &e) < 0 && config_int(cfg, name, &n, &e) < 0 &&
	    config_time(cfg, name, 'd', &t, &e) < 0 && !config_where(cfg, name))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	if (size > 65536)
		return 0;
	struct config *cfg =
		config_open_text("/x", "main.cf", sv_n((const char *)data, size), &e);
	if (cfg)
		config_each(cfg, expand, cfg);
	config_free(cfg);
	return 0;
}
