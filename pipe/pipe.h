/*
 * pipe/pipe.h - private types of this folder.
 *
 * The way of a request: pipe_handle() -> pipe_expand() arguments, pipe_input() the mail -> a postman.
 */
#ifndef PIPE_PIPE_H
#define PIPE_PIPE_H

#include "lib/base/arena.h"
#include "lib/config/params.h"
#include "lib/deliver/deliver.h"
#include "lib/ipc/ipc.h"
#include "lib/server/server.h"

#define PIPE_PARTIAL  "partial" /* directory below the queue directory, for files without a name */
#define PIPE_ARGV_MAX 20000     /* arguments of a program */

enum pipe_flag {
	PIPE_BLANK_END = 1,      /* B: an empty line behind the mail */
	PIPE_DELIVERED_TO = 2,   /* D: Delivered-To, and loops are found */
	PIPE_FROM_LINE = 4,      /* F */
	PIPE_ORIGINAL_TO = 8,    /* O: X-Original-To */
	PIPE_RETURN_PATH = 16,   /* R */
	PIPE_FINAL = 32,         /* X: "delivered", not "relayed" */
	PIPE_FOLD_DOMAIN = 64,   /* h */
	PIPE_QUOTE = 128,        /* q */
	PIPE_FOLD_LOCAL = 256,   /* u */
	PIPE_DOT = 512,          /* '.': one more in front of a line that starts with one */
	PIPE_QUOTE_FROM = 1024,  /* '>': in front of "From " */
};

/* A service, as its line in master.cf says. */
struct pipe_def {
	unsigned flags;         /* enum pipe_flag */
	bool has_user;          /* user= is there: auth reads its value */
	const char *directory;  /* NULL: the queue directory */
	struct sv eol;
	const char *null_sender;
	int64_t size_limit;     /* 0: none */
	char **argv;            /* as written */
	size_t argc;
};

/* The process. */
struct pipe_agent {
	struct params_core core;
	struct arena arena; /* of .def: as long as the process */
	struct pipe_def def;
	const char *service;
	int64_t limit_ms;
	struct ipc_pool *postmen;
};

void pipe_handle(struct deliver_request *rq, void *ctx);

/* The N arguments of a service; what is kept of them lives in A. 0, or -1 with E (CONFIG). */
MUST_USE int pipe_args(char **args, int n, struct arena *a, struct pipe_def *out, struct err *e);

/* How addresses are taken apart. */
struct pipe_rules {
	const char *delimiters;
	bool owner_request_special;
};
/* The arguments for a request; without recipients: only whether every macro is known. 0, or -1 with E. */
MUST_USE int pipe_expand(const struct pipe_def *d, const struct deliver_request *rq, const struct pipe_rules *rules,
	struct arena *a, struct sv_list *out, struct err *e);

/* --- pipe_text.c: the mail's lines, in blocks of any size. Zero is the start of a line. ------------- */
struct pipe_text {
	unsigned flags;
	struct sv eol;
	unsigned matched; /* octets of "From " held back */
	bool in_line;
};
/* Append a block to OUT. 0, or -1 at its ceiling. */
MUST_USE int pipe_text_put(struct pipe_text *t, struct sv block, struct buf *out);
MUST_USE int pipe_text_end(struct pipe_text *t, struct buf *out);

/* A file without a name that holds RQ's mail as D wants it. 0 with *FD at its start, -1 with E. */
MUST_USE int pipe_input(const struct pipe_def *d, const struct deliver_request *rq, int *fd, struct err *e);
/* Does a Delivered-To field of RQ's mail name ADDRESS? 1, 0, -1 with E. */
MUST_USE int pipe_loops(const struct deliver_request *rq, struct sv address, struct err *e);
/* RQ's sender, or what stands for the empty one. */
struct sv pipe_sender(const struct pipe_def *d, const struct deliver_request *rq);

#endif
