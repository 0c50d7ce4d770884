/* admin/postmap/postalias.c - build and query the table of aliases. */
#include "admin/postmap/tables.h"

int main(int argc, char **argv)
{
	struct tables t = { .program = "postalias", .aliases = true };
	return tables_main(&t, argc, argv);
}
