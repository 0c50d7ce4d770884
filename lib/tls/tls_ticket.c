#include "lib/tls/tls_ticket_private.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "lib/base/buf.h"

struct key {
	unsigned char name[16], cipher[32], mac[32];
};

struct tls_tickets {
	struct key key[TLS_TICKET_KEYS_MAX];
	size_t n;
};

_Static_assert(sizeof(struct key) == TLS_TICKET_KEY_SIZE, "a key's octets are its structure's");

struct tls_tickets *tls_tickets_new(void)
{
	return mem_alloc(sizeof(struct tls_tickets));
}

void tls_tickets_free(struct tls_tickets *t)
{
	if (!t)
		return;
	OPENSSL_cleanse(t, sizeof(*t));
	free(t);
}

int tls_tickets_set(struct tls_tickets *t, struct sv keys)
{
	size_t n = keys.len / TLS_TICKET_KEY_SIZE;
	if (keys.len % TLS_TICKET_KEY_SIZE != 0 || n > TLS_TICKET_KEYS_MAX)
		return -1;
	OPENSSL_cleanse(t->key, sizeof(t->key));
	if (n)
		memcpy(t->key, keys.p, keys.len);
	t->n = n;
	return 0;
}

static int start(const struct key *k, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int closing)
{
	char digest[] = "sha256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac, sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
		EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv, closing) == 1;
}

int tls_tickets_key(struct tls_tickets *t, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int closing)
{
	if (t->n == 0)
		return 0;
	if (closing) {
		memcpy(name, t->key[0].name, sizeof(t->key[0].name));
		return RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 && start(&t->key[0], iv, cipher, mac, 1) ? 1 : -1;
	}
	for (size_t i = 0; i < t->n; i++)
		if (CRYPTO_memcmp(name, t->key[i].name, sizeof(t->key[i].name)) == 0)
			return !start(&t->key[i], iv, cipher, mac, 0) ? -1 : i == 0 ? 1 : 2;
	return 0;
}
