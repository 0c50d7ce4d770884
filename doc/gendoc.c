/*
 * doc/gendoc.c - prints the documentation that follows from the table of parameters.
 *
 *   gendoc man           main.cf(5), mdoc
 *   gendoc markdown      doc/params.md
 *   gendoc main.cf       the full sample main.cf: every parameter as a comment
 *   gendoc count         "N parameters, M of them implemented"
 *   gendoc list SECTION  names of the implemented parameters of a section
 *
 * A host program: built and run during the build.
 */
#include "lib/config/params.h"

struct table {
	const struct param_row *rows;
	size_t n;
};

/* Text of a row for mdoc: no line may start with a control character. */
static void put_mdoc(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (*c == '\\')
			fputs("\\e", stdout);
		else if ((*c == '.' || *c == '\'') && (c == text || c[-1] == '\n'))
			printf("\\&%c", *c);
		else if (*c == '"')
			fputs("\\(dq", stdout);
		else if (*c == '-')
			fputs("\\-", stdout);
		else
			putchar(*c);
	}
}

static const char *default_text(const struct param_row *row)
{
	return row->def[0] == '@' ? "computed" : row->def[0] ? row->def : "empty";
}

static void man_row(const struct param_row *row)
{
	puts(".It Xo");
	printf(".Cm %s%s\n.Pq ", row->section == SECTION_transport ? "<transport>" : "", row->name);
	put_mdoc(params_type_name(row->type));
	fputs(", default ", stdout);
	put_mdoc(default_text(row));
	puts("\n.Xc");
	put_mdoc(row->summary);
	putchar('\n');
	if (row->text[0]) {
		put_mdoc(row->text);
		putchar('\n');
	}
	if (row->state == PARAM_KNOWN)
		puts("Not implemented: has no effect, start warns when it is set.");
}

static void man_section(struct table t, enum param_section s)
{
	bool any = false;
	for (size_t i = 0; i < t.n; i++) {
		if (t.rows[i].section != s)
			continue;
		if (!any)
			printf(".Ss %s\n.Bl -tag -width Ds\n", params_section_name(s));
		any = true;
		man_row(&t.rows[i]);
	}
	if (any)
		puts(".El");
}

static void man(struct table t, struct table transports)
{
	puts(".Dd November 23, 2026\n.Dt MAIN.CF 5\n.Os merpati\n.Sh NAME\n.Nm main.cf\n"
	     ".Nd configuration parameters of merpati\n.Sh DESCRIPTION\n"
	     "Lines have the form\n.Dq name = value .\n"
	     "A line that starts with a blank continues the one before; lines that are empty or\n"
	     "whose first character is\n.Ql #\nare comments, also between continued lines.\n"
	     "Of several entries for one name the last one counts.\n.Pp\n"
	     "In a value\n.Li $name , ${name}\nand\n.Li $(name)\nstand for the value of another "
	     "parameter,\n.Li ${name?{text}}\nand\n.Li ${name:{text}}\nfor text when it is set or "
	     "not set,\n.Li ${{a} == {b} ? {x} : {y}}\nfor the result of a comparison, and\n"
	     ".Li $$\nfor a single\n.Ql $ .\n.Pp\n"
	     "Times have a unit: s, m, h, d, w; without one, that of the default.\n.Pp\n"
	     "Names and defaults are those of Postfix where Postfix has the parameter.\n"
	     ".Sh PARAMETERS");
	for (int s = 0; s < SECTION_transport; s++)
		man_section(t, (enum param_section)s);
	man_section(transports, SECTION_transport);
	puts(".Sh SEE ALSO\n.Xr postconf 1 ,\n.Xr merpati 8");
}

static void put_cell(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (*c == '|' || *c == '<')
			putchar('\\');
		putchar(*c);
	}
}

static void markdown_row(const struct param_row *row)
{
	printf("| `%s%s` | %s | ", row->section == SECTION_transport ? "TRANSPORT" : "", row->name,
	       params_type_name(row->type));
	put_cell(default_text(row));
	printf(" | %s | ", row->state == PARAM_KNOWN ? "no" : "yes");
	put_cell(row->summary);
	puts(" |");
}

static void markdown(struct table t, struct table transports)
{
	enum param_section last = SECTION_COUNT;
	puts("# Parameters\n\nGenerated from `lib/config/params/*.def`. \"Implemented: no\" means "
	     "that the name is known and\nhas no effect.");
	for (size_t i = 0; i < t.n + transports.n; i++) {
		const struct param_row *row = i < t.n ? &t.rows[i] : &transports.rows[i - t.n];
		if (row->section != last)
			printf("\n## %s\n\n| name | type | default | implemented | meaning |\n"
			       "|---|---|---|---|---|\n", params_section_name(row->section));
		last = row->section;
		markdown_row(row);
	}
}

static void sample(struct table t)
{
	puts("# Every parameter with its default. Copy what you change into main.cf; a main.cf needs\n"
	     "# only what differs.");
	for (size_t i = 0; i < t.n; i++) {
		if (t.rows[i].state == PARAM_KNOWN)
			continue;
		printf("\n# %s\n#%s = %s\n", t.rows[i].summary, t.rows[i].name,
		       t.rows[i].def[0] == '@' ? "(computed)" : t.rows[i].def);
	}
}

static void count(struct table t)
{
	size_t n = 0;
	for (size_t i = 0; i < t.n; i++)
		n += t.rows[i].state == PARAM_IMPLEMENTED;
	printf("%zu parameters, %zu of them implemented\n", t.n, n);
}

static void list(struct table t, const char *section)
{
	for (size_t i = 0; i < t.n; i++)
		if (t.rows[i].state == PARAM_IMPLEMENTED &&
		    strcmp(params_section_name(t.rows[i].section), section) == 0)
			puts(t.rows[i].name);
}

int main(int argc, char **argv)
{
	struct table t, transports;
	const char *what = argc > 1 ? argv[1] : "";
	t.rows = params_rows(&t.n);
	transports.rows = params_transport_rows(&transports.n);
	if (strcmp(what, "man") == 0)
		man(t, transports);
	else if (strcmp(what, "markdown") == 0)
		markdown(t, transports);
	else if (strcmp(what, "main.cf") == 0)
		sample(t);
	else if (strcmp(what, "count") == 0)
		count(t);
	else if (strcmp(what, "list") == 0 && argc == 3)
		list(t, argv[2]);
	else {
		fputs("usage: gendoc man | markdown | main.cf | count | list SECTION\n", stderr);
		return 64;
	}
	return fflush(stdout) != 0 || ferror(stdout) ? 1 : 0;
}
