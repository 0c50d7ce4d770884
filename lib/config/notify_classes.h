/*
 * lib/config/notify_classes.h - the words of notify_classes: which trouble the postmaster is told by mail.
 *
 * Layer:     config (pure).
 * Standards: notify_classes of postconf(5): "bounce" means "2bounce" too.
 */
#ifndef CONFIG_NOTIFY_CLASSES_H
#define CONFIG_NOTIFY_CLASSES_H

#include "lib/base/err.h"
#include "lib/base/sv.h"

/* X(NAME, "word"): the only list of them. */
#define NOTIFY_CLASSES(X)                                                              \
	X(BOUNCE, "bounce")     /* mail returned; mail refused for its recipient or size */ \
	X(2BOUNCE, "2bounce")   /* mail that can neither be delivered nor returned */       \
	X(DATA, "data")         /* a table could not be read while a client waited */       \
	X(DELAY, "delay")       /* mail is late, and its sender was told */                 \
	X(POLICY, "policy")     /* a client was refused by restrictions or limits */        \
	X(PROTOCOL, "protocol") /* a client broke the protocol */                           \
	X(RESOURCE, "resource") /* no room in the queue, no memory */                       \
	X(SOFTWARE, "software") /* a mistake in the configuration or in this software */

enum notify_class_bit {
#define X(name, word) NOTIFY_BIT_##name,
	NOTIFY_CLASSES(X)
#undef X
};

enum notify_class {
#define X(name, word) NOTIFY_CLASS_##name = 1 << NOTIFY_BIT_##name,
	NOTIFY_CLASSES(X)
#undef X
};

/* "resource, software" as bits; -1 with E (CONFIG): a word that is none of them. */
MUST_USE int notify_classes_parse(const char *text, unsigned *out, struct err *e);
/* The word of the lowest bit in CLASSES. */
const char *notify_class_name(unsigned classes);

#endif
