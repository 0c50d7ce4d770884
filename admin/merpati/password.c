#include <crypt.h>
#include <errno.h>
#include <termios.h>

#include "admin/merpati/merpati.h"
#include "lib/sys/sys.h"

/* One line of standard input without its end. 0 or -1. */
static int read_line(char *out, struct err *e)
{
	size_t n = 0;
	for (;;) {
		char c;
		ssize_t got = sys_read(STDIN_FILENO, &c, 1);
		if (got < 0)
			return err_sys(e, errno, "read the password");
		if (got == 0 || c == '\n')
			break;
		if (n >= PASSWORD_MAX)
			return err_set(
			        e, ERR_PERM, "the password is longer than %d octets", PASSWORD_MAX);
		out[n++] = c;
	}
	if (n > 0 && out[n - 1] == '\r')
		n--;
	out[n] = '\0';
	if (n == 0)
		return err_set(e, ERR_PERM, "no password was given: write it to standard input");
	if (strlen(out) != n)
		return err_set(e, ERR_PERM, "the password may not hold a NUL");
	return 0;
}

static int ask(const char *prompt, char *out, struct err *e)
{
	struct termios shown, hidden;
	if (tcgetattr(STDIN_FILENO, &shown) < 0)
		return err_sys(e, errno, "terminal");
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	fputs(prompt, stderr);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) < 0)
		return err_sys(e, errno, "terminal");
	int rc = read_line(out, e);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	return rc;
}

int password_read(const char *user, char out[PASSWORD_MAX + 1], struct err *e)
{
	if (!isatty(STDIN_FILENO))
		return read_line(out, e);
	char prompt[256], again[PASSWORD_MAX + 1];
	snprintf(prompt, sizeof prompt, "Password for %s: ", user);
	if (ask(prompt, out, e) < 0 || ask("Once more: ", again, e) < 0)
		return -1;
	int same = strcmp(out, again);
	explicit_bzero(again, sizeof again);
	return same == 0 ? 0
	                 : err_set(e, ERR_PERM, "the two passwords differ: nothing was changed");
}

int password_hash(const char *password, struct buf *out, struct err *e)
{
	struct crypt_data *data = mem_alloc(sizeof *data);
	char *setting = crypt_gensalt_ra("$y$", 0, NULL, 0);
	char *hash = setting ? crypt_rn(password, setting, data, (int)sizeof(*data)) : NULL;
	int rc = 0;
	if (!hash || hash[0] == '*')
		rc = err_sys(e, errno, "libcrypt cannot hash with yescrypt");
	else if (buf_printf(out, "{CRYPT}%s", hash) < 0)
		rc = err_set(e, ERR_BUG, "the hash is too long");
	free(setting);
	explicit_bzero(data, sizeof *data);
	free(data);
	return rc;
}
