#include "lib/sys/rand.h"

#include <errno.h>
#include <sys/random.h>

#include "lib/sys/log.h"

void rand_bytes(void *p, size_t n)
{
	unsigned char *at = p;
	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			log_bug("getrandom: %s", strerror(errno));
		at += got;
		n -= (size_t)got;
	}
}

uint64_t rand_u64(void)
{
	uint64_t v;
	rand_bytes(&v, sizeof(v));
	return v;
}
