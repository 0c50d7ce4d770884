#include "lib/tls/tls_error.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#define REASONS_MAX 4 /* more tell no more */

void tls_error_clear(void)
{
	ERR_clear_error();
}

/* "certificate verify failed (in tls_process_server_certificate)": what, and for OpenSSL's own text, where. */
static size_t put_reason(char *at, size_t room, unsigned long code, const char *data)
{
	const char *reason = ERR_reason_error_string(code);
	char plain[128];
	if (!reason) {
		ERR_error_string_n(code, plain, sizeof(plain));
		reason = plain;
	}
	int n = snprintf(at, room, ": %s%s%s", reason, data && data[0] ? ": " : "", data ? data : "");
	return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

int tls_error_take(struct err *e, enum err_class cls, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	size_t at = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	unsigned long code;
	const char *data;
	int flags;
	for (int i = 0; (code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0; i++)
		if (i < REASONS_MAX)
			at += put_reason(text + at, sizeof(text) - at, code, flags & ERR_TXT_STRING ? data : NULL);
	return err_set(e, cls, "%s", text);
}
