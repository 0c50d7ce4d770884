/*
 * sendmail/sendmail.h - what the command line asked for, and one mail made from it.
 */
#ifndef SENDMAIL_SENDMAIL_H
#define SENDMAIL_SENDMAIL_H

#include <sysexits.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/config/params.h"

enum sm_mode { SM_MAIL, SM_SMTP, SM_MAILQ, SM_NEWALIASES, SM_DAEMON, SM_FLUSH, SM_IGNORE };

struct sm_rcpt {
	struct sv address, orcpt; /* ORCPT "type;address", decoded, or empty */
	unsigned notify;          /* 0: what the mail says */
};

struct sm_list {
	struct sm_rcpt *v;
	size_t n, cap;
};

struct sm_options {
	enum sm_mode mode;
	const char *config_dir;   /* -C */
	const char *sender;       /* -f, -r; NULL: the login name */
	const char *full_name;    /* -F */
	const char *envid;        /* -V */
	const char *body_type;    /* -B */
	const char *alias_db;     /* -oA */
	const char *flush_site;   /* -qR */
	const char *flush_id;     /* -qI */
	unsigned notify;          /* -N */
	unsigned ret;             /* -R */
	unsigned trace;           /* enum drop_trace: -bv, -v */
	bool extract;             /* -t */
	bool dot_ends;            /* not -i */
	int first_arg;            /* recipients in argv from here on */
};

/* One mail: envelope in internal form; content with LF line ends. */
struct sm_mail {
	struct sv sender, full_name, envid, body_type;
	unsigned notify, ret, trace;
	struct sm_list rcpts;
	struct buf content;
};

/* "sendmail: fatal: text" and exit(CODE). */
void sm_fatal(int code, const char *fmt, ...) PRINTF_LIKE(2, 3) NORETURN;

/* sendmail_args.c */
void sm_args(int argc, char **argv, struct sm_options *o);

/* sendmail_read.c */
/* All of stdin, with its line ends made LF; ends at "." when DOT_ENDS. LIMIT 0: none. */
void sm_read(struct buf *content, bool dot_ends, const char *fix_line_endings, long limit);
/* Addresses in TEXT, internal form, to the end of LIST. */
void sm_add_addrs(struct arena *a, struct sm_list *list, struct sv text);
void sm_list_add(struct sm_list *list, struct sm_rcpt rcpt);
/* Recipients out of To, Cc, Bcc, or of their Resent- relatives when there are some. */
void sm_extract(struct arena *a, struct sm_list *list, struct sv content);
/* The only address of TEXT, for -f; empty for "" and "<>". */
struct sv sm_sender(struct arena *a, const char *text);
/* Login name and full name (NAME, or the user database) of the caller. */
struct sv sm_login(struct arena *a);
struct sv sm_full_name(struct arena *a, const char *option);

/* sendmail_submit.c: 0, or a sysexits code with the reason in E. */
int sm_submit(const struct params_core *core, const struct sm_mail *m, struct buf *reply, struct err *e);

/* sendmail_smtp.c: an SMTP dialogue on stdin and stdout; the exit code. */
int sm_smtp(const struct params_core *core);

#endif
