#include "tests/support/tmpdir.h"

#include <fts.h>

#include "lib/base/buf.h"

char *tmpdir_new(void)
{
	const char *base = getenv("TMPDIR");
	struct buf b;
	buf_init(&b, 4096);
	buf_printf(&b, "%s/merpati-test.XXXXXX", base ? base : "/tmp");
	char *path = buf_steal(&b);
	if (!mkdtemp(path))
		abort();
	return path;
}

void tmpdir_remove(char *path)
{
	char *const roots[] = { path, NULL };
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	for (FTSENT *f; walk && (f = fts_read(walk)) != NULL;) {
		if (f->fts_info == FTS_DP)
			(void)rmdir(f->fts_accpath);
		else if (f->fts_info != FTS_D)
			(void)unlink(f->fts_accpath);
	}
	if (walk)
		fts_close(walk);
	free(path);
}
