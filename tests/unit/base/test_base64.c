/* Unit test of lib/base/base64.c: RFC 4648 section 10, and each rule broken once. */
#include "tests/support/t.h"
#include "lib/base/base64.h"

static const struct {
	const char *plain, *coded;
} pairs[] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xff\xfe", "//4=" },
};
static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "=Zg=", "Zg==Zg==", "Z g=",
	"Zg==\n", "Zm9v!A==", "====" };

static void both_ways(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		t_case(pairs[i].coded);
		buf_reset(&b);
		assert_int_equal(base64_encode(&b, sv_z(pairs[i].plain)), 0);
		t_assert_sv(buf_sv(&b), pairs[i].coded);
		buf_reset(&b);
		assert_int_equal(base64_decode(&b, sv_z(pairs[i].coded)), 1);
		t_assert_sv(buf_sv(&b), pairs[i].plain);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		t_case(bad[i]);
		buf_reset(&b);
		buf_puts(&b, "kept");
		assert_int_equal(base64_decode(&b, sv_z(bad[i])), -1);
		t_assert_sv(buf_sv(&b), "kept");
	}
	buf_reset(&b);
	assert_int_equal(hex_encode(&b, SV("\x00\xab")), 0);
	t_assert_sv(buf_sv(&b), "00ab");
	buf_free(&b);
}

static void ceiling(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 3);
	assert_int_equal(base64_encode(&b, SV("a")), -1);
	assert_int_equal(base64_decode(&b, SV("Zm9vYg==")), -1);
	assert_int_equal(hex_encode(&b, SV("ab")), -1);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(both_ways), cmocka_unit_test(ceiling) };
	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
