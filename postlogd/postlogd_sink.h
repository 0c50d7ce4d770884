/*
 * postlogd/postlogd_sink.h - where log lines go: a file, standard output, or the system's log.
 *
 * Layer:     postlogd (system calls).
 * Ownership: postlogd_sink_open() .. postlogd_sink_close().
 * Errors:    a line that cannot be written now is kept (up to SINK_KEEP octets) and tried again by the
 *            next flush; what does not fit is counted and the count is logged when writing works again.
 * Security:  every line is cleaned and cut here, whatever the sender did; a datagram is one line.
 *
 * A file is opened with O_APPEND and opened anew when its name stands for another file (rotation by
 * rename); looked at once a second, while there is something to write.
 */
#ifndef POSTLOGD_POSTLOGD_SINK_H
#define POSTLOGD_POSTLOGD_SINK_H

#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define SINK_KEEP (1024 * 1024)

enum sink_kind { SINK_FILE, SINK_STDOUT, SINK_SYSLOG };

struct postlogd_sink {
	enum sink_kind kind;
	char *path; /* SINK_FILE */
	mode_t mode;
	int fd;     /* of the file, of stdout, or a datagram socket to /dev/log */
	int64_t looked_ms;
	struct buf waiting;
	unsigned long lost;
	int why; /* errno of the write that failed last, 0: all is well */
};

/*
 * FILE is maillog_file: empty for the system's log, /dev/stdout, or a path below one of PREFIXES.
 * MODE as in maillog_file_permissions. 0 or -1, class CONFIG or TEMP.
 */
MUST_USE int postlogd_sink_open(struct postlogd_sink *k, const char *file, const char *prefixes,
	const char *mode, struct err *e);
void postlogd_sink_close(struct postlogd_sink *k);
/* One datagram of a sender. */
void postlogd_sink_line(struct postlogd_sink *k, const char *p, size_t n);
/* Write what waits. NOW_MS: monotonic. */
void postlogd_sink_flush(struct postlogd_sink *k, int64_t now_ms);

#endif
