#include "lib/sasl/crypt_verify.h"

#include <crypt.h>
#include <errno.h>

#include "lib/base/buf.h"

bool crypt_hash_is_strong(struct sv hash)
{
	static const char *const prefixes[] = { "$y$", "$gy$", "$7$", "$2b$", "$2a$", "$2y$", "$6$",
		"$5$" };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (sv_starts(hash, sv_z(prefixes[i])))
			return true;
	return false;
}

int crypt_verify(struct sv hash, struct sv password, struct err *e)
{
	char setting[CRYPT_OUTPUT_SIZE];
	char phrase[CRYPT_MAX_PASSPHRASE_SIZE];
	int rc;

	if (!crypt_hash_is_strong(hash))
		return err_set(e, ERR_CONFIG, "the hash is of a scheme too weak or unknown");
	if (sv_copyz(hash, setting, sizeof(setting)) < 0)
		return err_set(e, ERR_CONFIG, "the hash is too long");
	/* also what keeps libcrypt linked where a sanitizer defines crypt_r() itself */
	if (crypt_checksalt(setting) == CRYPT_SALT_INVALID)
		return err_set(e, ERR_CONFIG, "the hash is malformed");
	if (sv_copyz(password, phrase, sizeof(phrase)) < 0)
		return 0;
	struct crypt_data *data = mem_alloc(sizeof(*data)); /* 32 kB: not for a stack */
	/* not crypt_r(): AddressSanitizer puts one of its own in front of that, which does not work */
	const char *got = crypt_rn(phrase, setting, data, (int)sizeof(*data));

	if (!got || got[0] == '*') {
		rc = err_set(e, ERR_CONFIG, "the hash cannot be used: %s", strerror(errno));
	} else {
		size_t n = strlen(got);
		unsigned diff = n != hash.len;

		for (size_t i = 0; i < n && i < hash.len; i++)
			diff |= (unsigned char)got[i] ^ (unsigned char)hash.p[i];
		rc = diff == 0;
	}
	explicit_bzero(phrase, sizeof(phrase));
	explicit_bzero(data, sizeof(*data));
	free(data);
	return rc;
}
