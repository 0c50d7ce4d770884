/*
 * lib/base/list.h - intrusive doubly linked lists.
 *
 * Layer:     base (pure).
 * Ownership: links live inside the caller's structures; the list frees nothing.
 *
 *     struct job { struct list_node queued; ... };
 *     LIST_FOREACH(n, &jobs) { struct job *j = CONTAINER_OF(n, struct job, queued); ... }
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "lib/base/attr.h"

struct list_node {
	struct list_node *prev, *next; /* NULL: in no list */
};

struct list {
	struct list_node head;
	size_t count;
};

static inline void list_init(struct list *l)
{
	l->head.prev = l->head.next = &l->head;
	l->count = 0;
}

static inline bool list_empty(const struct list *l)
{
	return l->head.next == &l->head;
}

static inline bool list_linked(const struct list_node *n)
{
	return n->next != NULL;
}

static inline void list_insert_before(struct list *l, struct list_node *at, struct list_node *n)
{
	n->prev = at->prev;
	n->next = at;
	at->prev->next = n;
	at->prev = n;
	l->count++;
}

static inline void list_push(struct list *l, struct list_node *n) /* at the end */
{
	list_insert_before(l, &l->head, n);
}

static inline void list_push_front(struct list *l, struct list_node *n)
{
	list_insert_before(l, l->head.next, n);
}

static inline void list_remove(struct list *l, struct list_node *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->prev = n->next = NULL;
	l->count--;
}

static inline struct list_node *list_first(const struct list *l)
{
	return list_empty(l) ? NULL : l->head.next;
}

static inline struct list_node *list_pop(struct list *l)
{
	struct list_node *n = list_first(l);
	if (n)
		list_remove(l, n);
	return n;
}

#define LIST_FOREACH(n, l) \
	for (struct list_node *n = (l)->head.next; n != &(l)->head; n = n->next)
/* The current node may be removed inside the loop. */
#define LIST_FOREACH_SAFE(n, l)                                                              \
	for (struct list_node *n = (l)->head.next, *n##_next = n->next; n != &(l)->head; \
		n = n##_next, n##_next = n->next)

#endif
