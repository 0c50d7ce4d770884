#include "lib/store/mbox_append.h"

int mbox_locks_parse(const char *name, const char *list, unsigned *out, struct err *e)
{
	static const struct {
		const char *word;
		unsigned lock;
	} words[] = { { "fcntl", MBOX_LOCK_FCNTL }, { "lockf", MBOX_LOCK_FCNTL }, { "flock", MBOX_LOCK_FLOCK },
		{ "dotlock", MBOX_LOCK_DOT } };
	struct sv rest = sv_z(list);
	*out = 0;
	while (!sv_empty(rest)) {
		struct sv item = sv_take_until(&rest, ',');
		struct sv w;
		while (!sv_empty(w = sv_take_word(&item))) {
			size_t i = 0;
			while (i < ARRAY_LEN(words) && !sv_ieqz(w, words[i].word))
				i++;
			if (i == ARRAY_LEN(words))
				return err_set(e, ERR_CONFIG, "%s: unknown word \"%.*s\"", name, SV_ARG(w));
			*out |= words[i].lock;
		}
	}
	return 0;
}
