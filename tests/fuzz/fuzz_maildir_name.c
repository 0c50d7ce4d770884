/* links: store */
/* Names of mail files and mailboxes out of hostile octets: parts lie inside, a rewritten name keeps its base
 * and says the same flags, a folder's directory cannot leave the Maildir. */
#include "lib/store/folder_name.h"
#include "lib/store/maildir_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_file(struct sv in)
{
	struct maildir_name n, again;
	if (maildir_name_parse(in, &n) != 1)
		return;
	check(n.base.p == in.p && n.base.len > 0 && n.base.len <= in.len);
	check(n.key.len == 0 || n.key.len == 32);
	check(n.flags < 64 && n.keywords < 1u << STORE_KEYWORDS_MAX);
	struct buf out;
	buf_init(&out, 2 * MAILDIR_NAME_MAX);
	check(maildir_name_format(&out, n.base, n.flags, n.keywords, maildir_name_info(in)) == 0);
	if (out.len <= MAILDIR_NAME_MAX) {
		check(maildir_name_parse(buf_sv(&out), &again) == 1);
		check(sv_eq(again.base, n.base) && again.flags == n.flags &&
		        again.keywords == n.keywords);
		check(again.size == n.size && again.vsize == n.vsize);
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	check_file(in);
	struct folder_dir d;
	struct sv name;
	if (folder_dir_of(in, &d, NULL) == 1 && !store_name_is_inbox(in)) {
		check(d.z[0] == '.' && d.z[1] != '.' && !strchr(d.z, '/') &&
		        strlen(d.z) == size + 1);
		check(folder_name_of(sv_z(d.z), &name) == 1 && sv_eq(name, in));
	}
	char host[MAILDIR_HOST_MAX + 1];
	maildir_host_clean(in, host);
	check(strlen(host) > 0 && !strpbrk(host, "/:,\n"));
	return 0;
}
