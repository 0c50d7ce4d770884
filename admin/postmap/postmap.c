/* admin/postmap/postmap.c - build and query look-up tables. */
#include "admin/postmap/tables.h"

int main(int argc, char **argv)
{
	struct tables t = { .program = "postmap" };
	return tables_main(&t, argc, argv);
}
