/*
 * lib/store/folder_list.h - the folders of an account on their way to a LIST.
 *
 * Layer:     store (pure; allocates).
 * Ownership: folder_list_free(); a zeroed list is empty. Names are copied.
 */
#ifndef STORE_FOLDER_LIST_H
#define STORE_FOLDER_LIST_H

#include "lib/base/sv.h"

struct folder_list {
	struct folder_entry {
		char *name;
		unsigned flags; /* enum store_folder_flag */
	} *v; /* INBOX first, then in octet order */
	size_t n, cap;
};

void folder_list_push(struct folder_list *l, struct sv name, unsigned flags);
void folder_list_sort(struct folder_list *l);
/* Put in what the file SUBSCRIPTIONS says and parents that do not exist; INBOX comes first. */
void folder_list_finish(struct folder_list *l, struct sv subscriptions);
void folder_list_free(struct folder_list *l);

#endif
