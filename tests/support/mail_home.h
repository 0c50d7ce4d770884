/*
 * tests/support/mail_home.h - a user's home with a Maildir that a dialogue (chat.h) can fill and
 * change.
 *
 * Layer: tests (header only).
 *
 * Commands of a .chat file that mail_home_call() knows:
 *
 *     $ mail NAME FILE [INFO]   copy tests/daemon/mails/FILE to INBOX, base name NAME; with INFO
 * ("S", "") into cur/ with these flags, without into new/ $ text NAME TEXT          the same with a
 * text, \n for line ends $ many COUNT FILE         COUNT copies $ remove NAME             remove
 * the file, as another program would $ break NAME              cut the file off after ten octets
 */
#ifndef TESTS_SUPPORT_MAIL_HOME_H
#define TESTS_SUPPORT_MAIL_HOME_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/chat.h"
#include "tests/support/tmpdir.h"

struct mail_home {
	char *dir;
	char maildir[500];
};

static inline void mail_home_make(struct mail_home *h)
{
	static const char *const dirs[] = { "", "/new", "/cur", "/tmp" };
	char path[700];

	h->dir = tmpdir_new();
	snprintf(h->maildir, sizeof(h->maildir), "%s/Maildir", h->dir);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		snprintf(path, sizeof(path), "%s%s", h->maildir, dirs[i]);
		if (mkdir(path, 0700) < 0)
			abort();
	}
}

static inline void mail_home_free(struct mail_home *h)
{
	tmpdir_remove(h->dir);
}

static inline void mail_home_write(
        struct mail_home *h, const char *sub, const char *name, struct sv text)
{
	char tmp[1200], path[1200];

	snprintf(tmp, sizeof(tmp), "%s/tmp/%s", h->maildir, name);
	snprintf(path, sizeof(path), "%s/%s/%s", h->maildir, sub, name);
	FILE *f = fopen(tmp, "w");

	if (!f || fwrite(text.p, 1, text.len, f) != text.len || fclose(f) != 0 ||
	        rename(tmp, path) < 0)
		abort();
}

/* The file whose base name begins with NAME: its path. False: there is none. */
static inline bool mail_home_find(struct mail_home *h, const char *name, char path[static 1200])
{
	static const char *const subs[] = { "new", "cur" };
	char dir[700];

	for (size_t i = 0; i < ARRAY_LEN(subs); i++) {
		snprintf(dir, sizeof(dir), "%s/%s", h->maildir, subs[i]);
		DIR *d = opendir(dir);

		for (struct dirent *de; d && (de = readdir(d)) != NULL;)
			if (strncmp(de->d_name, name, strlen(name)) == 0) {
				snprintf(path, 1200, "%s/%s", dir, de->d_name);
				closedir(d);
				return true;
			}
		if (d)
			closedir(d);
	}
	return false;
}

static inline void mail_home_load(const char *file, struct buf *out)
{
	char path[1200], piece[4096];

	snprintf(path, sizeof(path), "%s/tests/daemon/mails/%s", T_SOURCE_DIR, file);
	FILE *f = fopen(path, "r");

	if (!f)
		abort();
	for (size_t n; (n = fread(piece, 1, sizeof(piece), f)) > 0;)
		buf_put(out, piece, n);
	fclose(f);
}

static inline void mail_home_put(
        struct mail_home *h, struct sv name, struct sv text, const char *info)
{
	char file[400];

	if (info)
		snprintf(file, sizeof(file), "%.*s:2,%s", SV_ARG(name), info);
	else
		snprintf(file, sizeof(file), "%.*s", SV_ARG(name));
	mail_home_write(h, info ? "cur" : "new", file, text);
}

/* chat.call, ctx a struct mail_home */
static inline void mail_home_call(void *ctx, struct sv name, struct sv rest)
{
	struct mail_home *h = ctx;
	struct buf b;
	char path[1200], z[600];

	buf_init(&b, 64 << 20);
	if (sv_eqz(name, "mail")) {
		struct sv base = sv_take_word(&rest), file = sv_take_word(&rest), info = rest;
		char infoz[20];

		snprintf(z, sizeof(z), "%.*s", SV_ARG(file));
		snprintf(infoz, sizeof(infoz), "%.*s", SV_ARG(info));
		mail_home_load(z, &b);
		mail_home_put(h, base, buf_sv(&b), infoz[0] == '-' ? "" : infoz[0] ? infoz : NULL);
	} else if (sv_eqz(name, "text")) {
		struct sv base = sv_take_word(&rest);

		chat_unescape(rest, &b);
		mail_home_put(h, base, buf_sv(&b), NULL);
	} else if (sv_eqz(name, "many")) {
		struct sv count = sv_take_word(&rest);
		uint32_t n = 0;

		for (size_t i = 0; i < count.len; i++)
			n = n * 10 + (uint32_t)(count.p[i] - '0');
		snprintf(z, sizeof(z), "%.*s", SV_ARG(rest));
		mail_home_load(z, &b);
		for (uint32_t i = 0; i < n; i++) {
			snprintf(path, sizeof(path), "%u.M%06u.many", 1000000000 + (unsigned)i,
			        (unsigned)i);
			mail_home_put(h, sv_z(path), buf_sv(&b), NULL);
		}
	} else if (sv_eqz(name, "rmbox")) {
		snprintf(path, sizeof(path), "%s/%.*s", h->maildir, SV_ARG(rest));
		tmpdir_remove(mem_strdup(path));
	} else {
		snprintf(z, sizeof(z), "%.*s", SV_ARG(rest));
		if (!mail_home_find(h, z, path) ||
		        (sv_eqz(name, "remove") ? unlink(path) : truncate(path, 10)) < 0)
			abort();
	}
	buf_free(&b);
}

#endif
