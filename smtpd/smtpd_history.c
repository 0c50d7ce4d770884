#include "smtpd/smtpd_history.h"

/* Drop the oldest lines, several at once. */
static void make_room(struct smtpd_history *h, size_t keep)
{
	struct sv rest = buf_sv(&h->text), line;
	while (rest.len > keep && sv_take_line(&rest, &line))
		h->left_out++;
	buf_consume(&h->text, h->text.len - rest.len);
}

static void add(struct smtpd_history *h, const char *who, struct sv line)
{
	bool cut = line.len > SMTPD_HISTORY_LINE_MAX;
	line = sv_upto(line, SMTPD_HISTORY_LINE_MAX);
	if (h->text.max == 0)
		buf_init(&h->text, SMTPD_HISTORY_MAX);
	size_t need = strlen(who) + line.len + 4;
	if (h->text.len + need > SMTPD_HISTORY_MAX)
		make_room(h, SMTPD_HISTORY_MAX / 4 * 3);
	h->lines++;
	buf_puts(&h->text, who);
	for (size_t i = 0; i < line.len; i++)
		buf_putc(&h->text, line.p[i] < ' ' || line.p[i] > '~' ? '?' : line.p[i]);
	buf_puts(&h->text, cut ? "...\n" : "\n");
}

void smtpd_history_in(struct smtpd_history *h, struct sv line)
{
	struct sv rest = line;
	if (!sv_ieqz(sv_take_word(&rest), "AUTH")) {
		add(h, "In:  ", line);
		return;
	}
	char hidden[100];
	struct sv mechanism = sv_upto(sv_take_word(&rest), 40);
	snprintf(hidden, sizeof(hidden), "AUTH %.*s ...", SV_ARG(mechanism));
	add(h, "In:  ", sv_z(hidden));
}

void smtpd_history_out(struct smtpd_history *h, struct sv line)
{
	add(h, "Out: ", line);
}

void smtpd_history_put(const struct smtpd_history *h, struct buf *out)
{
	struct sv rest = buf_sv(&h->text), line;
	if (h->left_out > 0)
		buf_printf(out, "    (%u lines before)\n", h->left_out);
	while (sv_take_line(&rest, &line))
		buf_printf(out, "    %.*s\n", SV_ARG(line));
}

void smtpd_history_reset(struct smtpd_history *h)
{
	buf_reset(&h->text);
	h->lines = h->left_out = 0;
}

void smtpd_history_free(struct smtpd_history *h)
{
	buf_free(&h->text);
	h->lines = h->left_out = 0;
}
