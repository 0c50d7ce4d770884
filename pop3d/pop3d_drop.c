#include <stdio.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "pop3d/pop3d.h"

int pop3_drop_open(struct pop3_maildrop *d, struct store *store,
        const struct clnt_auth_identity *who, struct err *e)
{
	struct store_account_def def = {
		.owner = who->name,
		.home = who->home,
		.mail = who->mail,
		.uid = who->uid,
		.create = true, /* nothing delivered yet is an empty mailbox */
	};
	int rc = store_account_open(store, &def, &d->account, e);

	if (rc == 1)
		rc = store_box_open(d->account, store_inbox(), STORE_BOX_WRITE, &d->box, e);
	if (rc == 0)
		rc = err_set(e, ERR_TEMP, "there is no mailbox");
	/* sizes come from file names or the index; only mail that nobody ever counted is read */
	if (rc == 1)
		rc = store_box_sizes(d->box, NULL, 0, e);
	if (rc < 0) {
		pop3_drop_close(d);
		return -1;
	}
	d->count = store_box_count(d->box);
	d->deleted = mem_array(d->count ? d->count : 1, sizeof(*d->deleted));
	for (size_t i = 0; i < d->count; i++) {
		if (store_box_msg(d->box, i)->gone) {
			d->deleted[i] = true;
			continue;
		}
		d->octets += store_box_msg(d->box, i)->vsize;
	}
	return 1;
}

void pop3_drop_close(struct pop3_maildrop *d)
{
	free(d->deleted);
	store_box_close(d->box);
	store_account_close(d->account);
	*d = (struct pop3_maildrop){ .box = NULL };
}

int pop3_drop_update(struct pop3_maildrop *d, struct err *e)
{
	size_t *marked;
	size_t n = 0;
	int rc = 1;

	if (d->ndeleted == 0)
		return 1;
	marked = mem_array(d->ndeleted, sizeof(*marked));
	for (size_t i = 0; i < d->count && n < d->ndeleted; i++)
		if (d->deleted[i] && !store_box_msg(d->box, i)->gone)
			marked[n++] = i;
	if (n > 0)
		rc = store_box_expunge(d->box, marked, n, e);
	free(marked);
	return rc;
}

void pop3_drop_uidl(const struct pop3_maildrop *d, size_t index, char out[static POP3_UIDL_SIZE])
{
	/* A UID never comes again within one UIDVALIDITY; both survive a lost index. Dovecot's default
	 * has the same order: who changes from it or back does not fetch all mail once more. */
	snprintf(out, POP3_UIDL_SIZE, "%08x%08x", (unsigned)store_box_msg(d->box, index)->uid,
	        (unsigned)store_box_uidvalidity(d->box));
}
