#include <stdlib.h>

#include "lib/fiber/fiber.h"
#include "lib/store/account.h"
#include "lib/store/driver.h"

struct deliver_job {
	struct store_account *account;
	struct sv name;
	const struct store_delivery *delivery;
	enum store_delivered how;
	int rc;
	struct err err;
};

static void deliver_run(void *rec)
{
	struct deliver_job *j = rec;
	j->rc = j->account->driver->deliver(j->account, j->name, j->delivery, &j->how, &j->err);
}

int store_deliver(struct store_account *a, struct store_mailbox_id id,
        const struct store_delivery *d, enum store_delivered *out, struct err *e)
{
	struct deliver_job j = { .account = a, .delivery = d, .name = id.name };
	bool alone = d->maybe_before || a->driver->one_at_a_time;
	if (a->driver->name_check(id.name, e) < 0 || (alone && account_enter(a, e) < 0))
		return -1;
	fiber_offload(FIBER_POOL_DURABLE, deliver_run, &j);
	*out = j.how;
	if (j.rc < 0 && e)
		*e = j.err;
	if (alone)
		account_leave(a);
	return j.rc;
}
