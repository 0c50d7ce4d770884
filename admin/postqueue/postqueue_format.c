/* admin/postqueue/postqueue_format.c - the table of `postqueue -p` and the lines of `postqueue -j`. */
#include "admin/postqueue/postqueue.h"

#include <time.h>

#include "lib/base/num.h"
#include "lib/queue/queue_list.h"

#define HEAD_FORMAT "%-17s %8s %-19s %s\n"
#define ROW_FORMAT  "%-17s %8llu %19.19s %.*s\n"

enum { REASON_COLUMN = 76 };

struct head {
	struct sv queue, id, sender;
	uint64_t size;
	int64_t time;
	int64_t next; /* 0: it does not wait */
	bool forced;
};

/* The next "name, value". 1; 0 end of the group; -1 malformed. */
static int take_pair(struct sv *in, struct sv *name, struct sv *value)
{
	if (queue_list_take(in, name) != 1)
		return -1;
	if (name->len == 0)
		return 0;
	return queue_list_take(in, value) == 1 ? 1 : -1;
}

static int take_head(struct sv *in, struct head *h)
{
	struct sv name, value;
	uint64_t u = 0;
	int rc;
	*h = (struct head){ .time = 0 };
	while ((rc = take_pair(in, &name, &value)) == 1) {
		if (sv_eqz(name, "queue_name"))
			h->queue = value;
		else if (sv_eqz(name, "queue_id"))
			h->id = value;
		else if (sv_eqz(name, "time") && num_u64(value, &u) == 1)
			h->time = (int64_t)u;
		else if (sv_eqz(name, "next_attempt") && num_u64(value, &u) == 1)
			h->next = (int64_t)u;
		else if (sv_eqz(name, "size") && num_u64(value, &u) == 1)
			h->size = u;
		else if (sv_eqz(name, "forced_expire"))
			h->forced = !sv_eqz(value, "0");
		else if (sv_eqz(name, "sender")) {
			h->sender = value;
			return 1;
		}
	}
	return rc < 0 ? -1 : 0;
}

static void table_row(struct listing *l, const struct head *h)
{
	char id[64], stamp[64];
	time_t t = (time_t)h->time;
	struct tm tm;
	const char *mark = sv_eqz(h->queue, "active") ? "*" : sv_eqz(h->queue, "hold") ? "!" : "";
	localtime_r(&t, &tm);
	strftime(stamp, sizeof(stamp), "%a %b %e %H:%M:%S", &tm);
	snprintf(id, sizeof(id), "%.*s%s%s", SV_ARG(h->id), mark, h->forced ? "#" : "");
	if (l->mails == 0)
		fprintf(l->out, HEAD_FORMAT, "----Queue ID-----", "--Size--", "---Arrival Time----",
			"--Sender/Recipient------");
	else
		fputc('\n', l->out);
	fprintf(l->out, ROW_FORMAT, id, (unsigned long long)h->size, stamp, SV_ARG(h->sender));
}

/* "; next attempt Sun Nov 29 15:40:00" for the first reason of a mail that waits. */
static void next_attempt(const struct head *h, char *out, size_t size)
{
	char stamp[64];
	time_t t = (time_t)h->next;
	struct tm tm;
	out[0] = '\0';
	if (h->next == 0)
		return;
	localtime_r(&t, &tm);
	strftime(stamp, sizeof(stamp), "%a %b %e %H:%M:%S", &tm);
	snprintf(out, size, "; next attempt %s", stamp);
}

static bool table_mail(struct listing *l, const struct head *h, struct sv in)
{
	struct sv name, rcpt, reason, shown = SV_NONE;
	char next[96];
	int rc;
	table_row(l, h);
	next_attempt(h, next, sizeof(next));
	while ((rc = take_pair(&in, &name, &rcpt)) == 1) {
		if (take_pair(&in, &name, &reason) != 1)
			return false;
		/* a reason stands once above all the recipients that share it */
		if (!sv_eq(reason, shown)) {
			struct sv text = reason.len > 0 ? reason : SV("reason unavailable");
			size_t len = text.len + strlen(next);
			int pad = len < REASON_COLUMN ? REASON_COLUMN - (int)len : 0;
			fprintf(l->out, "%*s(%.*s%s)\n", pad, "", SV_ARG(text), next);
			shown = reason;
			next[0] = '\0';
		}
		fprintf(l->out, "%-17s %8s %-19s %.*s\n", "", "", "", SV_ARG(rcpt));
	}
	return rc == 0;
}

static void json_string(FILE *out, struct sv s)
{
	fputc('"', out);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 32 || c == 127)
			fprintf(out, "\\u%04X", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static bool json_mail(struct listing *l, const struct head *h, struct sv in)
{
	struct sv name, rcpt, reason;
	bool first = true;
	int rc;
	fputs("{\"queue_name\": ", l->out);
	json_string(l->out, h->queue);
	fputs(", \"queue_id\": ", l->out);
	json_string(l->out, h->id);
	fprintf(l->out,
		", \"arrival_time\": %lld, \"message_size\": %llu, \"forced_expire\": %s",
		(long long)h->time, (unsigned long long)h->size, h->forced ? "true" : "false");
	if (h->next != 0)
		fprintf(l->out, ", \"next_attempt\": %lld", (long long)h->next);
	fputs(", \"sender\": ", l->out);
	json_string(l->out, h->sender);
	fputs(", \"recipients\": [", l->out);
	while ((rc = take_pair(&in, &name, &rcpt)) == 1) {
		if (take_pair(&in, &name, &reason) != 1)
			return false;
		fputs(first ? "{\"address\": " : ", {\"address\": ", l->out);
		json_string(l->out, rcpt);
		if (reason.len > 0) {
			fputs(", \"delay_reason\": ", l->out);
			json_string(l->out, reason);
		}
		fputc('}', l->out);
		first = false;
	}
	fputs("]}\n", l->out);
	return rc == 0;
}

bool listing_group(struct listing *l, struct sv octets)
{
	struct head h;
	int rc = take_head(&octets, &h);
	if (rc <= 0)
		return rc == 0; /* the protocol's name, or the end of the list */
	bool ok = l->format == LIST_JSON ? json_mail(l, &h, octets) : table_mail(l, &h, octets);
	l->mails++;
	l->octets += h.size;
	l->malformed = l->malformed || !ok;
	return ok;
}

void listing_end(struct listing *l)
{
	if (l->format == LIST_TABLE && l->mails == 0)
		fputs("Mail queue is empty\n", l->out);
	else if (l->format == LIST_TABLE)
		fprintf(l->out, "\n-- %llu Kbytes in %lu Request%s.\n", l->octets / 1024, l->mails,
			l->mails == 1 ? "" : "s");
}
