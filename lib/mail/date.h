/*
 * lib/mail/date.h - dates of mail: header dates, IMAP internal dates, IMAP search days.
 *
 * Layer:     mail (pure: the time and the zone's offset are passed in; no locale, no tzdata).
 * Errors:    formatting 0 or -1 (ceiling); parsing 1 done, -1 not a date.
 * Security:  hostile: numbers are bounded before they are multiplied.
 * Standards: RFC 5322 3.3 and 4.3 (obsolete zones, two-digit years), RFC 9051 9 (date, date-time).
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "lib/base/buf.h"

/* Days since 1970-01-01 of a civil date (month 1..12), proleptic Gregorian; and back. */
int64_t date_days_from_civil(int64_t year, int month, int day);
void date_civil_from_days(int64_t days, int64_t *year, int *month, int *day);

/* "Sun, 22 Nov 2026 08:05:00 +0700"; TZ_MIN minutes east of UTC. */
int date_format(struct buf *out, int64_t t, int tz_min);
/* The same with " (WIB)" behind it when ZONE is not empty, as Postfix writes it. */
int date_format_zone(struct buf *out, int64_t t, int tz_min, const char *zone);
/* Tolerant: day name, seconds, zone may miss; comments skipped; two-digit years; UT, EST, Z ... */
MUST_USE int date_parse(struct sv s, int64_t *t, int *tz_min);

/* "22-Nov-2026 08:05:00 +0700" (day padded with a blank, no quotes). */
int date_imap_format(struct buf *out, int64_t t, int tz_min);
MUST_USE int date_imap_parse(struct sv s, int64_t *t, int *tz_min);

/* "1-Feb-1994": days since 1970-01-01. */
MUST_USE int date_imap_day_parse(struct sv s, int64_t *days);
/* The civil day, zone taken into account, that IMAP SEARCH compares. */
int64_t date_day_of(int64_t t, int tz_min);

/* "Nov 22 08:05:00", the stamp of mailq and maillog_file lines. */
int date_syslog_format(struct buf *out, int64_t t, int tz_min);
/* "Sun Nov 22 08:05:00 2026", the stamp of mbox From_ lines and of mailq. */
int date_ctime_format(struct buf *out, int64_t t, int tz_min);

#endif
