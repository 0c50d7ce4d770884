/*
 * lib/config/paths.h - where this installation lives, and values that are another's.
 *
 * Layer:     config (reads /proc/self/exe once a call).
 * Ownership: strings from paths_builtin() are copies in the caller's buffer.
 * Security:  a process with another's rights (AT_SECURE) trusts the compiled-in prefix only.
 *
 * A program in X/libexec/merpati, X/sbin or X/bin has prefix X: an installation can be moved, and
 * a build tree works in place. Otherwise the prefix is the compiled-in one.
 */
#ifndef CONFIG_PATHS_H
#define CONFIG_PATHS_H

#include "lib/base/buf.h"
#include "lib/base/sv.h"

/* The compiled-in configuration directory (/etc/merpati). */
const char *paths_config_dir(void);

/*
 * Append the value that a default "@KIND" stands for: daemon_directory, command_directory,
 * manpage_directory, mailq_path, newaliases_path, sendmail_path, mail_version, process_id,
 * process_name, myhostname. False: not a kind of this file.
 */
bool paths_builtin(const char *kind, struct buf *out);

/* VALUE of parameter NAME is Postfix's own on some distribution: use the built-in one. */
bool paths_is_foreign(const char *name, struct sv value);

#endif
