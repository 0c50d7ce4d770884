#include "lib/sys/landlock.h"

#include <errno.h>
#include <sys/syscall.h>

#include "lib/sys/sys.h"

/* From the kernel's interface; its header is absent or old on machines that we build on. */
#define NR_CREATE_RULESET 444
#define NR_ADD_RULE       445
#define NR_RESTRICT_SELF  446

#define FS_EXECUTE     (1ull << 0)
#define FS_WRITE_FILE  (1ull << 1)
#define FS_READ_FILE   (1ull << 2)
#define FS_READ_DIR    (1ull << 3)
#define FS_REMOVE_DIR  (1ull << 4)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_DIR    (1ull << 7)
#define FS_MAKE_REG    (1ull << 8)
#define FS_MAKE_SOCK   (1ull << 9)
#define FS_MAKE_FIFO   (1ull << 10)
#define FS_MAKE_SYM    (1ull << 12)
#define FS_ABI_1       ((1ull << 13) - 1)
#define FS_REFER       (1ull << 13) /* ABI 2: link and rename between directories */
#define FS_TRUNCATE    (1ull << 14) /* ABI 3 */
#define FS_IOCTL_DEV   (1ull << 15) /* ABI 5 */
#define NET_TCP        3ull         /* ABI 4: bind, connect */
#define SCOPE_ALL      3ull         /* ABI 6: abstract sockets, signals */

#define READ_RIGHTS  (FS_READ_FILE | FS_READ_DIR)
#define WRITE_RIGHTS                                                                                 \
	(READ_RIGHTS | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | \
		FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_SYM | FS_REFER | FS_TRUNCATE)
#define FILE_RIGHTS (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct path_attr {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

/* The rights that this kernel knows; what it does not know it cannot restrict. */
static uint64_t known_rights(long abi)
{
	uint64_t r = FS_ABI_1;
	if (abi >= 2)
		r |= FS_REFER;
	if (abi >= 3)
		r |= FS_TRUNCATE;
	if (abi >= 5)
		r |= FS_IOCTL_DEV;
	return r;
}

static int add_path(int ruleset, const char *path, uint64_t rights, bool must_exist, struct err *e)
{
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !must_exist)
		return 0;
	if (fd < 0)
		return err_sys(e, errno, "sandbox: %s", path);
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rights &= FILE_RIGHTS;
	struct path_attr attr = { .allowed = rights, .parent = fd };
	long rc = syscall(NR_ADD_RULE, ruleset, 1 /* path beneath */, &attr, 0);
	int saved = errno;
	close(fd);
	return rc < 0 ? err_sys(e, saved, "sandbox: landlock rule for %s", path) : 0;
}

int landlock_prepare(const struct jail *j, int *fd, struct err *e)
{
	long abi = syscall(NR_CREATE_RULESET, NULL, 0, 1 /* version */);
	if (abi <= 0)
		return 0;
	uint64_t known = known_rights(abi);
	struct ruleset_attr attr = { .fs = known };
	size_t size = sizeof(attr.fs);
	if (abi >= 4) {
		attr.net = j->allow & JAIL_INET ? 0 : NET_TCP;
		size = offsetof(struct ruleset_attr, scoped);
	}
	if (abi >= 6) {
		attr.scoped = SCOPE_ALL;
		size = sizeof(attr);
	}
	long rs = syscall(NR_CREATE_RULESET, &attr, size, 0);
	if (rs < 0)
		return err_sys(e, errno, "sandbox: landlock rules");
	*fd = (int)rs;
	for (size_t i = 0; i < JAIL_PATHS_MAX && j->read_paths[i]; i++)
		if (add_path(*fd, j->read_paths[i], READ_RIGHTS & known, false, e) < 0)
			goto fail;
#ifdef MERPATI_SANITIZED /* the leak checker looks at its own process at the end */
	if (add_path(*fd, "/proc", READ_RIGHTS & known, false, e) < 0)
		goto fail;
#endif
	for (size_t i = 0; i < JAIL_PATHS_MAX && j->write_paths[i]; i++)
		if (add_path(*fd, j->write_paths[i], WRITE_RIGHTS & known, true, e) < 0)
			goto fail;
	return 1;
fail:
	close(*fd);
	return -1;
}

int landlock_close_door(int fd, struct err *e)
{
	long rc = syscall(NR_RESTRICT_SELF, fd, 0);
	int saved = errno;
	close(fd);
	return rc < 0 ? err_sys(e, saved, "sandbox: landlock") : 0;
}
