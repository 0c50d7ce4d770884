/*
 * admin/postsuper/postsuper.h - actions on mails in the queue, and the check of its structure.
 */
#ifndef ADMIN_POSTSUPER_H
#define ADMIN_POSTSUPER_H

#include "lib/queue/queue_dir.h"

/* "postsuper: text" on stderr, and in the log. */
void ps_say(const char *fmt, ...) PRINTF_LIKE(1, 2);
void ps_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * postsuper_check.c: directories that are missing are made; a mail that lies in the wrong place of its
 * queue, or under another name than its header's, is moved there; with PURGE, leftovers of processes that
 * died are removed. QUEUES: bits 1 << enum queue_name. 0, or 1 when something could not be mended.
 */
int ps_check(struct queue *q, unsigned queues, bool purge);

#endif
