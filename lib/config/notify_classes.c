#include "lib/config/notify_classes.h"

static const char *const words[] = {
#define X(name, word) [NOTIFY_BIT_##name] = word,
	NOTIFY_CLASSES(X)
#undef X
};

static int add_word(struct sv word, unsigned *out)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (sv_ieqz(word, words[i])) {
			*out |= 1u << i;
			return 0;
		}
	return -1;
}

int notify_classes_parse(const char *text, unsigned *out, struct err *e)
{
	struct sv rest = sv_z(text);
	*out = 0;
	while (!sv_empty(rest)) {
		struct sv item = sv_take_until(&rest, ','), word;
		while (!sv_empty(word = sv_take_word(&item)))
			if (add_word(word, out) < 0)
				return err_set(e, ERR_CONFIG,
					"notify_classes: \"%.*s\" is none of bounce, 2bounce, data, delay, "
					"policy, protocol, resource, software", SV_ARG(sv_upto(word, 100)));
	}
	if (*out & NOTIFY_CLASS_BOUNCE)
		*out |= NOTIFY_CLASS_2BOUNCE;
	return 0;
}

const char *notify_class_name(unsigned classes)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (classes & 1u << i)
			return words[i];
	return "none";
}
