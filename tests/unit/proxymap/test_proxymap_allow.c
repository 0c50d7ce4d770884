/* Unit test of proxymap/proxymap_allow.c: which class may ask for which table. */
#include "tests/support/t.h"
#include "lib/config/config.h"
#include "proxymap/proxymap.h"

static void splits_lists(UNUSED void **state)
{
	struct htab t;
	htab_init(&t, (struct hash_seed){ 1, 2 });
	proxymap_allow_tables(&t, SV("hash:/etc/a, proxy:btree:/etc/b\n  example.test !static:{x y, z}\n"
				     "check_sender_access inline:{a=b, {c = d}} /etc/plain"));
	const char *in[] = { "hash:/etc/a", "btree:/etc/b", "static:{x y, z}", "inline:{a=b, {c = d}}" };
	const char *out[] = { "/etc/plain", "example.test", "proxy:btree:/etc/b", "hash:/etc/b", "static:" };
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		assert_non_null(htab_get(&t, sv_z(in[i])));
	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		assert_null(htab_get(&t, sv_z(out[i])));
	htab_free(&t);
}

static void knows_classes(UNUSED void **state)
{
	assert_int_equal(proxymap_class("net"), PROXYMAP_NET);
	assert_int_equal(proxymap_class("out"), PROXYMAP_OUT);
	assert_int_equal(proxymap_class("queue"), PROXYMAP_QUEUE);
	assert_int_equal(proxymap_class("public"), -1);
	t_assert_sv(proxymap_table_name(SV("proxy:hash:x")), "hash:x");
	t_assert_sv(proxymap_table_name(SV("hash:x")), "hash:x");
}

static void keeps_classes_apart(UNUSED void **state)
{
	char dir[] = "/tmp/merpati-unit.XXXXXX", path[64];
	struct proxymap p = { 0 };
	struct err e = ERR_INIT;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/main.cf", dir);
	FILE *f = fopen(path, "w");
	fputs("smtp_sasl_password_maps = hash:/etc/secrets\nvirtual_alias_maps = hash:/etc/virtual\n", f);
	fclose(f);
	snprintf(path, sizeof(path), "%s/master.cf", dir);
	f = fopen(path, "w");
	fputs("smtp inet n - n - - smtpd -o smtpd_sender_restrictions=hash:/etc/extra\n", f);
	fclose(f);
	for (int i = 0; i < PROXYMAP_CLASSES; i++)
		htab_init(&p.allowed[i], (struct hash_seed){ 1, 2 });
	struct config *cfg = config_open(dir, &e);
	assert_non_null(cfg);
	assert_int_equal(proxymap_allow_load(&p, cfg, &e), 0);
	assert_null(htab_get(&p.allowed[PROXYMAP_NET], SV("hash:/etc/secrets")));
	assert_non_null(htab_get(&p.allowed[PROXYMAP_OUT], SV("hash:/etc/secrets")));
	assert_non_null(htab_get(&p.allowed[PROXYMAP_NET], SV("hash:/etc/virtual")));
	assert_non_null(htab_get(&p.allowed[PROXYMAP_NET], SV("hash:/etc/extra")));
	assert_null(htab_get(&p.allowed[PROXYMAP_OUT], SV("hash:/etc/extra")));
	for (int i = 0; i < PROXYMAP_CLASSES; i++)
		htab_free(&p.allowed[i]);
	config_free(cfg);
	unlink(path);
	snprintf(path, sizeof(path), "%s/main.cf", dir);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(splits_lists), cmocka_unit_test(knows_classes),
		cmocka_unit_test(keeps_classes_apart) };
	return cmocka_run_group_tests_name("proxymap_allow", tests, NULL, NULL);
}
