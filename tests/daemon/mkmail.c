/*
 * mkmail SPOOL AGE SENDER RECIPIENT...: commit a mail to SPOOL as cleanup does, and print its queue
 * id. AGE: seconds ago that it arrived. A recipient may be "address|notify", or
 * "address|notify|x": an alias that was expanded. Content comes from stdin.
 */
#include <stdio.h>

#include "lib/base/num.h"
#include "lib/queue/queue_commit.h"
#include "lib/sys/clock.h"

static int fail(const char *what, const struct err *e)
{
	fprintf(stderr, "mkmail: %s: %s\n", what, e->text);
	return 1;
}

static int add_rcpt(struct queue_writer *w, const char *arg, struct err *e)
{
	struct sv rest = sv_z(arg);
	struct queue_rcpt r = { .address = sv_take_until(&rest, '|') };
	struct sv notify = sv_take_until(&rest, '|');
	if (rest.len > 0)
		r.cell = QUEUE_CELL_EXPANDED;
	if (notify.len > 0 && num_u32(notify, &r.notify) != 1)
		return err_set(e, ERR_PERM, "bad notify in %s", arg);
	r.original = r.address;
	return queue_writer_rcpt(w, &r, e);
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct queue q;
	struct queue_writer w;
	char buf[65536];
	int64_t age;
	uint32_t flags = 0;
	size_t n;

	if (argc < 5)
		return 64;
	struct sv word = sv_z(argv[2]);
	if (num_i64(sv_take_until(&word, ':'), &age) != 1 ||
	        (word.len > 0 && num_u32(word, &flags) != 1))
		return 64;
	if (queue_open(&q, argv[1], &e) < 0 || queue_create_dirs(&q, &e) < 0)
		return fail("open", &e);
	queue_writer_init(&w, &q, age != 0 ? (clock_wall_s() - age) * 1000000 : 0);
	w.h.mail_flags = flags;
	while ((n = fread(buf, 1, sizeof(buf), stdin)) > 0)
		if (queue_writer_put(&w, sv_n(buf, n), &e) < 0)
			return fail("content", &e);
	const struct queue_facts f = { .sender = sv_z(argv[3]), .uid = -1, .origin = SV("test") };
	if (queue_writer_facts(&w, &f, &e) < 0)
		return fail("facts", &e);
	for (int i = 4; i < argc; i++)
		if (add_rcpt(&w, argv[i], &e) < 0)
			return fail("recipient", &e);
	if (queue_commit(&w, &e) < 0)
		return fail("commit", &e);
	printf("%s\n", w.h.id);
	queue_writer_fini(&w);
	queue_close(&q);
	return 0;
}
