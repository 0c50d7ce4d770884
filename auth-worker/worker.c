#include "auth-worker/worker.h"

#include <crypt.h>
#include <errno.h>

#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/sys/log.h"

#define IDLE_MS     (3600 * 1000)
#define SEND_MS     10000
#define REQUEST_MAX (16 * 1024)

int worker_hash_is_strong(struct sv hash)
{
	static const char *const prefixes[] = { "$y$", "$gy$", "$7$", "$2b$", "$2a$", "$2y$", "$6$",
		"$5$" };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (sv_starts(hash, sv_z(prefixes[i])))
			return 1;
	return 0;
}

int worker_verify(struct sv hash, struct sv password, struct err *e)
{
	char setting[CRYPT_OUTPUT_SIZE];
	char phrase[CRYPT_MAX_PASSPHRASE_SIZE];
	int rc;

	if (!worker_hash_is_strong(hash))
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

struct job {
	struct sv hash, password;
	struct err e;
	int rc;
};

static void run_job(void *rec)
{
	struct job *j = rec;

	j->rc = worker_verify(j->hash, j->password, &j->e);
}

static int answer(struct ipc_conn *c, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_authworker_verify q;

	if (f->type != MSG_authworker_verify)
		return err_set(e, ERR_PERM, "unexpected message type %u", f->type);
	if (msg_authworker_verify_decode(f->body, a, &q, e) < 0)
		return -1;
	struct job j = { .hash = q.hash, .password = q.password, .e = ERR_INIT };

	/* in a thread: the loop stays able to hear that it shall stop */
	fiber_offload(FIBER_POOL_LOOKUP, run_job, &j);
	explicit_bzero((void *)(uintptr_t)f->body.p, f->body.len);
	struct msg_authworker_verified r = {
		.status = j.rc < 0 ? 2 : (uint32_t)j.rc,
		.error = j.rc < 0 ? sv_z(j.e.text) : SV_NONE,
	};

	return msg_authworker_verified_send(
	        c, &r, f->request_id, NULL, 0, fiber_deadline(SEND_MS), e);
}

static int next_request(
        struct ipc_conn *c, struct server_conn *sc, struct ipc_frame *f, struct err *e)
{
	if (!sc)
		return ipc_recv(c, f, fiber_deadline(IDLE_MS), e);
	if (server_is_stopping(sc->server))
		return 0;
	server_conn_idle(sc, true);
	int rc = ipc_recv(c, f, fiber_deadline(IDLE_MS), e);

	server_conn_idle(sc, false);
	return rc;
}

void worker_serve_fd(int fd, struct server_conn *sc)
{
	struct ipc_conn *c = ipc_conn_new(fd);
	struct err e = ERR_INIT;
	struct ipc_frame f;
	struct arena a;

	arena_init(&a, REQUEST_MAX);
	while (next_request(c, sc, &f, &e) == 1) {
		arena_reset(&a);
		if (f.protocol != MSG_authworker_PROTOCOL || answer(c, &f, &a, &e) < 0) {
			log_warn("connection closed: %s", e.text[0] ? e.text : "wrong protocol");
			break;
		}
	}
	arena_free(&a);
	ipc_conn_free(c);
}

void worker_serve(struct server_conn *c)
{
	worker_serve_fd(c->fd, c);
}
