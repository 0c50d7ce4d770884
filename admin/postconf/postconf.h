/* admin/postconf/postconf.h - private types of postconf. */
#ifndef ADMIN_POSTCONF_H
#define ADMIN_POSTCONF_H

#include "lib/base/hash.h"
#include "lib/config/config.h"
#include "lib/config/mastercf.h"
#include "lib/config/params.h"

enum pc_class { PC_BUILTIN = 1, PC_SERVICE = 2, PC_USER = 4, PC_ALL = 7 };

struct pc {
	const char *dir;
	const char *overrides[64]; /* -o */
	size_t noverrides;
	struct config *cfg;
	struct mastercf master;
	bool have_master;
	struct htab user; /* names that main.cf defines and something uses */
	unsigned classes; /* -C */
	bool defaults;    /* -d */
	bool set_only;    /* -n */
	bool expand;      /* -x */
	bool fold;        /* -f */
	bool no_name;     /* -h */
	bool no_value;    /* -H */
};

/* Print "postconf: warning: ..." / "postconf: fatal: ..." (exit 1) on standard error. */
void pc_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void pc_fatal(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;

/* Read main.cf and, when it is there (required with MUST), master.cf. */
void pc_open(struct pc *pc);
void pc_open_master(struct pc *pc, bool must);

/* Find the user-defined names that are used; warn about those that are not, or not defined. */
void pc_names_analyse(struct pc *pc);
/* PC_BUILTIN, PC_SERVICE, PC_USER, or 0: an unknown name. */
unsigned pc_name_class(const struct pc *pc, struct sv name);
/* The value of NAME is not expanded when main.cf is read. */
bool pc_is_raw(const char *name);
/* Every name of the wanted classes, sorted; free() the array, not the names. */
const char **pc_names_all(struct pc *pc, size_t *count);

/* Names that a table of type "ldap", "mysql", ... with its settings in main.cf under PREFIX has. */
typedef void pc_database_fn(void *arg, struct sv name);
void pc_database_names(struct sv type, struct sv prefix, pc_database_fn *fn, void *arg);
bool pc_database_type(struct sv type);

/* Show main.cf parameters: the named ones, or all of the mode. */
void pc_show(struct pc *pc, char *const *names, int count);
/* Print NAME = VALUE under the flags. */
void pc_print(const struct pc *pc, const char *name, struct sv value);

/* -M, -F, -P; patterns as on the command line, none means all. */
void pc_show_services(struct pc *pc, char *const *patterns, int count);
void pc_show_fields(struct pc *pc, char *const *patterns, int count);
void pc_show_options(struct pc *pc, char *const *patterns, int count);
/* Does PATTERN ("smtp", "smtp/inet") name the service? REST: what follows a second slash. */
bool pc_service_matches(const char *pattern, const struct service *s, const char **rest);

/* The texts of reports (-t), with values for $names (EXPAND, -b); PATH as for bouncecf_open(). */
void pc_show_bounce(struct pc *pc, const char *path, bool expand);

enum pc_edit { PC_EDIT_SET, PC_EDIT_REMOVE, PC_EDIT_COMMENT };
void pc_edit_main(struct pc *pc, enum pc_edit what, char *const *args, int count);
enum pc_master_view { PC_MASTER_SERVICE, PC_MASTER_FIELD, PC_MASTER_OPTION };
void pc_edit_master(struct pc *pc, enum pc_master_view view, enum pc_edit what,
		    char *const *args, int count);
/* Replace DIR/NAME by TEXT: new file, owner and mode kept, synced, renamed. Fatal on error. */
void pc_replace_file(const char *dir, const char *name, struct sv text);
void pc_read_file(const char *dir, const char *name, struct buf *out);

#endif
