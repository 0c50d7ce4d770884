#include "tests/support/t.h"

static char current[256];

void t_case(const char *name)
{
	snprintf(current, sizeof(current), "%s", name);
}

void t_assert_sv_at(struct sv got, const char *want, const char *file, int line)
{
	if (sv_eqz(got, want))
		return;
	print_error("case [%s]: got [%.*s], want [%s]\n", current, SV_ARG(got), want);
	_fail(file, line);
}
