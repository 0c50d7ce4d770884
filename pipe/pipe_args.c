/* "flags=Rhu user=x argv=/prog a b": what a service's line says. */
#include "lib/base/num.h"
#include "pipe/pipe.h"

static const struct {
	char letter;
	unsigned flag;
} letters[] = { { 'B', PIPE_BLANK_END }, { 'D', PIPE_DELIVERED_TO }, { 'F', PIPE_FROM_LINE },
	{ 'O', PIPE_ORIGINAL_TO }, { 'R', PIPE_RETURN_PATH }, { 'X', PIPE_FINAL }, { 'h', PIPE_FOLD_DOMAIN },
	{ 'q', PIPE_QUOTE }, { 'u', PIPE_FOLD_LOCAL }, { '.', PIPE_DOT }, { '>', PIPE_QUOTE_FROM } };

static int take_flags(struct sv value, unsigned *out, struct err *e)
{
	for (size_t k = 0; k < value.len; k++) {
		size_t i = 0;
		while (i < ARRAY_LEN(letters) && letters[i].letter != value.p[k])
			i++;
		if (i == ARRAY_LEN(letters) && value.p[k] != ' ' && value.p[k] != ',')
			return err_set(e, ERR_CONFIG, "flags=: unknown flag '%c'", value.p[k]);
		*out |= i < ARRAY_LEN(letters) ? letters[i].flag : 0;
	}
	return 0;
}

/* "\r\n" and its like, octal too. */
static int take_eol(struct sv value, struct arena *a, struct sv *out, struct err *e)
{
	static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
	struct buf b;
	int rc = 0;
	buf_init(&b, 100);
	for (size_t i = 0; i < value.len && rc == 0; i++) {
		char c = value.p[i];
		if (c == '\\' && i + 1 < value.len) {
			const char *known = strchr(from, value.p[++i]);
			unsigned octal = 0;
			size_t digits = 0;
			while (!known && digits < 3 && i + digits < value.len && value.p[i + digits] >= '0' &&
			        value.p[i + digits] <= '7')
				octal = octal * 8 + (unsigned)(value.p[i + digits++] - '0');
			if (!known && digits == 0)
				rc = err_set(e, ERR_CONFIG, "eol=: unknown sequence \\%c", value.p[i]);
			c = known ? to[known - from] : (char)octal;
			i += digits ? digits - 1 : 0;
		}
		if (rc == 0 && buf_putc(&b, c) < 0)
			rc = err_set(e, ERR_CONFIG, "eol= is too long");
	}
	*out = arena_sv(a, buf_sv(&b));
	buf_free(&b);
	return rc;
}

static int take_size(struct sv value, int64_t *out, struct err *e)
{
	uint32_t n;
	if (num_u32(value, &n) < 0)
		return err_set(e, ERR_CONFIG, "size=%.*s is not a number", SV_ARG(value));
	*out = n;
	return 0;
}

/* One attribute that is not argv=. */
static int take_one(struct sv arg, struct arena *a, struct pipe_def *out, struct err *e)
{
	struct sv value = arg, name = sv_take_until(&value, '=');
	if (name.len == arg.len)
		return err_set(e, ERR_CONFIG, "\"%.*s\" has no '='", SV_ARG(arg));
	if (sv_eqz(name, "flags"))
		return take_flags(value, &out->flags, e);
	if (sv_eqz(name, "eol"))
		return take_eol(value, a, &out->eol, e);
	if (sv_eqz(name, "size"))
		return take_size(value, &out->size_limit, e);
	if (sv_eqz(name, "chroot"))
		return err_set(e, ERR_CONFIG,
		        "chroot= is not supported: the program runs without a root directory of its own");
	if (sv_eqz(name, "user"))
		out->has_user = true;
	else if (sv_eqz(name, "directory"))
		out->directory = arena_strdup(a, value);
	else if (sv_eqz(name, "null_sender"))
		out->null_sender = arena_strdup(a, value);
	else
		return err_set(e, ERR_CONFIG, "unknown attribute %.*s=", SV_ARG(name));
	return 0;
}

int pipe_args(char **args, int n, struct arena *a, struct pipe_def *out, struct err *e)
{
	*out = (struct pipe_def){ .eol = SV("\n"), .null_sender = "MAILER-DAEMON" };
	for (int i = 0; i < n; i++) {
		struct sv arg = sv_z(args[i]);
		if (!sv_starts(arg, SV("argv="))) {
			if (take_one(arg, a, out, e) < 0)
				return -1;
			continue;
		}
		out->argc = (size_t)(n - i);
		out->argv = arena_array(a, out->argc, sizeof(*out->argv));
		for (size_t k = 0; out->argv && k < out->argc; k++)
			out->argv[k] = arena_strdup(a, k == 0 ? sv_from(arg, 5) : sv_z(args[(size_t)i + k]));
		break;
	}
	if (a->exhausted)
		return err_set(e, ERR_CONFIG, "the arguments are too long");
	if (out->argc == 0 || !*out->argv[0])
		return err_set(e, ERR_CONFIG, "argv= with a program is missing");
	return 0;
}
