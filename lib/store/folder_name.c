#include "lib/store/folder_name.h"

struct store_mailbox_id store_inbox(void)
{
	return store_mailbox(SV("INBOX"));
}

struct store_mailbox_id store_mailbox(struct sv name)
{
	return (struct store_mailbox_id){ .ns = STORE_NS_PRIVATE, .name = name, .owner = SV_NONE };
}

bool store_name_is_inbox(struct sv name)
{
	return sv_ieq(name, SV("INBOX"));
}

int store_name_check(struct sv name, struct err *e)
{
	if (name.len == 0)
		return err_set(e, ERR_PERM, "mailbox name is empty");
	if (name.len > STORE_NAME_MAX)
		return err_set(
		        e, ERR_PERM, "mailbox name is longer than %d octets", STORE_NAME_MAX);
	if (name.p[0] == '~')
		return err_set(e, ERR_PERM, "mailbox name starts with '~'");
	char before = STORE_SEPARATOR;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];
		if (c < 0x20 || c >= 0x7f)
			return err_set(e, ERR_PERM, "mailbox name has a forbidden octet");
		if (c == '/' || c == '*' || c == '%')
			return err_set(e, ERR_PERM, "mailbox name has a '%c'", (char)c);
		if (c == STORE_SEPARATOR && before == STORE_SEPARATOR)
			return err_set(e, ERR_PERM, "mailbox name has an empty component");
		before = (char)c;
	}
	if (before == STORE_SEPARATOR)
		return err_set(e, ERR_PERM, "mailbox name ends in '%c'", STORE_SEPARATOR);
	return 1;
}

int folder_dir_of(struct sv name, struct folder_dir *out, struct err *e)
{
	if (store_name_is_inbox(name)) {
		memcpy(out->z, ".", 2);
		return 1;
	}
	if (store_name_check(name, e) < 0)
		return -1;
	out->z[0] = '.';
	memcpy(out->z + 1, name.p, name.len);
	out->z[1 + name.len] = '\0';
	return 1;
}

int folder_name_of(struct sv dir, struct sv *name)
{
	if (dir.len < 2 || dir.p[0] != '.')
		return 0;
	struct sv n = sv_from(dir, 1);
	if (store_name_check(n, NULL) < 0 || store_name_is_inbox(n))
		return 0;
	*name = n;
	return 1;
}

bool folder_is_child(struct sv child, struct sv parent)
{
	return child.len > parent.len + 1 && sv_starts(child, parent) &&
	       child.p[parent.len] == STORE_SEPARATOR;
}
