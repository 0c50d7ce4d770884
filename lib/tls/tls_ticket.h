/*
 * lib/tls/tls_ticket.h - keys of session tickets, shared by all processes of one service.
 *
 * Layer:     tls.
 * Ownership: tls_tickets_new() .. tls_tickets_free().
 * Security:  a ticket opens for who has its key: every service has keys of its own, so that what one
 *            service trusted (a client's certificate) is nothing to another. Keys come from master by memory,
 *            are in no file, and are wiped here when they are replaced.
 * Standards: RFC 5077 4 (the recommended form), RFC 8446 4.6.1.
 *
 * A set is a row of keys, the newest first: it closes tickets, the others only open them (and the client then
 * gets a new one). Without a key no ticket is given.
 */
#ifndef TLS_TLS_TICKET_H
#define TLS_TLS_TICKET_H

#include "lib/base/sv.h"

#define TLS_TICKET_KEYS_MAX 4
#define TLS_TICKET_KEY_SIZE 80 /* name 16, AES-256 32, HMAC-SHA-256 32 */

struct tls_tickets;

struct tls_tickets *tls_tickets_new(void);
void tls_tickets_free(struct tls_tickets *t);
/* KEYS: TLS_TICKET_KEY_SIZE octets each, newest first. 0, or -1: not such a row (nothing has changed). */
MUST_USE int tls_tickets_set(struct tls_tickets *t, struct sv keys);

#endif
