/* links: ipc */
/*
 * Any octets on a connection, written in pieces whose sizes the first octet chooses: frames come out whole
 * and as long as they say, or the connection ends with an error; never a crash, never a wait without end.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/num.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct ipc_conn *c, size_t *total)
{
	struct ipc_frame f;
	struct err e = ERR_INIT;
	while (ipc_pending(c) && ipc_recv(c, &f, 0, &e) == 1) {
		*total += f.body.len + IPC_HEAD;
		for (size_t i = 0; i < f.body.len; i++)
			if (f.body.p[i] == 0x7f)
				*total += 0; /* touch every octet */
		if (f.nfds > 0)
			abort(); /* none were sent */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int p[2];
	if (size < 1 || socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0)
		return 0;
	struct ipc_conn *c = ipc_conn_new(p[0]);
	struct ipc_frame f;
	struct err e = ERR_INIT;
	size_t step = (size_t)data[0] + 1, total = 0;
	for (size_t at = 1; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;
		if (send(p[1], data + at, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
			break; /* the socket is full: a broken connection reads no more */
		if (ipc_recv(c, &f, 0, &e) == 1)
			total += f.body.len + IPC_HEAD;
		drain(c, &total);
	}
	close(p[1]);
	while (ipc_recv(c, &f, 0, &e) == 1)
		total += f.body.len + IPC_HEAD;
	if (total > size)
		abort();
	ipc_conn_free(c);
	return 0;
}
