/* Unit test of lib/store/index.c, index_record.c: what it keeps, and what it does with a broken file. */
#include "tests/support/t.h"

#include <sys/wait.h>

#include "lib/store/index.h"
#include "tests/unit/store/box_fixture.h"

#define GUID "3085f01b7f11094c501100008c4a11c1"

static struct index_guid guid(void)
{
	struct index_guid g;
	assert_int_equal(index_guid_parse(SV(GUID), &g), 1);
	return g;
}

static void fill(struct store_index *ix)
{
	struct index_guid g = guid();
	uint32_t next = 10;
	assert_int_equal(index_box_check(ix, &g, 7, &next), 1);
	struct index_size s = { 3, 1, 100, 110 };
	assert_int_equal(index_sizes_put(ix, &g, &s, 1), 1);
	struct index_part p = { 3, 1, 1, SV("envelope") };
	assert_int_equal(index_cache_put(ix, &g, &p, 1), 1);
}

static bool is_filled(struct store_index *ix)
{
	struct index_guid g = guid();
	struct index_size s = { .uid = 3, .tag = 1 };
	struct index_part p = { .uid = 3, .tag = 1, .field = 1 };
	struct arena a;
	arena_init(&a, 10000);
	bool is = index_sizes_get(ix, &g, &s, 1) == 1 && s.vsize == 110 &&
	          index_cache_get(ix, &g, &p, 1, &a) == 1 && p.value.p &&
	          sv_eqz(p.value, "envelope");
	arena_free(&a);
	return is;
}

static void test_records(void **state)
{
	(void)state;
	struct index_guid g = guid();
	struct index_key a = index_key_mail(INDEX_SIZE, &g, 1, 9),
	                 b = index_key_mail(INDEX_SIZE, &g, 256, 9);
	assert_true(memcmp(a.octets, b.octets, a.len) < 0); /* ascend with UIDs */
	struct buf v;
	buf_init(&v, 100);
	assert_int_equal(index_value_seal(&v, &a, SV("payload")), 0);
	struct sv out;
	assert_int_equal(index_value_open(&a, buf_sv(&v), &out), 1);
	t_assert_sv(out, "payload");
	assert_int_equal(index_value_open(&b, buf_sv(&v), &out), -1); /* of another key */
	struct index_key other = index_key_mail(INDEX_SIZE, &g, 1, 8);
	assert_int_equal(index_value_open(&other, buf_sv(&v), &out), -1); /* of another mail */
	for (size_t i = 0; i < v.len; i++) {
		v.p[i] = (char)(v.p[i] ^ 1);
		assert_int_equal(index_value_open(&a, buf_sv(&v), &out), -1);
		v.p[i] = (char)(v.p[i] ^ 1);
		assert_int_equal(index_value_open(&a, sv_upto(buf_sv(&v), i), &out), -1);
	}
	buf_free(&v);
	assert_int_equal(index_guid_parse(SV("xyz"), &g), -1);
	assert_int_equal(index_guid_parse(SV(GUID "0"), &g), -1);
}

static void test_keep(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	char dir[600];
	fixture_path(&f, "merpati.index", dir);
	struct store_index *ix = index_new(dir);
	fill(ix);
	assert_true(is_filled(ix));
	index_close(ix);
	assert_true(is_filled(ix));
	/* a uidlist that went back is found out */
	struct index_guid g = guid();
	uint32_t next = 4;
	assert_int_equal(index_box_check(ix, &g, 7, &next), 1);
	assert_int_equal(next, 10);
	/* expunge: parts go, the delivery key stays a day */
	struct index_tomb t = { { GUID }, 100 }, other = { { GUID }, 99 };
	uint32_t uid = 3;
	assert_int_equal(index_tomb_has(ix, &t, 1000), 0);
	assert_int_equal(index_expunged(ix, &g, &uid, 1, &t, 1, 1000), 1);
	assert_false(is_filled(ix));
	assert_int_equal(index_tomb_has(ix, &t, 1000), 1);
	assert_int_equal(index_tomb_has(ix, &other, 1000), 0);
	assert_int_equal(index_tomb_has(ix, &t, 1000 + INDEX_TOMB_S), 1);
	assert_int_equal(index_tomb_has(ix, &t, 1001 + INDEX_TOMB_S), 0);
	/* another UIDVALIDITY: all is forgotten, tombstones are not */
	fill(ix);
	next = 1;
	assert_int_equal(index_box_check(ix, &g, 8, &next), 1);
	assert_int_equal(next, 1);
	assert_false(is_filled(ix));
	assert_int_equal(index_tomb_has(ix, &t, 1000), 1);
	index_free(ix);
	fixture_free(&f);
}

/* More than the first map holds: it grows. */
static void test_grow(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	char dir[600];
	fixture_path(&f, "i", dir);
	struct store_index *ix = index_new(dir);
	struct index_guid g = guid();
	size_t len = 200 * 1024;
	char *big = mem_alloc(len);
	fill(ix);
	for (uint32_t uid = 10; uid < 410; uid++) {
		struct index_part p = { uid, 1, 2, sv_n(big, len) };
		assert_int_equal(index_cache_put(ix, &g, &p, 1), 1);
	}
	assert_true(is_filled(ix));
	free(big);
	index_free(ix);
	fixture_free(&f);
}

/* The data file cut, overwritten or foreign: never a crash, never believed, works again at once. */
static void damage(const char *dir, const char *what, size_t cut)
{
	char path[700];
	(void)snprintf(path, sizeof(path), "%s/data.mdb", dir);
	struct store_index *ix = index_new(dir);
	fill(ix);
	index_free(ix);
	if (cut != SIZE_MAX)
		assert_int_equal(truncate(path, (off_t)cut), 0);
	if (what) {
		int fd = open(path, O_WRONLY);
		assert_true(fd >= 0);
		for (int i = 0; i < 1000; i++)
			assert_true(write(fd, what, strlen(what)) > 0);
		close(fd);
	}
	ix = index_new(dir);
	(void)is_filled(ix); /* whatever it says, it comes back */
	fill(ix);
	assert_true(is_filled(ix));
	index_free(ix);
}

static void test_damage(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	char dir[600];
	static const size_t cuts[] = { 0, 1, 100, 4095, 4096, 8191, 8192, 12288, 12289 };
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		fixture_path(&f, "cut", dir);
		damage(dir, NULL, cuts[i]);
	}
	fixture_path(&f, "text", dir);
	damage(dir, "this is not a database at all ", SIZE_MAX);
	/* a directory that cannot be made: no index, no harm */
	fixture_put(&f, "file", "x");
	fixture_path(&f, "file/index", dir);
	struct store_index *ix = index_new(dir);
	struct index_guid g = guid();
	uint32_t next = 5;
	assert_int_equal(index_box_check(ix, &g, 7, &next), -1);
	assert_int_equal(next, 5);
	index_free(ix);
	fixture_free(&f);
}

/* Two processes at once. */
static void test_two(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	char dir[600];
	fixture_path(&f, "i", dir);
	pid_t pid = fork();
	struct store_index *ix = index_new(dir);
	struct index_guid g = guid();
	uint32_t base = pid == 0 ? 1000 : 2000;
	bool good = true;
	for (uint32_t i = 0; i < 50; i++) {
		struct index_size s = { base + i, 0, i, i + 1 };
		good &= index_sizes_put(ix, &g, &s, 1) == 1;
	}
	if (pid == 0)
		_exit(good ? 0 : 1);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(good);
	struct index_size s[] = { { .uid = 1049 }, { .uid = 2049 } };
	assert_int_equal(index_sizes_get(ix, &g, s, 2), 1);
	assert_int_equal(s[0].vsize, 50);
	assert_int_equal(s[1].vsize, 50);
	index_free(ix);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_records),
		cmocka_unit_test(test_keep), cmocka_unit_test(test_grow),
		cmocka_unit_test(test_damage), cmocka_unit_test(test_two) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
