/* links: map mail sys config ipc fiber base */
/* Any list of patterns and any name of a table in it: opened or refused with a reason, then asked. */
#include "lib/base/buf.h"
#include "lib/map/matchlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct sv text = sv_n((const char *)data, size);
	/* nothing that reads files of this machine or asks its name service */
	if (size > 4000 || sv_chr(text, '/') >= 0 || sv_find(text, SV("unix:")) >= 0 ||
	    sv_find(text, SV("hash:")) >= 0 || sv_find(text, SV("btree:")) >= 0 ||
	    sv_find(text, SV("regexp:")) >= 0 || sv_find(text, SV("cidr:")) >= 0)
		return 0;
	char *z = mem_svdup(text);
	struct matchlist *m = matchlist_open("fuzz", z, MATCHLIST_PARENT, NULL, &e);
	if (!m && e.text[0] == '\0')
		abort();
	if (m) {
		int rc = matchlist_domain(m, SV("mail.example.com"), &e);
		rc |= matchlist_host(m, SV("mail.example.com"), SV("10.0.0.1"), &e);
		rc |= matchlist_string(m, SV("x"), &e);
		if (rc < -1 || rc > 1)
			abort();
	}
	matchlist_free(m);
	free(z);
	return 0;
}
