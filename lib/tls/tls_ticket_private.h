/*
 * lib/tls/tls_ticket_private.h - the callback of OpenSSL behind tls_ticket.h.
 *
 * Layer:     tls.
 */
#ifndef TLS_TLS_TICKET_PRIVATE_H
#define TLS_TLS_TICKET_PRIVATE_H

#include <openssl/evp.h>

#include "lib/tls/tls_ticket.h"

/*
 * As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) asks: 1 done, 2 opened by an old key (give a new ticket),
 * 0 no key (opening: a full handshake; closing: no ticket), -1 OpenSSL failed.
 */
int tls_tickets_key(struct tls_tickets *t, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int closing);

#endif
