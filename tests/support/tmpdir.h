/*
 * tests/support/tmpdir.h - a directory for one test, removed with all that is in it.
 *
 * Layer: tests.
 */
#ifndef TESTS_SUPPORT_TMPDIR_H
#define TESTS_SUPPORT_TMPDIR_H

/* Path of a fresh directory; free with tmpdir_remove(). */
char *tmpdir_new(void);
void tmpdir_remove(char *path);

#endif
