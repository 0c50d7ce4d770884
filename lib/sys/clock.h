/*
 * lib/sys/clock.h - time, in one place so that tests can scale it.
 *
 * Layer: sys. Units are in the names. In builds with MERPATI_FAULTS the environment
 * MERPATI_CLOCK_SCALE=N makes time run N times as fast (wall clock starts at the true time), and
 * MERPATI_CLOCK_SHIFT=S sets the wall clock S seconds ahead (-S: back). MERPATI_CLOCK_FILE=PATH: that file holds
 * two numbers of eight octets: seconds to add, too (all processes see a change at once), and the time at which
 * scaled time began for all of them, whenever they start.
 */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Monotonic milliseconds: for deadlines and durations. */
int64_t clock_mono_ms(void);
/* Real microseconds, not scaled: for measuring what a call costs. */
int64_t clock_cost_us(void);
/* Wall clock: for dates in mail and logs. */
int64_t clock_wall_s(void);
struct timespec clock_wall(void);
/* Minutes east of UTC of the local time zone at T. The zone is read by log_init(): before a chroot. */
int clock_tz_min(int64_t t);
/* How long N scaled milliseconds last in real ones (for poll time-outs). */
int64_t clock_real_ms(int64_t scaled_ms);
#ifdef MERPATI_FAULTS
/* Set the wall clock of this process: S seconds from the true time. For unit tests. */
void clock_wall_shift(int64_t s);
#endif

#endif
