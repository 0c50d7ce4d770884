/* admin/postmap/newaliases.c - build every table that alias_database names. */
#include <unistd.h>

#include "admin/postmap/tables.h"
#include "lib/map/split.h"

int main(int argc, char **argv)
{
	struct tables t = { .program = "newaliases", .aliases = true };
	struct err e = ERR_INIT;
	struct split list;
	struct sv item;
	int c, rc;
	/* -C as sendmail's; everything else that sendmail takes means nothing here */
	while ((c = getopt(argc, argv, "C:c:o:v")) != -1) {
		if (c == 'C' || c == 'c')
			t.dir = optarg;
		else if (c == '?')
			tables_fatal(&t, "usage: newaliases [-C config_dir]");
	}
	tables_open_config(&t);
	const char *all = config_str(t.cfg, "alias_database", &e);
	if (!all)
		tables_fatal(&t, "%s", e.text);
	split_init(&list, sv_z(all));
	while ((rc = split_next(&list, &item, &e)) == 1) {
		char *name = mem_svdup(item), *spec = tables_spec(&t, name);
		tables_build(&t, spec);
		free(spec);
		free(name);
	}
	if (rc < 0)
		tables_fatal(&t, "alias_database: %s", e.text);
	config_free(t.cfg);
	return 0;
}
