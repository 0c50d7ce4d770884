#include "lib/sys/log_line.h"

#include "lib/base/utf8.h"

/* Characters that change how others are shown: direction marks, invisible ones, line separators, tags. */
static bool misleads(uint32_t ch)
{
	return ch < 0xa0 || ch == 0x61c || (ch >= 0x200b && ch <= 0x200f) || (ch >= 0x2028 && ch <= 0x202e) ||
	       (ch >= 0x2060 && ch <= 0x2069) || ch == 0xfeff || (ch >= 0xfff9 && ch <= 0xfffb) ||
	       (ch >= 0xe0000 && ch <= 0xe007f);
}

void log_line_clean(char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)p[i];
		if (c >= 0x20 && c < 0x7f) {
			i++;
			continue;
		}
		uint32_t ch = 0;
		size_t len = c < 0x80 ? 0 : utf8_decode(sv_n(p + i, n - i), &ch);
		if (len > 0 && !misleads(ch)) {
			i += len;
			continue;
		}
		/* the octets of a character are replaced one by one */
		p[i++] = '?';
	}
}

size_t log_line_cut(const char *p, size_t len, size_t n)
{
	if (len <= n)
		return len;
	while (n > 0 && ((unsigned char)p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

size_t log_line_make(char *out, struct timespec when, const char *host, const char *tag, pid_t pid,
	struct sv text)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec" };
	struct tm tm;
	localtime_r(&when.tv_sec, &tm);
	int head = snprintf(out, LOG_LINE_MAX, "%s %2d %02d:%02d:%02d %.64s %.64s[%d]: ",
		months[(unsigned)tm.tm_mon % 12], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, host, tag,
		(int)pid);
	size_t len = head > 0 ? (size_t)head : 0;
	size_t room = log_line_cut(text.p, text.len, LOG_LINE_MAX - len);
	if (room > 0)
		memcpy(out + len, text.p, room);
	len += room;
	log_line_clean(out, len);
	out[len++] = '\n';
	return len;
}
