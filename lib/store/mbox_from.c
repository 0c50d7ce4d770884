#include "lib/store/mbox_from.h"

#include "lib/base/num.h"
#include "lib/mail/date.h"

#define WORDS_MAX 8 /* of a date */

static const char days[] = "sunmontuewedthufrisat";
static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

/* Place of a three-letter name in TABLE, or -1. */
static int named(struct sv word, const char *table)
{
	for (int i = 0; word.len == 3 && table[3 * i]; i++)
		if (sv_ieq(word, sv_n(table + (size_t)3 * (size_t)i, 3)))
			return i;
	return -1;
}

static bool number(struct sv word, uint32_t min, uint32_t max, uint32_t *out)
{
	return word.len <= 4 && num_u32(word, out) == 1 && *out >= min && *out <= max;
}

/* HH:MM or HH:MM:SS as seconds of a day. */
static bool time_of_day(struct sv word, int64_t *out)
{
	uint32_t h, m, s = 0;
	if (!number(sv_take_until(&word, ':'), 0, 23, &h) || word.len < 2)
		return false;
	struct sv minutes = sv_take_until(&word, ':');
	if (!number(minutes, 0, 59, &m) || (!sv_empty(word) && !number(word, 0, 61, &s)))
		return false;
	*out = (int64_t)h * 3600 + m * 60 + s;
	return true;
}

/* "+0700"; other zones, by name, are not believed. */
static void zone(struct sv word, int *tz_min, bool *local)
{
	uint32_t v;
	if (word.len != 5 || (word.p[0] != '+' && word.p[0] != '-') || !number(sv_from(word, 1), 0, 1459, &v))
		return;
	*local = false;
	*tz_min = (word.p[0] == '-' ? -1 : 1) * (int)(v / 100 * 60 + v % 100);
}

/* "Nov 22 08:05:00 [zone] 2026 [zone]" */
static bool asctime_date(const struct sv *w, size_t n, int64_t *t, bool *local)
{
	uint32_t day, year;
	int64_t s;
	int tz_min = 0;
	int month = n < 4 ? -1 : named(w[0], months);
	if (month < 0 || !number(w[1], 1, 31, &day) || !time_of_day(w[2], &s))
		return false;
	for (size_t i = 3; i < n && i < 6; i++) {
		if (w[i].len == 4 && number(w[i], 1900, 9999, &year)) {
			if (i + 1 < n)
				zone(w[i + 1], &tz_min, local);
			*t = date_days_from_civil(year, month + 1, (int)day) * 86400 + s - tz_min * 60;
			return true;
		}
		zone(w[i], &tz_min, local);
	}
	return false;
}

/* "22 Nov 2026 08:05:00 [zone]" */
static bool header_date(const struct sv *w, size_t n, int64_t *t, bool *local)
{
	uint32_t day, year;
	int64_t s;
	int tz_min = 0;
	int month = n < 4 ? -1 : named(w[1], months);
	if (month < 0 || !number(w[0], 1, 31, &day) || !number(w[2], 1900, 9999, &year) ||
		!time_of_day(w[3], &s))
		return false;
	if (n > 4)
		zone(w[4], &tz_min, local);
	*t = date_days_from_civil(year, month + 1, (int)day) * 86400 + s - tz_min * 60;
	return true;
}

int mbox_from_parse(struct sv line, int64_t *t, bool *local)
{
	if (line.len > MBOX_FROM_MAX || !sv_starts(line, SV("From ")))
		return 0;
	struct sv rest = sv_trim_left(sv_from(line, 5));
	while (!sv_empty(rest)) {
		struct sv word = sv_take_word(&rest);
		if (sv_ends(word, SV(",")))
			word.len--;
		if (named(word, days) < 0)
			continue;
		struct sv w[WORDS_MAX], date = rest;
		size_t n = 0;
		while (n < WORDS_MAX && !sv_empty(date))
			w[n++] = sv_take_word(&date);
		*local = true;
		if (asctime_date(w, n, t, local) || header_date(w, n, t, local))
			return 1;
	}
	return 0;
}
