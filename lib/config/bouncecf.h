/*
 * lib/config/bouncecf.h - the file of bounce_template_file: what reports of bounce(8) say to people.
 *
 * Layer:     config (bouncecf_parse() is pure; bouncecf_open() reads a file).
 * Ownership: bouncecf_open() .. bouncecf_free(); views point into the struct, the parser's into its input.
 * Errors:    a template that is wrong is left out with a complaint that names its line, and the built-in
 *            one stays: a report is never lost for its text.
 * Security:  the file is the admin's; its size and lines are bounded, and no octet of it can end a header
 *            line or a part of the report.
 * Standards: bounce(5) of Postfix 3.7.
 *
 *     failure_template = <<EOF
 *     Subject: It did not get there
 *
 *     This is $myhostname. ...
 *     EOF
 */
#ifndef CONFIG_BOUNCECF_H
#define CONFIG_BOUNCECF_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

struct config;

#define BOUNCECF_FILE_MAX (1u << 20)
#define BOUNCECF_LINE_MAX 900 /* octets; RFC 5322 2.1.1 ends at 998 */

enum bouncecf_kind {
	BOUNCECF_FAILURE,
	BOUNCECF_DELAY,
	BOUNCECF_SUCCESS,
	BOUNCECF_VERIFY, /* sendmail -bv and -v */
	BOUNCECF_KINDS
};

struct bouncecf_template {
	struct sv charset;            /* of .text, a MIME token */
	struct sv from;               /* this and the subjects: printable ASCII, one line */
	struct sv subject;
	struct sv postmaster_subject; /* empty for success and verify, which have no such copy */
	struct sv text;               /* lines; $names as written until bouncecf_expand() */
	unsigned line;                /* where .text begins; 0: built in */
};

/* "failure", "delay", "success", "verify"; in the file with "_template". */
const char *bouncecf_name(enum bouncecf_kind kind);
const struct bouncecf_template *bouncecf_builtin(enum bouncecf_kind kind);

/* LINE of the file, what is wrong there. */
typedef void bouncecf_complain_fn(void *arg, unsigned line, const char *text);

/* Templates of the file IN over the built-in ones: T is filled in whatever IN holds. How many complaints. */
unsigned bouncecf_parse(
	struct sv in, struct bouncecf_template t[BOUNCECF_KINDS], bouncecf_complain_fn *complain, void *arg);

struct bouncecf {
	const char *path; /* "" none */
	struct bouncecf_template t[BOUNCECF_KINDS];
	struct buf file;
	struct buf expanded[BOUNCECF_KINDS];
};

/* "FILE, line N: ..." */
typedef void bouncecf_warn_fn(void *arg, const char *text);

/*
 * The templates of PATH; NULL: of bounce_template_file; "": the built-in ones. 0, with a warning for each
 * template that is wrong; -1 with E: the file cannot be read, *B holds the built-in ones.
 */
MUST_USE int bouncecf_open(struct bouncecf *b, const struct config *cfg, const char *path,
	bouncecf_warn_fn *warn, void *arg, struct err *e);
/* Put values for the $names of all texts. What cannot be expanded is warned about and becomes the built-in
 * text. */
void bouncecf_expand(struct bouncecf *b, const struct config *cfg, bouncecf_warn_fn *warn, void *arg);
void bouncecf_free(struct bouncecf *b);

#endif
