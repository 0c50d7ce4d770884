/*
 * lib/config/params.h - the table of parameters as typed structs, one a section, and its rows.
 *
 * Layer:     config.
 * Ownership: strings in a params_* struct live as long as the configuration they came from.
 * Errors:    loaders return 0, or -1 with class CONFIG: name, value, file and line, what is wrong.
 *
 * A section is a file lib/config/params/<section>.def. Its PARAM rows are fields here, named as
 * the parameter; KNOWN rows are names of Postfix that nothing here reads yet. See README.
 *
 *     struct params_smtpd p;
 *     if (params_smtpd_load(cfg, &p, &e) < 0) ...
 *     deadline = clock_in(p.smtpd_timeout);
 */
#ifndef CONFIG_PARAMS_H
#define CONFIG_PARAMS_H

#include "lib/config/config.h"

/* X(section): the only list of sections. */
#define CONFIG_SECTIONS(X) \
	X(core) X(smtpd) X(smtp) X(lmtp) X(cleanup) X(qmgr) X(rewrite) X(local) X(virtual) \
	X(bounce) X(pickup) X(sendmail) X(master) X(anvil) X(dnsd) X(proxymap) X(auth) \
	X(login) X(pop3d) X(imapd) X(postman) X(store) X(postlogd) X(tls) X(postscreen) X(verify) \
	X(other)

enum param_section {
#define X(s) SECTION_##s,
	CONFIG_SECTIONS(X)
#undef X
	SECTION_transport,
	SECTION_COUNT
};

enum param_type {
	PARAM_STR,  /* const char *, expanded */
	PARAM_RAW,  /* const char *, as written: the reader expands it with names of its own */
	PARAM_BOOL, /* bool: yes, no */
	PARAM_INT,  /* int */
	PARAM_TIME, /* long, seconds; bare numbers have the unit of the default */
	PARAM_SIZE, /* long, octets */
	PARAM_LINE  /* const char *, expanded; "/file" stands for the first line of that file */
};

enum param_state { PARAM_IMPLEMENTED, PARAM_KNOWN };

/* One row of the table; also what postconf and gendoc read. */
struct param_row {
	const char *name; /* SECTION_transport: the suffix, "_destination_concurrency_limit" */
	const char *def;  /* "@name": computed, see paths.h */
	const char *since;
	const char *summary;
	const char *text;
	enum param_type type;
	enum param_state state;
	enum param_section section;
	size_t offset; /* in the section's struct; implemented rows only */
	long lo, hi;   /* bounds of numbers; hi 0: none */
};

#define PARAM_CTYPE_STR  const char *
#define PARAM_CTYPE_RAW  const char *
#define PARAM_CTYPE_BOOL bool
#define PARAM_CTYPE_INT  int
#define PARAM_CTYPE_TIME long
#define PARAM_CTYPE_SIZE long
#define PARAM_CTYPE_LINE const char *

#define PARAM(T, n, ...)             PARAM_CTYPE_##T n;
#define PARAM_AS(T, field, str, ...) PARAM_CTYPE_##T field;
#define KNOWN(...)

/* clang-format off */
struct params_core {
	const struct config *config;
#include "lib/config/params/core.def"
};
struct params_smtpd {
	const struct config *config;
#include "lib/config/params/smtpd.def"
};
struct params_smtp {
	const struct config *config;
#include "lib/config/params/smtp.def"
};
struct params_lmtp {
	const struct config *config;
#include "lib/config/params/lmtp.def"
};
struct params_cleanup {
	const struct config *config;
#include "lib/config/params/cleanup.def"
};
struct params_qmgr {
	const struct config *config;
#include "lib/config/params/qmgr.def"
};
struct params_rewrite {
	const struct config *config;
#include "lib/config/params/rewrite.def"
};
struct params_local {
	const struct config *config;
#include "lib/config/params/local.def"
};
struct params_virtual {
	const struct config *config;
#include "lib/config/params/virtual.def"
};
struct params_bounce {
	const struct config *config;
#include "lib/config/params/bounce.def"
};
struct params_pickup {
	const struct config *config;
#include "lib/config/params/pickup.def"
};
struct params_sendmail {
	const struct config *config;
#include "lib/config/params/sendmail.def"
};
struct params_master {
	const struct config *config;
#include "lib/config/params/master.def"
};
struct params_anvil {
	const struct config *config;
#include "lib/config/params/anvil.def"
};
struct params_dnsd {
	const struct config *config;
#include "lib/config/params/dnsd.def"
};
struct params_proxymap {
	const struct config *config;
#include "lib/config/params/proxymap.def"
};
struct params_auth {
	const struct config *config;
#include "lib/config/params/auth.def"
};
struct params_login {
	const struct config *config;
#include "lib/config/params/login.def"
};
struct params_pop3d {
	const struct config *config;
#include "lib/config/params/pop3d.def"
};
struct params_imapd {
	const struct config *config;
#include "lib/config/params/imapd.def"
};
struct params_postman {
	const struct config *config;
#include "lib/config/params/postman.def"
};
struct params_store {
	const struct config *config;
#include "lib/config/params/store.def"
};
struct params_postlogd {
	const struct config *config;
#include "lib/config/params/postlogd.def"
};
struct params_tls {
	const struct config *config;
#include "lib/config/params/tls.def"
};
struct params_postscreen {
	const struct config *config;
#include "lib/config/params/postscreen.def"
};
struct params_verify {
	const struct config *config;
#include "lib/config/params/verify.def"
};
struct params_other {
	const struct config *config;
#include "lib/config/params/other.def"
};
/* clang-format on */

#undef PARAM
#undef PARAM_AS
#undef KNOWN

/* params_<section>_load(cfg, &struct, &err): 0, or -1 when a value is wrong. */
#define X(s) MUST_USE int params_##s##_load(const struct config *cfg, struct params_##s *out, \
					    struct err *e);
CONFIG_SECTIONS(X)
#undef X

/* All rows but the per-transport ones, in the order of sections; and the per-transport ones. */
const struct param_row *params_rows(size_t *count);
const struct param_row *params_transport_rows(size_t *count);
/* The row of NAME, or NULL. */
const struct param_row *params_find(struct sv name);
/* The per-transport row whose suffix ends NAME (which is longer than the suffix), or NULL. */
const struct param_row *params_find_transport(struct sv name);
const char *params_section_name(enum param_section s);
const char *params_type_name(enum param_type t);

/*
 * Parse an expanded VALUE by its row. 0 and *num for numbers and booleans; -1 and a text without
 * the place.
 */
MUST_USE int params_parse(const struct param_row *row, const char *value, long *num,
			  struct err *e);
/* Seconds from "3d", "300" (DEFAULT_UNIT). 0 or -1. */
MUST_USE int params_parse_time(struct sv text, char default_unit, long *out);

#endif
