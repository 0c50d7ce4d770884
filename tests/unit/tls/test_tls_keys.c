/* Unit test of lib/tls/tls_keys.c and tls_selfsigned.c: what belongs together, and what is told when it does not. */
#include "tests/support/t.h"

#include <stdio.h>
#include <sys/stat.h>

#include "lib/tls/tls_keys.h"
#include "lib/tls/tls_selfsigned.h"
#include "tests/support/tmpdir.h"

static char key[2][2000], cert[2][4000];

static int make_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *const names[] = { "mail.example.test", "example.test" };
		struct buf k, c;
		struct err e = ERR_INIT;
		buf_init(&k, 4000);
		buf_init(&c, 8000);
		if (tls_selfsigned(names, 2, &k, &c, &e) < 0)
			return -1;
		snprintf(key[i], sizeof(key[i]), "%s", buf_z(&k));
		snprintf(cert[i], sizeof(cert[i]), "%s", buf_z(&c));
		buf_free(&k);
		buf_free(&c);
	}
	return 0;
}

static void write_file(const char *path, mode_t mode, const char *a, const char *b)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(a, f);
	fputs(b, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_parse(void **state)
{
	struct {
		const char *what, *a, *b, *why; /* why: NULL is good */
	} const cases[] = {
		{ "key and certificate", key[0], cert[0], NULL },
		{ "certificate first", cert[0], key[0], "before its private key" },
		{ "another's certificate", key[0], cert[1], "does not belong" },
		{ "no certificate", key[0], "", "no certificate for it" },
		{ "no key", "", "", "no private key" },
		{ "text", "-----BEGIN PRIVATE KEY-----\n", "xx\n", "no private key" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char pem[8000];
		struct err e = ERR_INIT;
		snprintf(pem, sizeof(pem), "noise\n%s# more\n%s", cases[i].a, cases[i].b);
		t_case(cases[i].what);
		struct tls_keys *k = tls_keys_parse("the-file", sv_z(pem), &e);
		if (!cases[i].why) {
			assert_non_null(k);
			assert_int_equal(tls_keys_count(k), 1);
			assert_null(tls_keys_warning(k, 0));
		} else {
			assert_null(k);
			assert_int_equal(e.cls, ERR_CONFIG);
			assert_non_null(strstr(e.text, cases[i].why));
			assert_non_null(strstr(e.text, "the-file"));
		}
		tls_keys_free(k);
	}
	struct err e = ERR_INIT;
	char pem[16000];
	snprintf(pem, sizeof(pem), "%s%s%s%s", key[0], cert[0], key[1], cert[1]);
	assert_null(tls_keys_parse("x", sv_z(pem), &e));
	assert_non_null(strstr(e.text, "a second EC key"));
}

static void test_files(void **state)
{
	char *dir = tmpdir_new();
	char k[200], c[200], both[200], split[420], missing[200];
	struct err e = ERR_INIT;
	(void)state;
	snprintf(k, sizeof(k), "%s/key.pem", dir);
	snprintf(c, sizeof(c), "%s/cert.pem", dir);
	snprintf(both, sizeof(both), "%s/both.pem", dir);
	snprintf(missing, sizeof(missing), "%s/none.pem", dir);
	snprintf(split, sizeof(split), "%s, %s", k, c);
	write_file(k, 0600, key[0], "");
	write_file(c, 0644, cert[0], "");
	write_file(both, 0600, key[0], cert[0]);
	const struct tls_key_files good[] = {
		{ .chain_files = both },
		{ .chain_files = split },
		{ .cert = c, .key = k },
		{ .cert = both },
		{ .eccert = c, .eckey = k },
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct tls_keys *keys = tls_keys_open(&good[i], &e);
		if (!keys)
			fail_msg("case %zu: %s", i, e.text);
		assert_null(tls_keys_warning(keys, 0));
		assert_false(tls_key_files_none(&good[i]));
		tls_keys_free(keys);
	}
	const struct {
		struct tls_key_files f;
		const char *file, *why;
	} bad[] = {
		{ { .chain_files = missing }, missing, "No such file" },
		{ { .cert = c, .key = missing }, missing, "No such file" },
		{ { .cert = missing, .key = k }, missing, "No such file" },
		{ { .chain_files = c }, c, "before its private key" },
		{ { .chain_files = k }, k, "no certificate for it" },
		{ { .cert = c }, c, "no private key in it" },
		{ { .cert = k }, k, "no certificate in it" },
		{ { .chain_files = dir }, dir, "not a plain file" },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		e = (struct err)ERR_INIT;
		t_case(bad[i].why);
		assert_null(tls_keys_open(&bad[i].f, &e));
		if (!strstr(e.text, bad[i].file) || !strstr(e.text, bad[i].why))
			fail_msg("case %zu: %s", i, e.text);
	}
	write_file(c, 0644, cert[1], "");
	assert_null(tls_keys_open(&good[2], &e));
	assert_non_null(strstr(e.text, "does not belong"));
	assert_non_null(strstr(e.text, k));
	write_file(both, 0644, key[0], cert[0]);
	struct tls_keys *keys = tls_keys_open(&good[0], &e);
	assert_non_null(keys);
	assert_non_null(strstr(tls_keys_warning(keys, 0), "chmod o-r"));
	tls_keys_free(keys);
	const struct tls_key_files none = { .chain_files = "", .cert = "none" };
	assert_true(tls_key_files_none(&none));
	assert_null(tls_keys_open(&none, &e));
	tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests_name("tls_keys", tests, make_pairs, NULL);
}
