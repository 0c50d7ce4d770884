/*
 * lib/store/box.h - private: the structure behind struct store_box, and how its jobs run.
 *
 * Layer:     store (event loop).
 * Ownership: a box counts its account. While a job runs the fiber that owns the box waits, so jobs
 *            change the box without further locks.
 */
#ifndef STORE_BOX_H
#define STORE_BOX_H

#include "lib/fiber/fiber.h"
#include "lib/store/account.h"
#include "lib/store/driver.h"

struct store_box {
	struct store_account *account;
	void *table; /* of account->driver */
	char *name;
	bool writable;
	struct store_msg *v; /* the view, ascending UIDs */
	size_t n, cap;
	size_t recent;
	uint32_t last_uid;   /* highest UID that the view ever had */
	uint32_t uidvalidity;
	struct keywords kw;  /* as the session was told */
};

/* One job on a box: the first member of a structure that holds its arguments. */
struct box_job {
	void (*run)(void *job);
	struct store_box *box;
	int rc;
	struct err err;
};

/* Run J in the durability pool under the account's mutex. */
void box_run(struct store_box *b, struct box_job *j);
/* J's result, with its error copied to E. */
int box_result(struct box_job *j, struct err *e);

#endif
