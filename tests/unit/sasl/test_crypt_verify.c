/* Unit test of lib/sasl/crypt_verify.c: hashes of crypt(3), right and wrong passwords, unusable
 * hashes. */
#include "lib/sasl/crypt_verify.h"

#include <crypt.h>

#include "tests/support/t.h"

static void verifies(UNUSED void **state)
{
	static const char *const prefixes[] = { "$y$", "$6$", "$2b$" };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		char setting[CRYPT_GENSALT_OUTPUT_SIZE];
		struct crypt_data *d = calloc(1, sizeof(*d));

		assert_non_null(d);
		assert_non_null(crypt_gensalt_rn(
		        prefixes[i], 0, "0123456789abcdef0123", 20, setting, sizeof(setting)));
		const char *hash = crypt_rn("sesame \xc3\xa4", setting, d, (int)sizeof(*d));

		t_case(hash);
		assert_int_equal(crypt_verify(sv_z(hash), SV("sesame \xc3\xa4"), &e), 1);
		assert_int_equal(crypt_verify(sv_z(hash), SV("sesame"), &e), 0);
		assert_int_equal(crypt_verify(sv_z(hash), SV(""), &e), 0);
		/* what comes after a NUL must not be forgotten */
		assert_int_equal(crypt_verify(sv_z(hash), SV("sesame \xc3\xa4\0x"), &e), 0);
		free(d);
	}
}

static void refuses_hashes(UNUSED void **state)
{
	static const char *const bad[] = { "", "*", "!", "x", "ab0123456789x", "$1$abc$def", "$y$",
		"$6$", "$y$j9T$!!!$x", "$unknown$abc" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = ERR_INIT;

		t_case(bad[i]);
		assert_int_not_equal(crypt_verify(sv_z(bad[i]), SV("x"), &e), 1);
	}
	char password[2000];
	struct err e = ERR_INIT;

	memset(password, 'a', sizeof(password));
	assert_int_equal(
	        crypt_verify(SV("$6$saltstring$x"), sv_n(password, sizeof(password)), &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verifies),
		cmocka_unit_test(refuses_hashes),
	};
	return cmocka_run_group_tests_name("crypt_verify", tests, NULL, NULL);
}
