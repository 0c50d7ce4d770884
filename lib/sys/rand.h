/*
 * lib/sys/rand.h - randomness from getrandom(2); a failure ends the process.
 *
 * Layer: sys.
 */
#ifndef SYS_RAND_H
#define SYS_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *p, size_t n);
uint64_t rand_u64(void);

#endif
