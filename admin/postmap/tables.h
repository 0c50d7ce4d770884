/* admin/postmap/tables.h - what postmap, postalias and newaliases share. */
#ifndef ADMIN_TABLES_H
#define ADMIN_TABLES_H

#include "lib/config/config.h"
#include "lib/map/map.h"
#include "lib/map/mapfile.h"

struct tables {
	const char *program;
	bool aliases;       /* "name: value" sources, three records more in the table */
	const char *dir;    /* -c */
	struct config *cfg;
	struct mapfile_options opt;
	enum mapfile_dup dup;
	bool add;           /* -i: entries from standard input */
	bool values_are_files; /* -F */
	bool show;          /* -s */
	const char *query;  /* -q */
	const char *remove; /* -d */
};

void tables_warn(const struct tables *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Exit status 1. */
void tables_fatal(const struct tables *t, const char *fmt, ...) PRINTF_LIKE(2, 3) NORETURN;

/* Read main.cf. */
void tables_open_config(struct tables *t);
/* "type:name" for NAME, with default_database_type when it has none; free() it. */
char *tables_spec(const struct tables *t, const char *name);

/* Make the table SPEC from its source, or add standard input to it. */
void tables_build(struct tables *t, const char *spec);

/* postmap(1) and postalias(1) after their own options are known. Exit status. */
int tables_main(struct tables *t, int argc, char **argv);

#endif
