/*
 * proxymap/proxymap.h - look-ups for daemons that may open no tables.
 *
 * Security: a caller's class is that of the socket which it came by, and master alone decides who reaches
 *           which socket. A class gets answers only from tables which the parameters of its programs name
 *           (main.cf, and -o of those services in master.cf): a stolen smtpd cannot read password maps.
 *           Keys are hostile: bounded, data only.
 */
#ifndef PROXYMAP_PROXYMAP_H
#define PROXYMAP_PROXYMAP_H

#include "lib/base/hash.h"
#include "lib/server/server.h"

enum proxymap_class { PROXYMAP_NET, PROXYMAP_OUT, PROXYMAP_QUEUE, PROXYMAP_CLASSES };

struct proxymap {
	struct htab allowed[PROXYMAP_CLASSES]; /* "hash:/etc/x" -> anything */
	struct htab open;                      /* "hash:/etc/x" -> struct map; kept for the process's life */
};

/* proxymap_allow.c */
int proxymap_allow_load(struct proxymap *p, const struct config *cfg, struct err *e);
/* Add every "type:name" that stands in VALUE, a list as in main.cf. */
void proxymap_allow_tables(struct htab *to, struct sv value);
/* TABLE without its "proxy:". */
struct sv proxymap_table_name(struct sv table);
/* The class of a listener, or -1. */
int proxymap_class(const char *listener);

/* proxymap_serve.c */
int proxymap_paths(struct server *s, struct err *e);
int proxymap_pre_jail(struct server *s, struct err *e);
void proxymap_serve(struct server_conn *c);

#endif
