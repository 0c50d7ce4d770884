/*
 * lib/tls/tls_match.h - does a name in a certificate fit the name that was wanted?
 *
 * Layer:     tls (pure).
 * Security:  a wildcard is the whole first label ("*.example.org"), with two labels at least behind it; a name
 *            with an octet that no host name has fits nothing.
 * Standards: RFC 6125 6.4, with Postfix's forms of wanted names.
 */
#ifndef TLS_TLS_MATCH_H
#define TLS_TLS_MATCH_H

#include "lib/base/sv.h"

/*
 * WANTED: "mail.example.org", or ".example.org" for any name below. CERT: a dNSName. MANY: a wildcard stands
 * for one label or more, else for exactly one.
 */
bool tls_name_fits(struct sv wanted, struct sv cert, bool many);

#endif
