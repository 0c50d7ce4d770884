/*
 * Unit test of lib/fiber/switch.c as it is where there is no switch in assembly, or where the kernel keeps a
 * shadow stack: by swapcontext. These definitions take the place of the library's.
 */
#define FIBER_UCONTEXT 1
#include "lib/fiber/switch.c" /* NOLINT: the other variant of it */

#include "tests/support/t.h"

#include "lib/fiber/fiber.h"

static unsigned long sum;

static void add(void *arg)
{
	for (int i = 0; i < 10; i++) {
		sum += (unsigned long)(uintptr_t)arg;
		if (i % 3 == 0)
			fiber_sleep(1);
		else
			fiber_yield();
	}
}

static void first(void *arg)
{
	(void)arg;
	for (uintptr_t i = 1; i <= 50; i++)
		if (!fiber_spawn("add", 0, add, (void *)i))
			sum = 0;
	while (fiber_count() > 1)
		fiber_sleep(1);
	fiber_stop(3);
}

static void test_swapcontext(void **state)
{
	(void)state;
	assert_int_equal(fiber_main(first, NULL), 3);
	assert_int_equal(sum, 10 * 50 * 51 / 2);
}

static char order[16];

static struct context main_context, other;

static void entry(void)
{
	context_entered(&other, &main_context);
	for (;;) {
		order[strlen(order)] = 'b';
		context_switch(&other, &main_context, 0);
	}
}

static void test_bare_switch(void **state)
{
	static _Alignas(16) char stack[256 * 1024];
	(void)state;
	context_make_main(&main_context);
	context_make(&other, stack, sizeof(stack), entry);
	for (int i = 0; i < 3; i++) {
		order[strlen(order)] = 'a';
		context_switch(&main_context, &other, 0);
	}
	assert_string_equal(order, "ababab");
	context_free(&other);
	context_free(&main_context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_swapcontext),
		cmocka_unit_test(test_bare_switch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
