/* links: queue */
/* Lines of a log: whatever is found lies within the line, and ids are ids. */
#include "lib/queue/queue_id.h"
#include "lib/queue/queue_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct sv part, struct sv line)
{
	if (part.len > 0 && (part.p < line.p || part.p + part.len > line.p + line.len))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv line = sv_n((const char *)data, size), v;
	struct queue_log_line l;
	if (queue_log_parse(line, &l)) {
		within(l.stamp, line);
		within(l.program, line);
		within(l.id, line);
		within(l.text, line);
	}
	static const char *const names[] = { "to", "from", "status", "message-id" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (queue_log_value(line, names[i], &v))
			within(v, line);
	if (queue_log_child(line, &v)) {
		within(v, line);
		if (!queue_id_valid(v))
			abort();
	}
	return 0;
}
