/*
 * lib/store/mbox_uids.h - which mail has which UID: what the file says, what we knew, what can be believed.
 *
 * Layer:     store (pure).
 * Ownership: struct mbox_state owns its list: mbox_state_free().
 * Security:  any mail may bring an X-UID or X-IMAPbase of its own. A UID is believed when the mail under it was known
 *            to have that UID, or when it lies above all that were known and below what X-IMAPbase names as given.
 *            X-IMAPbase with another UIDVALIDITY is believed in a mail that was known. What was known is in the
 *            state file; without one (first time, lost) the header fields are all there is.
 *
 * A mail that other software rewrote without its fields is known again by its content. UIDs need not ascend in the
 * file: a mailbox is shown in the order of UIDs.
 */
#ifndef STORE_MBOX_UIDS_H
#define STORE_MBOX_UIDS_H

#include "lib/store/mbox_scan.h"

#define MBOX_MAILS_MAX 500000u
#define MBOX_UID_MAX   (UINT32_MAX - MBOX_MAILS_MAX - 1)
#define MBOX_STATE_MAX (32u << 20)

struct mbox_known {
	uint64_t hash;
	uint32_t uid; /* 0: of c-client's internal mail */
};

struct mbox_state {
	uint32_t uidvalidity; /* 0: nothing is known */
	uint32_t nextuid;
	char guid[33];
	struct mbox_known *v; /* in the order of the file */
	size_t n;
};

struct mbox_rec {
	struct mbox_found mail;
	struct mbox_meta disk; /* as the file has it */
	struct mbox_meta want; /* as it shall be */
	char *key;             /* of its delivery, owned; NULL: none */
	bool drop;             /* to be removed */
	bool recent;           /* nobody was told of it before */
};

/* 1; 0 not a state, or a damaged one: *S is empty. */
int mbox_state_parse(struct sv text, struct mbox_state *s);
/* 0 or -1 (ceiling). */
int mbox_state_format(struct buf *out, const struct mbox_state *s);
void mbox_state_free(struct mbox_state *s);

/*
 * Give each of the N mails in V its UID (.want.uid). S goes in as what was known and comes out with UIDVALIDITY and
 * next UID; its list stays. BASE: of the first mail (.uidvalidity 0: none), whose hash is FIRST. FRESH: a UIDVALIDITY
 * for a mailbox that has none.
 */
void mbox_uids_assign(struct mbox_rec *v, size_t n, const struct mbox_base *base, uint64_t first,
	uint32_t fresh, struct mbox_state *s);

#endif
