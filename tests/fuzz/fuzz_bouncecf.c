/* links: config base */
/* Any template file: every complaint names a line of it; every template that is left can stand in a report. */
#include <stdlib.h>

#include "lib/base/utf8.h"
#include "lib/config/bouncecf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	unsigned n, lines;
};

static void complain(void *arg, unsigned line, const char *text)
{
	struct seen *s = arg;
	s->n++;
	if (line == 0 || line > s->lines || text[0] == '\0')
		abort();
}

static void check_header(struct sv v)
{
	if (v.len == 0 || v.len > BOUNCECF_LINE_MAX || !sv_is_print(v))
		abort();
}

static void check(const struct bouncecf_template *t, bool has_postmaster)
{
	struct sv rest = t->text, line;
	check_header(t->charset);
	check_header(t->from);
	check_header(t->subject);
	if (has_postmaster)
		check_header(t->postmaster_subject);
	else if (t->postmaster_subject.len > 0)
		abort();
	if (rest.len == 0 || (sv_ieqz(t->charset, "us-ascii") && !utf8_is_ascii(rest)))
		abort();
	while (sv_take_line(&rest, &line)) {
		if (line.len > BOUNCECF_LINE_MAX)
			abort();
		for (size_t i = 0; i < line.len; i++)
			if ((unsigned char)line.p[i] < ' ' && line.p[i] != '\t')
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bouncecf_template t[BOUNCECF_KINDS];
	struct sv in = sv_n((const char *)data, size), rest = in, line;
	struct seen s = { 0, 1 };
	while (sv_take_line(&rest, &line))
		s.lines++;
	if (bouncecf_parse(in, t, complain, &s) != s.n)
		abort();
	for (unsigned k = 0; k < BOUNCECF_KINDS; k++)
		check(&t[k], k == BOUNCECF_FAILURE || k == BOUNCECF_DELAY);
	return 0;
}
