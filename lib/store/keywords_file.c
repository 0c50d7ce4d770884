/* dovecot-keywords on disk: replaced as a whole under dovecot-uidlist.lock. */
#include <errno.h>

#include "lib/store/maildir_box.h"
#include "lib/sys/sys.h"

#define FILE_NAME "dovecot-keywords"

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int maildir_keywords_read(struct maildir_box *b, const struct maildir_dir *d, struct err *e)
{
	struct stat st;
	int fd = sys_openat(d->dir, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0) {
		if (errno != ENOENT)
			return err_sys(e, errno, "open %s/%s", d->path, FILE_NAME);
		b->kw = (struct keywords){ 0 };
		b->kw_loaded = false;
		return 0;
	}
	char text[KEYWORDS_FILE_MAX];
	int rc = sys_fstat(fd, &st);
	ssize_t n = 0;
	if (rc == 0 && !(b->kw_loaded && same_file(&st, &b->kw_stat))) {
		n = sys_pread(fd, text, sizeof(text), 0);
		rc = n < 0 ? -1 : 0;
		if (rc == 0) {
			keywords_parse(sv_n(text, (size_t)n), &b->kw);
			b->kw_stat = st;
			b->kw_loaded = true;
		}
	}
	int saved = errno;
	sys_close(fd);
	return rc < 0 ? err_sys(e, saved, "read %s/%s", d->path, FILE_NAME) : 0;
}

int maildir_keywords_write(
        struct maildir_box *b, const struct maildir_dir *d, const struct keywords *k, struct err *e)
{
	struct buf text;
	buf_init(&text, KEYWORDS_FILE_MAX);
	(void)keywords_format(&text, k);
	const char *tmp = FILE_NAME ".lock"; /* the name that Dovecot writes it under */
	(void)sys_unlinkat(d->dir, tmp, 0);  /* ours by dovecot-uidlist.lock: a left-over */
	int fd = sys_openat(d->dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	int rc = fd < 0 ? -1 : 0;
	if (rc == 0 && (sys_write_all(fd, text.p, text.len) < 0 || sys_fsync(fd) < 0))
		rc = -1;
	if (rc == 0)
		rc = sys_renameat(d->dir, tmp, d->dir, FILE_NAME);
	int saved = errno;
	if (fd >= 0)
		sys_close(fd);
	buf_free(&text);
	if (rc < 0) {
		(void)sys_unlinkat(d->dir, tmp, 0);
		return err_sys(e, saved, "write %s/%s", d->path, FILE_NAME);
	}
	b->kw = *k;
	b->kw_loaded = false; /* stat it at the next read */
	return maildir_sync(d->dir, d->path, "", e);
}
