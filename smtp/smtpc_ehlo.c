#include "smtp/smtpc_ehlo.h"

#include "lib/base/num.h"

static const struct {
	const char *word;
	unsigned bit;
} words[] = {
	{ "PIPELINING", SMTPC_PIPELINING },
	{ "SIZE", SMTPC_SIZE },
	{ "8BITMIME", SMTPC_8BITMIME },
	{ "DSN", SMTPC_DSN },
	{ "SMTPUTF8", SMTPC_SMTPUTF8 },
	{ "STARTTLS", SMTPC_STARTTLS },
	{ "AUTH", SMTPC_AUTH },
	{ "CHUNKING", SMTPC_CHUNKING },
	{ "ENHANCEDSTATUSCODES", SMTPC_ENHANCED },
	{ "XFORWARD", SMTPC_XFORWARD },
};

static unsigned bit_of(struct sv word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (sv_ieqz(word, words[i].word))
			return words[i].bit;
	return 0;
}

/* Old servers say AUTH=LOGIN. */
static struct sv take_keyword(struct sv *line)
{
	struct sv word = sv_take_word(line);
	return sv_istarts(word, SV("AUTH=")) ? sv_upto(word, 4) : word;
}

void smtpc_ehlo_parse(struct sv text, unsigned discard, struct smtpc_ehlo *out)
{
	struct sv line;
	*out = (struct smtpc_ehlo){ .features = SMTPC_EHLO };
	for (bool first = true; sv_take_line(&text, &line); first = false) {
		struct sv rest = sv_from(line, 4);
		struct sv word = take_keyword(&rest);
		if (first) {
			out->domain = word;
			continue;
		}
		unsigned bit = bit_of(word) & ~discard;
		out->features |= bit;
		uint64_t size;
		if (bit == SMTPC_SIZE && num_u64(sv_take_word(&rest), &size) == 1)
			out->size = size;
	}
}

int smtpc_ehlo_words(struct sv list, unsigned *bits, struct sv *unknown)
{
	/* words that this client never uses cost nothing to discard */
	static const char *const unused[] = { "silent-discard", "etrn", "vrfy", "verp", "help", "xclient", "requiretls",
		"expn", "binarymime" };
	struct sv word;
	*unknown = SV_NONE;
	while (smtpc_dest_take(&list, &word)) {
		unsigned bit = bit_of(word);
		bool known = bit != 0;
		for (size_t i = 0; i < ARRAY_LEN(unused); i++)
			known = known || sv_ieqz(word, unused[i]);
		if (!known)
			*unknown = word;
		*bits |= bit;
	}
	return sv_empty(*unknown) ? 1 : 0;
}
