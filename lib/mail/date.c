#include "lib/mail/date.h"

static const char month_names[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};
static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

enum { DAY = 86400, TZ_MAX = 24 * 60 };

/* Eras of 400 years start on 1 March, so that the leap day is a year's last. */
int64_t date_days_from_civil(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void date_civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

static int month_days(int64_t year, int month)
{
	static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return month == 2 && leap ? 29 : days[month - 1];
}

/* A point of time as people write it. */
struct civil {
	int64_t year;
	int month, day, hour, min, sec, weekday;
};

static int64_t floor_div(int64_t a, int64_t b)
{
	int64_t q = a / b;
	return q - (a % b < 0);
}

/* Seconds since 1970-01-01 00:00 of the zone; a damaged time stamp must not overflow. */
static int64_t local_time(int64_t t, int tz_min)
{
	const int64_t far = (int64_t)1 << 55;
	return (t > far ? far : t < -far ? -far : t) + (int64_t)tz_min * 60;
}

static void civil_of(int64_t t, int tz_min, struct civil *c)
{
	int64_t local = local_time(t, tz_min);
	int64_t days = floor_div(local, DAY);
	int rest = (int)(local - days * DAY);
	date_civil_from_days(days, &c->year, &c->month, &c->day);
	c->hour = rest / 3600;
	c->min = rest / 60 % 60;
	c->sec = rest % 60;
	c->weekday = (int)(((days + 4) % 7 + 7) % 7);
}

static int put_zone(struct buf *out, int tz_min)
{
	unsigned m = (unsigned)(tz_min < 0 ? -tz_min : tz_min) % (TZ_MAX * 4u);
	return buf_printf(out, "%c%02u%02u", tz_min < 0 ? '-' : '+', m / 60, m % 60);
}

int date_format_zone(struct buf *out, int64_t t, int tz_min, const char *zone)
{
	struct civil c;
	civil_of(t, tz_min, &c);
	int rc = buf_printf(out, "%s, %2d %s %04lld %02d:%02d:%02d ", day_names[c.weekday], c.day,
		month_names[c.month - 1], (long long)c.year, c.hour, c.min, c.sec);
	rc |= put_zone(out, tz_min);
	if (zone && *zone)
		rc |= buf_printf(out, " (%s)", zone);
	return rc;
}

int date_format(struct buf *out, int64_t t, int tz_min)
{
	return date_format_zone(out, t, tz_min, NULL);
}

int date_imap_format(struct buf *out, int64_t t, int tz_min)
{
	struct civil c;
	civil_of(t, tz_min, &c);
	int rc = buf_printf(out, "%2d-%s-%04lld %02d:%02d:%02d ", c.day, month_names[c.month - 1],
		(long long)c.year, c.hour, c.min, c.sec);
	return rc | put_zone(out, tz_min);
}

int date_syslog_format(struct buf *out, int64_t t, int tz_min)
{
	struct civil c;
	civil_of(t, tz_min, &c);
	return buf_printf(out, "%s %2d %02d:%02d:%02d", month_names[c.month - 1], c.day, c.hour, c.min,
		c.sec);
}

int date_ctime_format(struct buf *out, int64_t t, int tz_min)
{
	struct civil c;
	civil_of(t, tz_min, &c);
	return buf_printf(out, "%s %s %2d %02d:%02d:%02d %lld", day_names[c.weekday],
		month_names[c.month - 1], c.day, c.hour, c.min, c.sec, (long long)c.year);
}

int64_t date_day_of(int64_t t, int tz_min)
{
	return floor_div(local_time(t, tz_min), DAY);
}

/* ---- parsing ---- */

/* Blanks and comments (skipped with a depth counter, not recursion). */
static void skip_cfws(struct sv *s)
{
	unsigned depth = 0;
	size_t i = 0;
	for (; i < s->len; i++) {
		char c = s->p[i];
		if (c == '\\' && depth)
			i++;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth)
			depth--;
		else if (!depth && !ascii_is_blank(c))
			break;
	}
	*s = sv_from(*s, i);
}

/* MIN to MAX digits, cut off. */
static bool take_digits(struct sv *s, size_t min, size_t max, int *out, size_t *count)
{
	int v = 0;
	size_t n = 0;
	while (n < s->len && n <= max && ascii_is_digit(s->p[n])) {
		v = v * 10 + (s->p[n] - '0');
		n++;
	}
	if (n < min || n > max)
		return false;
	*out = v;
	if (count)
		*count = n;
	*s = sv_from(*s, n);
	return true;
}

static bool take_char(struct sv *s, char c)
{
	if (s->len == 0 || s->p[0] != c)
		return false;
	*s = sv_from(*s, 1);
	return true;
}

static bool take_month(struct sv *s, int *month)
{
	struct sv word = sv_upto(*s, 3);
	for (int m = 0; m < 12; m++)
		if (sv_ieqz(word, month_names[m])) {
			*month = m + 1;
			*s = sv_from(*s, 3);
			return true;
		}
	return false;
}

static void skip_letters(struct sv *s)
{
	while (s->len && ascii_is_alpha(s->p[0]))
		*s = sv_from(*s, 1);
}

/* "+0700", or a zone's name (RFC 5322 4.3); anything else, also a missing one, is -0000. */
static bool take_zone(struct sv *s, int *tz_min)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = {
		{ "UT", 0 }, { "GMT", 0 }, { "UTC", 0 }, { "Z", 0 }, { "EST", -5 }, { "EDT", -4 },
		{ "CST", -6 }, { "CDT", -5 }, { "MST", -7 }, { "MDT", -6 }, { "PST", -8 }, { "PDT", -7 },
	};
	*tz_min = 0;
	if (s->len && (s->p[0] == '+' || s->p[0] == '-')) {
		bool minus = s->p[0] == '-';
		int v;
		*s = sv_from(*s, 1);
		if (!take_digits(s, 4, 4, &v, NULL) || v % 100 > 59 || v / 100 >= 24)
			return false;
		*tz_min = (v / 100 * 60 + v % 100) * (minus ? -1 : 1);
		return true;
	}
	struct sv word = *s;
	skip_letters(s);
	word = sv_upto(word, word.len - s->len);
	for (size_t i = 0; i < ARRAY_LEN(zones); i++)
		if (sv_ieqz(word, zones[i].name))
			*tz_min = zones[i].hours * 60;
	return true;
}

static bool civil_valid(const struct civil *c)
{
	return c->year >= 1 && c->year <= 9999 && c->month >= 1 && c->day >= 1 &&
	       c->day <= month_days(c->year, c->month) && c->hour <= 23 && c->min <= 59 &&
	       c->sec <= 60;
}

static int64_t civil_time(const struct civil *c, int tz_min)
{
	return date_days_from_civil(c->year, c->month, c->day) * DAY + c->hour * 3600L + c->min * 60L +
	       c->sec - (int64_t)tz_min * 60;
}

/* hh:mm[:ss] */
static bool take_clock(struct sv *s, struct civil *c)
{
	if (!take_digits(s, 1, 2, &c->hour, NULL))
		return false;
	skip_cfws(s);
	if (!take_char(s, ':'))
		return false;
	skip_cfws(s);
	if (!take_digits(s, 2, 2, &c->min, NULL))
		return false;
	skip_cfws(s);
	c->sec = 0;
	if (!take_char(s, ':'))
		return true;
	skip_cfws(s);
	return take_digits(s, 2, 2, &c->sec, NULL);
}

int date_parse(struct sv s, int64_t *t, int *tz_min)
{
	struct civil c = { .year = 0 };
	int year, tz;
	size_t digits;
	skip_cfws(&s);
	if (s.len && ascii_is_alpha(s.p[0])) {
		skip_letters(&s);
		skip_cfws(&s);
		take_char(&s, ',');
		skip_cfws(&s);
	}
	if (!take_digits(&s, 1, 2, &c.day, NULL))
		return -1;
	skip_cfws(&s);
	take_char(&s, '-');
	if (!take_month(&s, &c.month))
		return -1;
	skip_letters(&s); /* "September" */
	skip_cfws(&s);
	take_char(&s, '-');
	if (!take_digits(&s, 2, 4, &year, &digits))
		return -1;
	c.year = digits == 2 ? (year < 50 ? 2000 + year : 1900 + year)
			     : digits == 3 ? 1900 + year : year;
	skip_cfws(&s);
	if (!take_clock(&s, &c))
		return -1;
	skip_cfws(&s);
	if (!take_zone(&s, &tz) || !civil_valid(&c))
		return -1;
	*t = civil_time(&c, tz);
	*tz_min = tz;
	return 1;
}

/* "dd-Mon-yyyy", the day with one or two digits. */
static bool take_imap_day(struct sv *s, struct civil *c)
{
	int year;
	if (!take_digits(s, 1, 2, &c->day, NULL) || !take_char(s, '-') || !take_month(s, &c->month) ||
		!take_char(s, '-') || !take_digits(s, 4, 4, &year, NULL))
		return false;
	c->year = year;
	return true;
}

int date_imap_parse(struct sv s, int64_t *t, int *tz_min)
{
	struct civil c = { .year = 0 };
	int tz;
	take_char(&s, ' ');
	if (!take_imap_day(&s, &c) || !take_char(&s, ' ') ||
		!take_digits(&s, 2, 2, &c.hour, NULL) || !take_char(&s, ':') ||
		!take_digits(&s, 2, 2, &c.min, NULL) || !take_char(&s, ':') ||
		!take_digits(&s, 2, 2, &c.sec, NULL) || !take_char(&s, ' ') || s.len != 5 ||
		ascii_is_alpha(s.p[0]) || !take_zone(&s, &tz) || s.len || !civil_valid(&c))
		return -1;
	*t = civil_time(&c, tz);
	*tz_min = tz;
	return 1;
}

int date_imap_day_parse(struct sv s, int64_t *days)
{
	struct civil c = { .year = 0 };
	if (!take_imap_day(&s, &c) || s.len || !civil_valid(&c))
		return -1;
	*days = date_days_from_civil(c.year, c.month, c.day);
	return 1;
}
