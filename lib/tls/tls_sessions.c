#include "lib/tls/tls_sessions_private.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/sys/clock.h"

/* A few hundred destinations at most: a list is searched in microseconds, a handshake takes thousands. */
struct kept {
	struct list_node link;
	char *key;
	SSL_SESSION *session;
	int64_t until; /* clock_mono_ms() */
};

struct tls_sessions {
	struct list all; /* oldest first */
	size_t max;
	int64_t lifetime_ms;
};

struct tls_sessions *tls_sessions_new(size_t max, long lifetime)
{
	struct tls_sessions *s = mem_alloc(sizeof(*s));
	list_init(&s->all);
	s->max = max;
	s->lifetime_ms = (int64_t)lifetime * 1000;
	return s;
}

static void drop(struct tls_sessions *s, struct kept *k)
{
	list_remove(&s->all, &k->link);
	SSL_SESSION_free(k->session);
	free(k->key);
	free(k);
}

void tls_sessions_free(struct tls_sessions *s)
{
	if (!s)
		return;
	LIST_FOREACH_SAFE (n, &s->all)
		drop(s, CONTAINER_OF(n, struct kept, link));
	free(s);
}

size_t tls_sessions_count(const struct tls_sessions *s)
{
	return s->all.count;
}

static struct kept *find(struct tls_sessions *s, const char *key)
{
	LIST_FOREACH (n, &s->all) {
		struct kept *k = CONTAINER_OF(n, struct kept, link);
		if (strcmp(k->key, key) == 0)
			return k;
	}
	return NULL;
}

void tls_sessions_forget(struct tls_sessions *s, const char *key)
{
	struct kept *k;
	while ((k = find(s, key)))
		drop(s, k);
}

void tls_sessions_put(struct tls_sessions *s, const char *key, SSL_SESSION *session)
{
	if (s->max == 0 || s->lifetime_ms <= 0) {
		SSL_SESSION_free(session);
		return;
	}
	tls_sessions_forget(s, key);
	if (s->all.count >= s->max)
		drop(s, CONTAINER_OF(list_first(&s->all), struct kept, link));
	struct kept *k = mem_alloc(sizeof(*k));
	k->key = mem_strdup(key);
	k->session = session;
	k->until = clock_mono_ms() + s->lifetime_ms;
	list_push(&s->all, &k->link);
}

SSL_SESSION *tls_sessions_take(struct tls_sessions *s, const char *key)
{
	struct kept *k = find(s, key);
	if (!k)
		return NULL;
	SSL_SESSION *session = k->until > clock_mono_ms() ? k->session : NULL;
	if (session)
		SSL_SESSION_up_ref(session);
	/* with TLS 1.2 a server gives no new one when it resumes the old */
	if (!session || SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION)
		drop(s, k);
	return session;
}
