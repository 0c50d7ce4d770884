#include "qmgr/qmgr_feedback.h"

#include <math.h>

/* Digits with at most one point, at the start of *REST. 0 or -1. */
static int take_number(struct sv *rest, double *out)
{
	double scale = 0, v = 0;
	size_t n = 0, digits = 0;
	for (; n < rest->len && digits <= 9; n++) {
		char c = rest->p[n];
		if (c == '.' && scale == 0) {
			scale = 1;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		v = v * 10 + (c - '0');
		scale *= 10;
		digits++;
	}
	*rest = sv_trim(sv_from(*rest, n));
	*out = scale > 0 ? v / scale : v;
	return digits > 0 && digits <= 9 ? 0 : -1;
}

int feedback_parse(struct sv text, struct feedback *out)
{
	struct sv rest = sv_trim(text);
	struct feedback f = { .kind = FEEDBACK_CONSTANT };
	if (take_number(&rest, &f.base) < 0)
		return -1;
	if (rest.len > 0) {
		double by;
		if (rest.p[0] != '/')
			return -1;
		rest = sv_trim(sv_from(rest, 1));
		if (sv_ieqz(rest, "concurrency"))
			f.kind = FEEDBACK_CONCURRENCY;
		else if (sv_ieqz(rest, "sqrt_concurrency"))
			f.kind = FEEDBACK_SQRT;
		else if (take_number(&rest, &by) == 0 && rest.len == 0 && by > 0)
			f.base /= by;
		else
			return -1;
	}
	if (f.base < 0 || f.base > 1)
		return -1;
	*out = f;
	return 0;
}

double feedback_step(const struct feedback *f, unsigned window)
{
	switch (f->kind) {
	case FEEDBACK_CONCURRENCY: return f->base / window;
	case FEEDBACK_SQRT: return f->base / sqrt(window);
	case FEEDBACK_CONSTANT:
	default: return f->base;
	}
}
