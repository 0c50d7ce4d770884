/*
 * admin/merpati/merpati.h - the parts of the command merpati(1).
 *
 * Layer:    command (blocking, single-threaded).
 * Errors:   -1 with *e, whose text is the line that the user sees; main() picks the exit code.
 * Security: what root starts becomes the owner of a private instance before it touches a file of it.
 */
#ifndef ADMIN_MERPATI_MERPATI_H
#define ADMIN_MERPATI_MERPATI_H

#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/config/config.h"
#include "lib/config/params.h"

/* --- an instance that exists: instance.c --------------------------------------------------- */
struct instance {
	char *dir; /* configuration directory, absolute */
	struct config *cfg;
	struct params_core core;
	uid_t uid; /* its owner; root: a system instance */
	gid_t gid;
};

/* Read DIR/main.cf; become the owner when root asks. */
MUST_USE int instance_open(const char *dir, struct instance *out, struct err *e);
/* The same without changing who we are. */
MUST_USE int instance_read(const char *dir, struct instance *out, struct err *e);
void instance_close(struct instance *in);
MUST_USE int instance_become_owner(struct instance *in, struct err *e);
/* Who holds the lock of master: 1 and *pid, 0 nobody, -1. */
MUST_USE int instance_running(const struct instance *in, pid_t *pid, struct err *e);

/* --- init.c, init_system.c, init_files.c, init_tls.c ------------------------------------------------------- */
struct init_options {
	const char *dir;
	const char *domain; /* NULL (a system instance only): the host's own */
	const char *owner; /* NULL: the caller; for root: merpati-demo, which is made */
	unsigned ports;    /* base; 0: the kernel chooses */
};

MUST_USE int init_instance(const struct init_options *o, struct err *e);
MUST_USE int init_system(const struct init_options *o, struct err *e);
/* NAME in DIR made anew, durable but for its directory entry. */
MUST_USE int init_write_file(int dir, const char *name, mode_t mode, struct sv text, struct err *e);
/* ALIASES.db from the file ALIASES, by the instance in DIR. */
MUST_USE int init_build_aliases(const char *dir, const char *aliases, struct err *e);
/* tls/key.pem and tls/cert.pem below PATH, which must be there: for HOST, DOMAIN and localhost. */
MUST_USE int init_tls(const char *path, const char *host, const char *domain, struct err *e);
/* Texts of the files that init writes. */
void init_main_cf(
        const struct init_options *o, const char *dir, const char *owner, struct buf *out);
/* What a system instance finds on its host. */
struct init_host {
	const char *name;    /* full name; "": the host does not know it */
	const char *aliases; /* path of the file that holds the aliases */
	bool mailname;       /* /etc/mailname is there */
	bool tls;            /* a certificate was made */
};
void init_system_main_cf(const struct init_options *o, const struct init_host *host, const char *dir, struct buf *out);
void init_master_cf(bool system, struct buf *out);
void init_aliases(bool system, struct buf *out);

/* --- control.c: what a running master is asked ------------------------------------------------ */
MUST_USE int run_start(struct instance *in, struct err *e);
MUST_USE int run_foreground(struct instance *in, struct err *e);
MUST_USE int run_stop(struct instance *in, struct err *e);
MUST_USE int run_reload(struct instance *in, struct err *e);
MUST_USE int run_status(struct instance *in, struct err *e);
MUST_USE int run_flush(struct instance *in, struct err *e);
/* Run a program and wait for it: its exit status, or -1 with E. */
MUST_USE int run_program(const char *const *argv, struct err *e);

/* --- trace.c: WHAT is a queue id, a message-id or an address ----------------------------------- */
MUST_USE int run_trace(struct instance *in, const char *what, struct err *e);

/* --- check.c: 0 nothing wrong; -1 with the number of findings in E; findings go to stderr ----- */
MUST_USE int run_check(struct instance *in, struct err *e);

/* check_tls.c: what is wrong (or doubtful) with keys and certificates that services of master.cf name. */
typedef void check_tls_fn(void *arg, bool wrong, const char *text);
void check_tls_each(const struct instance *in, check_tls_fn *say, void *arg);

/* --- users.c --------------------------------------------------------------------------------- */
MUST_USE int user_add(struct instance *in, const char *name, struct err *e);
MUST_USE int user_del(struct instance *in, const char *name, struct err *e);
MUST_USE int user_passwd(struct instance *in, const char *name, struct err *e);
MUST_USE int user_list(struct instance *in, struct err *e);
bool user_domain_valid(struct sv domain);

/* --- postmaster.c: postmaster is USER unless the aliases name one. 0 or -1
 * ------------------------ */
MUST_USE int postmaster_default(struct instance *in, const char *user, struct err *e);

/* --- password.c --------------------------------------------------------------------------------
 */
#define PASSWORD_MAX 512
/* From standard input (first line), or asked for twice on a terminal. 0 or -1. */
MUST_USE int password_read(const char *user, char out[PASSWORD_MAX + 1], struct err *e);
/* "{CRYPT}$y$..." appended to OUT. 0 or -1. */
MUST_USE int password_hash(const char *password, struct buf *out, struct err *e);

#endif
