/*
 * tls_server_sni_maps: keys and certificates by the name that a client asks for. The value is what postmap -F made of
 * the files: base64 of PEM. Names are the client's and without number, so what is kept is found by the value: as many
 * as there are certificates, at most SMTPD_SNI_CACHE.
 */
#include "lib/base/base64.h"
#include "lib/base/hash.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "smtpd/smtpd.h"

/* The whole name, then ".parent" for each of its parents. 1, 0, -1. */
static int find(struct maps *m, struct sv name, struct buf *value, struct err *e)
{
	int rc = maps_find(m, name, value, e);
	for (ptrdiff_t dot; rc == 0 && (dot = sv_chr(name, '.')) >= 0;) {
		struct sv parent = sv_from(name, (size_t)dot);
		rc = maps_find(m, parent, value, e);
		name = sv_from(parent, 1);
	}
	return rc;
}

static struct tls_keys *parse(struct sv name, struct sv value, struct err *e)
{
	char title[300];
	struct buf pem;
	struct tls_keys *k = NULL;
	snprintf(title, sizeof(title), "tls_server_sni_maps: %.*s", SV_ARG(name));
	buf_init(&pem, TLS_KEYS_FILE_MAX);
	if (base64_decode(&pem, value) != 1)
		err_set(e, ERR_CONFIG, "%s: the value is not the content of files: build the table with postmap -F",
			title);
	else
		k = tls_keys_parse(title, buf_sv(&pem), e);
	if (pem.p)
		explicit_bzero(pem.p, pem.cap);
	buf_free(&pem);
	return k;
}

static uint64_t hash_of(struct smtpd_tls *t, struct sv value)
{
	/* a seed drawn once: nobody outside can make two values look alike */
	if (t->sni_seed.k0 == 0)
		t->sni_seed = (struct hash_seed){ rand_u64() | 1, rand_u64() };
	return hash_sip(t->sni_seed, value.p, value.len);
}

static struct tls_keys *keys_of(struct smtpd_tls *t, struct sv name, struct sv value, struct err *e)
{
	uint64_t hash = hash_of(t, value);
	for (size_t i = 0; i < SMTPD_SNI_CACHE; i++)
		if (t->sni[i].keys && t->sni[i].hash == hash)
			return tls_keys_hold(t->sni[i].keys);
	struct tls_keys *k = parse(name, value, e);
	if (!k)
		return NULL;
	struct smtpd_sni_entry *place = &t->sni[t->sni_next++ % SMTPD_SNI_CACHE];
	tls_keys_free(place->keys);
	*place = (struct smtpd_sni_entry){ hash, tls_keys_hold(k) };
	return k;
}

int smtpd_tls_keys_for(void *arg, struct sv name, struct tls_keys **out, struct err *e)
{
	struct smtpd_tls *t = arg;
	struct buf value;
	buf_init(&value, MAP_VALUE_MAX);
	int rc = find(t->sni_maps, name, &value, e);
	if (rc == 1) {
		*out = keys_of(t, name, sv_trim(buf_sv(&value)), e);
		rc = *out ? 1 : -1;
	}
	if (value.p)
		explicit_bzero(value.p, value.cap);
	buf_free(&value);
	return rc;
}
