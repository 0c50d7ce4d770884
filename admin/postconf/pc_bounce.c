/* admin/postconf/pc_bounce.c - -b and -t: the texts of reports, from bounce_template_file or a named file. */
#include "admin/postconf/postconf.h"
#include "lib/config/bouncecf.h"

static void warn(UNUSED void *arg, const char *text)
{
	pc_warn("%s", text);
}

static void print_lines(struct sv text)
{
	struct sv line;
	while (sv_take_line(&text, &line))
		printf("%.*s\n", SV_ARG(line));
}

/* A word that no line of TEXT is: EOF, EOF_, ... */
static void choose_marker(struct sv text, char *out, size_t size)
{
	struct sv rest = text, line;
	size_t n = (size_t)snprintf(out, size, "EOF");
	while (sv_take_line(&rest, &line))
		if (sv_eqz(line, out) && n + 1 < size) {
			out[n++] = '_';
			out[n] = '\0';
			rest = text;
		}
}

static void print_header(const char *name, struct sv value)
{
	if (value.len > 0)
		printf("%s: %.*s\n", name, SV_ARG(value));
}

void pc_show_bounce(struct pc *pc, const char *path, bool expand)
{
	struct bouncecf b;
	struct err e = ERR_INIT;
	char marker[200];
	pc_open(pc);
	if (bouncecf_open(&b, pc->cfg, path, warn, NULL, &e) < 0)
		pc_fatal("%s", e.text);
	if (expand)
		bouncecf_expand(&b, pc->cfg, warn, NULL);
	for (unsigned k = 0; k < BOUNCECF_KINDS; k++) {
		const struct bouncecf_template *t = &b.t[k];
		const char *name = bouncecf_name((enum bouncecf_kind)k);
		choose_marker(t->text, marker, sizeof(marker));
		printf(expand ? "%sexpanded_%s_text = <<%s\n" : "%s%s_template = <<%s\n", k ? "\n" : "", name,
			marker);
		if (!expand) {
			print_header("Charset", t->charset);
			print_header("From", t->from);
			print_header("Subject", t->subject);
			print_header("Postmaster-Subject", t->postmaster_subject);
			putchar('\n');
		}
		print_lines(t->text);
		puts(marker);
	}
	bouncecf_free(&b);
}
