/*
 * Unit test of the fiber side of lib/store: store_box.c, store_mail.c, store_append.c, store_copy.c,
 * store_folders.c, store_deliver.c, account.c. A fiber does the work and notes what it saw; asserts come
 * after.
 */
#include "tests/support/t.h"

#include "lib/fiber/fiber.h"
#include "lib/store/store_box.h"
#include "lib/store/store_save.h"
#include "tests/unit/store/box_fixture.h"

/* The first thing that was not as it should be. */
static char wrong[1200];

#define WANT(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond) && !wrong[0])                                                          \
			(void)snprintf(wrong, sizeof(wrong), "%s:%d: %s (%s)", __FILE__, __LINE__, \
			        #cond, e.text);                                                    \
	} while (0)

struct world {
	struct fixture f;
	struct store *store;
	struct store_account *a;
	struct arena arena;
	struct store_events ev;
};

static struct err e;

static void world_open(struct world *w)
{
	fixture_make(&w->f);
	w->store =
	        store_new(&(struct store_options){ .host = "h.example", .lock_timeout_ms = 2000 });
	char mail[700];
	(void)snprintf(mail, sizeof(mail), "maildir:%s/", w->f.root);
	struct store_account_def def = { .owner = SV("anna@example.test"),
		.home = SV("/"),
		.mail = sv_z(mail),
		.uid = getuid(),
		.create = true };
	WANT(store_account_open(w->store, &def, &w->a, &e) == 1);
	arena_init(&w->arena, 1 << 20);
	store_events_init(&w->ev);
}

static void world_close(struct world *w)
{
	store_events_free(&w->ev);
	arena_free(&w->arena);
	store_account_close(w->a);
	store_free(w->store);
	fixture_free(&w->f);
}

static void run(fiber_fn fn)
{
	wrong[0] = '\0';
	e = (struct err)ERR_INIT;
	assert_int_equal(fiber_main(fn, NULL), 0);
	if (wrong[0])
		fail_msg("%s", wrong);
}

static uint32_t append(struct world *w, const char *mailbox, const char *text, uint32_t flags)
{
	struct store_append *ap;
	uint32_t validity = 0, uid = 0;
	if (store_append_begin(w->a, store_mailbox(sv_z(mailbox)), &ap, &e) != 1)
		return 0;
	/* octet by octet, so that CR and LF fall into different pieces */
	for (const char *p = text; *p; p++)
		WANT(store_append_write(ap, sv_n(p, 1), &e) == 1);
	struct sv kw = SV("$Work");
	struct store_append_meta m = { .flags = flags,
		.keywords = &kw,
		.nkeywords = flags ? 1 : 0,
		.internaldate = 1000000000 };
	WANT(store_append_commit(ap, &m, &validity, &uid, &e) == 1);
	WANT(validity != 0);
	return uid;
}

static void read_all(struct store_box *b, size_t i, char out[200], struct store_content *c)
{
	memset(out, 0, 200);
	if (store_box_content(b, i, c, &e) == 1) {
		WANT(pread(c->fd, out, 199, 0) >= 0);
		close(c->fd);
	}
}

static void box_fiber(void *arg)
{
	struct world w;
	(void)arg;
	world_open(&w);
	WANT(append(&w, "INBOX", "A: b\r\n\r\nx\r\r\ny\n", STORE_SEEN) == 1);
	WANT(append(&w, "INBOX", "second\r\n", 0) == 2);
	WANT(append(&w, "None", "x", 0) == 0);
	WANT(append(&w, "INBOX", "", 0) == 3);
	struct store_box *b = NULL;
	WANT(store_box_open(w.a, store_inbox(), STORE_BOX_WRITE, &b, &e) == 1);
	WANT(store_box_count(b) == 3);
	char text[200];
	struct store_content c;
	read_all(b, 0, text, &c);
	WANT(strcmp(text, "A: b\n\nx\r\ny\n") == 0);
	WANT(c.size == 11 && c.vsize == 14);
	WANT(store_box_msg(b, 0)->flags == STORE_SEEN);
	WANT(store_box_msg(b, 0)->keywords == 1 && sv_eqz(store_box_keyword(b, 0), "$Work"));
	WANT(store_box_dates(b, NULL, 0, &e) == 1 &&
	        store_box_msg(b, 0)->internaldate == 1000000000);
	WANT(store_box_sizes(b, NULL, 0, &e) == 1 && store_box_msg(b, 1)->vsize == 8);
	/* flags: add, remove, set; a second session sees them at its refresh */
	struct store_box *o = NULL;
	WANT(store_box_open(w.a, store_inbox(), STORE_BOX_WRITE, &o, &e) == 1);
	size_t first = 0, two[] = { 0, 1 };
	struct sv kw[] = { SV("$Junk"), SV("$Work") };
	struct store_flag_change add = { STORE_FLAGS_ADD, STORE_FLAGGED, kw, 2 };
	WANT(store_box_flags(b, two, 2, &add, &e) == 1);
	WANT(store_box_msg(b, 1)->flags == STORE_FLAGGED && store_box_msg(b, 1)->keywords == 3 &&
	        sv_eqz(store_box_keyword(b, 1), "$Junk"));
	struct store_flag_change del = { STORE_FLAGS_REMOVE, STORE_SEEN, kw, 1 };
	WANT(store_box_flags(b, &first, 1, &del, &e) == 1);
	WANT(store_box_msg(b, 0)->flags == STORE_FLAGGED && store_box_msg(b, 0)->keywords == 1);
	WANT(store_box_refresh(o, false, &w.ev, &e) == 1);
	WANT(w.ev.n == 3 && w.ev.v[0].kind == STORE_EV_KEYWORDS &&
	        w.ev.v[1].kind == STORE_EV_FLAGS && w.ev.v[1].seq == 1 && w.ev.v[2].uid == 2);
	struct store_flag_change set = { STORE_FLAGS_SET, STORE_DELETED, NULL, 0 };
	WANT(store_box_flags(o, &first, 1, &set, &e) ==
	        1); /* O knows the old name: finds the new one */
	WANT(store_box_msg(o, 0)->flags == STORE_DELETED && store_box_msg(o, 0)->keywords == 0);
	struct sv bad = SV("no good");
	struct store_flag_change badkw = { STORE_FLAGS_ADD, 0, &bad, 1 };
	WANT(store_box_flags(o, &first, 1, &badkw, &e) == -1 && e.cls == ERR_PERM);
	/* expunge: the other session keeps its numbers until it may report */
	WANT(store_box_expunge(o, &first, 1, &e) == 1);
	w.ev.n = 0;
	/* B itself brought $Junk into use */
	WANT(store_box_refresh(b, false, &w.ev, &e) == 1 && w.ev.n == 1 &&
	        w.ev.v[0].kind == STORE_EV_KEYWORDS);
	WANT(store_box_count(b) == 3 && store_box_msg(b, 0)->gone);
	WANT(store_box_content(b, 0, &c, &e) == 0);
	WANT(append(&w, "INBOX", "fourth\r\n", 0) == 4);
	w.ev.n = 0;
	WANT(store_box_refresh(b, true, &w.ev, &e) == 1);
	WANT(w.ev.n == 3 && w.ev.v[0].kind == STORE_EV_EXPUNGE && w.ev.v[0].seq == 1 &&
	        w.ev.v[1].kind == STORE_EV_EXISTS && w.ev.v[1].seq == 3 &&
	        w.ev.v[2].kind == STORE_EV_RECENT);
	WANT(store_box_uidnext(b) == 5 && store_box_msg(b, 2)->uid == 4);
	/* B was the first that was told of it: for O it is not recent */
	WANT(store_box_msg(b, 2)->recent);
	WANT(store_box_refresh(o, true, &w.ev, &e) == 1);
	WANT(store_box_msg(o, store_box_count(o) - 1)->uid == 4 &&
	        !store_box_msg(o, store_box_count(o) - 1)->recent);
	store_box_close(b);
	store_box_close(o);
	/* EXAMINE changes nothing */
	fixture_put(&w.f, "new/5.n.h", "new\n");
	WANT(store_box_open(w.a, store_inbox(), STORE_BOX_READ, &b, &e) == 1);
	WANT(store_box_count(b) == 4 && store_box_msg(b, 3)->recent);
	WANT(store_box_flags(b, &first, 1, &set, &e) == -1 && e.cls == ERR_PERM);
	WANT(store_box_expunge(b, &first, 1, &e) == -1);
	WANT(fixture_count(&w.f, "new") == 1);
	struct store_status st;
	WANT(store_status(w.a, store_inbox(), true, &st, &e) == 1);
	WANT(st.messages == 4 && st.recent == 1 && st.unseen == 4 && st.uidnext == 6 &&
	        st.vsize == 21);
	/* the list is lost: the view is void, and no UID of it is acted upon */
	fixture_remove(&w.f, "dovecot-uidlist");
	w.ev.n = 0;
	WANT(store_status(w.a, store_inbox(), false, &st, &e) == 1);
	WANT(store_box_refresh(b, true, &w.ev, &e) == 1 && w.ev.v[0].kind == STORE_EV_LOST);
	store_box_close(b);
	world_close(&w);
	fiber_stop(0);
}

static bool folder_is(const struct store_folders *l, size_t i, const char *name, unsigned flags)
{
	return i < l->n && sv_eqz(l->v[i].name, name) && l->v[i].flags == flags;
}

static void folders_fiber(void *arg)
{
	struct world w;
	(void)arg;
	world_open(&w);
	struct store_folders l;
	const unsigned is = STORE_FOLDER_EXISTS, kids = STORE_FOLDER_HAS_CHILDREN,
	               sub = STORE_FOLDER_SUBSCRIBED;
	WANT(store_folders(w.a, &w.arena, &l, &e) == 1 && l.n == 1 &&
	        folder_is(&l, 0, "INBOX", is));
	WANT(store_create(w.a, store_mailbox(SV("B.x.y")), &e) == 1);
	WANT(store_create(w.a, store_mailbox(SV("A")), &e) == 1);
	WANT(store_create(w.a, store_mailbox(SV("A")), &e) == 0);
	WANT(store_create(w.a, store_inbox(), &e) == 0);
	WANT(store_create(w.a, store_mailbox(SV("../evil")), &e) == -1 && e.cls == ERR_PERM);
	WANT(fixture_has(&w.f, ".A/maildirfolder"));
	WANT(store_subscribe(w.a, store_mailbox(SV("inbox")), true, &e) == 1);
	WANT(store_subscribe(w.a, store_mailbox(SV("A")), true, &e) == 1);
	WANT(store_subscribe(w.a, store_mailbox(SV("A")), true, &e) == 0);
	WANT(store_subscribe(w.a, store_mailbox(SV("Gone.x")), true, &e) == 1);
	WANT(store_folders(w.a, &w.arena, &l, &e) == 1);
	WANT(l.n == 6 && folder_is(&l, 0, "INBOX", is | sub) && folder_is(&l, 1, "A", is | sub) &&
	        folder_is(&l, 2, "B", kids) && folder_is(&l, 3, "B.x", kids) &&
	        folder_is(&l, 4, "B.x.y", is) && folder_is(&l, 5, "Gone.x", sub));
	char *subs = fixture_get(&w.f, "subscriptions");
	WANT(subs && strcmp(subs, "V\t2\n\nINBOX\nA\nGone\tx\n") == 0);
	free(subs);
	WANT(store_subscribe(w.a, store_mailbox(SV("Gone.x")), false, &e) == 1);
	/* rename with children; what must not be */
	WANT(append(&w, "B.x.y", "keep\r\n", 0) == 1);
	struct store_status before, after;
	WANT(store_status(w.a, store_mailbox(SV("B.x.y")), false, &before, &e) == 1);
	WANT(store_rename(w.a, store_mailbox(SV("B")), store_mailbox(SV("B.sub")), &e) == -1);
	WANT(store_rename(w.a, store_mailbox(SV("B")), store_mailbox(SV("A")), &e) == -1);
	WANT(store_rename(w.a, store_mailbox(SV("None")), store_mailbox(SV("N2")), &e) == 0);
	WANT(store_rename(w.a, store_mailbox(SV("B")), store_mailbox(SV("C.d")), &e) == 1);
	WANT(store_status(w.a, store_mailbox(SV("C.d.x.y")), false, &after, &e) == 1);
	WANT(after.uidvalidity == before.uidvalidity && after.messages == 1);
	WANT(!fixture_has(&w.f, "merpati.rename"));
	/* a rename that a crash cut short is finished by the next who comes */
	WANT(store_create(w.a, store_mailbox(SV("R")), &e) == 1 &&
	        store_create(w.a, store_mailbox(SV("R.c")), &e) == 1);
	fixture_put(&w.f, "merpati.rename", "R\nS\nend\n");
	fixture_move(&w.f, ".R", ".S");
	WANT(store_folders(w.a, &w.arena, &l, &e) == 1);
	WANT(fixture_has(&w.f, ".S.c") && !fixture_has(&w.f, ".R.c") &&
	        !fixture_has(&w.f, "merpati.rename"));
	/* a torn plan is no plan */
	fixture_put(&w.f, "merpati.rename", "S\nT\ne");
	WANT(store_folders(w.a, &w.arena, &l, &e) == 1 && fixture_has(&w.f, ".S"));
	/* delete and create again: a UIDVALIDITY above the old one, within the same second */
	WANT(store_status(w.a, store_mailbox(SV("A")), false, &before, &e) == 1);
	WANT(store_delete(w.a, store_mailbox(SV("A")), &e) == 1);
	WANT(store_delete(w.a, store_mailbox(SV("A")), &e) == 0);
	WANT(store_delete(w.a, store_inbox(), &e) == -1);
	WANT(store_create(w.a, store_mailbox(SV("A")), &e) == 1);
	WANT(store_status(w.a, store_mailbox(SV("A")), false, &after, &e) == 1);
	WANT(after.uidvalidity > before.uidvalidity);
	/* RENAME INBOX moves the mail and leaves INBOX */
	WANT(append(&w, "INBOX", "one\r\n", STORE_SEEN) == 1 &&
	        append(&w, "INBOX", "two\r\n", 0) == 2);
	WANT(store_rename(w.a, store_inbox(), store_mailbox(SV("Old")), &e) == 1);
	WANT(store_status(w.a, store_mailbox(SV("Old")), false, &after, &e) == 1 &&
	        after.messages == 2 && after.unseen == 1);
	WANT(store_status(w.a, store_inbox(), false, &after, &e) == 1 && after.messages == 0 &&
	        after.uidnext == 3);
	world_close(&w);
	fiber_stop(0);
}

static void copy_fiber(void *arg)
{
	struct world w;
	(void)arg;
	world_open(&w);
	WANT(store_create(w.a, store_mailbox(SV("To")), &e) == 1);
	WANT(append(&w, "INBOX", "one\r\n", STORE_SEEN) == 1 &&
	        append(&w, "INBOX", "two\r\n", 0) == 2);
	WANT(append(&w, "To", "there\r\n", 0) == 1);
	struct store_box *b = NULL, *t = NULL;
	WANT(store_box_open(w.a, store_inbox(), STORE_BOX_WRITE, &b, &e) == 1);
	size_t all[] = { 0, 1 };
	struct store_copied c;
	struct store_mailbox_id to = store_mailbox(SV("To"));
	WANT(store_box_copy(b, all, 2, store_mailbox(SV("None")), false, &w.arena, &c, &e) == 0);
	WANT(store_box_copy(b, all, 2, to, false, &w.arena, &c, &e) == 1);
	WANT(c.n == 2 && c.from[1] == 2 && c.to[0] == 2 && c.to[1] == 3);
	WANT(store_box_copy(b, all, 1, to, false, &w.arena, &c, &e) == 1 && c.to[0] == 4);
	WANT(store_box_copy(b, all, 1, store_inbox(), false, &w.arena, &c, &e) == 1 &&
	        c.to[0] == 3);
	/* move takes the originals away, and a mail that comes back gets a new UID */
	WANT(store_box_copy(b, all, 2, to, true, &w.arena, &c, &e) == 1 && c.n == 2);
	WANT(store_box_refresh(b, true, &w.ev, &e) == 1 && store_box_count(b) == 1);
	WANT(store_box_open(w.a, to, STORE_BOX_WRITE, &t, &e) == 1 && store_box_count(t) == 6);
	const struct store_msg *m = store_box_msg(t, 1);
	WANT(m->flags == STORE_SEEN && m->keywords == 1 &&
	        sv_eqz(store_box_keyword(t, 0), "$Work"));
	WANT(store_box_dates(t, NULL, 0, &e) == 1 &&
	        store_box_msg(t, 1)->internaldate == 1000000000);
	size_t last = 5;
	WANT(store_box_copy(t, &last, 1, store_inbox(), true, &w.arena, &c, &e) == 1 &&
	        c.to[0] == 4);
	char text[200];
	struct store_content content;
	WANT(store_box_refresh(b, true, &w.ev, &e) == 1 && store_box_count(b) == 2);
	read_all(b, 1, text, &content);
	WANT(strcmp(text, "two\n") == 0);
	store_box_close(b);
	store_box_close(t);
	world_close(&w);
	fiber_stop(0);
}

static void deliver_fiber(void *arg)
{
	struct world w;
	(void)arg;
	world_open(&w);
	fixture_put(&w.f, "content", "xxxxSubject: s\n\nbody\n.\n");
	char path[600];
	fixture_path(&w.f, "content", path);
	struct store_delivery d = { .key = store_key_make(1, 2, SV("box")),
		.arrival_s = 1700000000,
		.head = SV("Return-Path: <>\n"),
		.fd = open(path, O_RDONLY),
		.offset = 4,
		.size = 19 };
	enum store_delivered how;
	WANT(store_deliver(w.a, store_inbox(), &d, &how, &e) == 1 && how == STORE_DELIVERED_NEW);
	WANT(fixture_count(&w.f, "new") == 1 && fixture_count(&w.f, "tmp") == 0);
	/* the same once more without asking: still one file; asking finds it, wherever it went */
	WANT(store_deliver(w.a, store_inbox(), &d, &how, &e) == 1 &&
	        fixture_count(&w.f, "new") == 1);
	d.maybe_before = true;
	WANT(store_deliver(w.a, store_inbox(), &d, &how, &e) == 1 && how == STORE_DELIVERED_BEFORE);
	struct store_box *b = NULL;
	WANT(store_box_open(w.a, store_inbox(), STORE_BOX_WRITE, &b, &e) == 1 &&
	        store_box_count(b) == 1);
	WANT(store_box_msg(b, 0)->size == 35 && store_box_msg(b, 0)->vsize == 40);
	WANT(store_create(w.a, store_mailbox(SV("Arch.2026")), &e) == 1);
	size_t zero = 0;
	struct store_copied c;
	WANT(store_box_copy(b, &zero, 1, store_mailbox(SV("Arch.2026")), true, &w.arena, &c, &e) ==
	        1);
	WANT(store_deliver(w.a, store_inbox(), &d, &how, &e) == 1 && how == STORE_DELIVERED_BEFORE);
	/* deleted with its folder: still remembered */
	WANT(store_delete(w.a, store_mailbox(SV("Arch.2026")), &e) == 1);
	WANT(store_deliver(w.a, store_inbox(), &d, &how, &e) == 1 && how == STORE_DELIVERED_BEFORE);
	/* a copy whose size does not fit does not count */
	d.size = 18;
	WANT(store_deliver(w.a, store_inbox(), &d, &how, &e) == 1 && how == STORE_DELIVERED_NEW);
	WANT(store_deliver(w.a, store_mailbox(SV("None")), &d, &how, &e) == 0 ||
	        how == STORE_DELIVERED_BEFORE);
	d.key = store_key_make(1, 3, SV("box"));
	WANT(store_deliver(w.a, store_mailbox(SV("None")), &d, &how, &e) == 0);
	close(d.fd);
	store_box_close(b);
	world_close(&w);
	fiber_stop(0);
}

/* ATTACKS H10: directories that are missing or not what they should be, deliveries in the same second. */
static void odd_maildir_fiber(void *arg)
{
	struct world w;
	(void)arg;
	world_open(&w);
	fixture_put(&w.f, "../content", "Subject: s\n\nbody\n");
	char path[600];
	fixture_path(&w.f, "../content", path);
	struct store_delivery d = { .arrival_s = 1700000000,
		.head = SV("Return-Path: <>\n"),
		.fd = open(path, O_RDONLY),
		.size = 17 };
	enum store_delivered how;
	uint64_t n = 0;
	static const char *const gone[] = { "new", "tmp", "cur", "new", "cur" };
	for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
		char away[30];
		(void)snprintf(away, sizeof(away), "../away%zu", i);
		fixture_move(&w.f, gone[i], away);
		d.key = store_key_make(1, ++n, SV("box"));
		WANT(store_deliver(w.a, store_inbox(), &d, &how, &e) == 1 &&
		        how == STORE_DELIVERED_NEW);
		WANT(fixture_has(&w.f, gone[i]));
	}
	/* the whole Maildir gone: made anew, the mail is not lost */
	fixture_move(&w.f, ".", "../old");
	fixture_move(&w.f, "../Maildir", "../old");
	d.key = store_key_make(1, ++n, SV("box"));
	WANT(store_deliver(w.a, store_inbox(), &d, &how, &e) == 1 &&
	        fixture_count(&w.f, "new") == 1);
	/* many in the same second by the same process, with and without a key of their own */
	for (int i = 0; i < 50; i++) {
		d.key = store_key_make(1, ++n, SV("box"));
		WANT(store_deliver(w.a, store_inbox(), &d, &how, &e) == 1);
		WANT(append(&w, "INBOX", "x\r\n", 0) != 0);
	}
	struct store_status st;
	WANT(store_status(w.a, store_inbox(), false, &st, &e) == 1 && st.messages == 101);
	/* a file or a symbolic link where a directory should be: an error, nothing outside is touched */
	fixture_move(&w.f, "new", "../away");
	fixture_put(&w.f, "new", "a file");
	d.key = store_key_make(1, ++n, SV("box"));
	WANT(store_deliver(w.a, store_inbox(), &d, &how, &e) == -1);
	fixture_remove(&w.f, "new");
	fixture_path(&w.f, "new", path);
	WANT(symlink("../away", path) == 0);
	WANT(store_deliver(w.a, store_inbox(), &d, &how, &e) == -1);
	WANT(fixture_count(&w.f, "tmp") == 0);
	close(d.fd);
	world_close(&w);
	fiber_stop(0);
}

static void test_odd_maildir(void **state)
{
	(void)state;
	run(odd_maildir_fiber);
}

static void watch_fiber(void *arg)
{
	struct world w;
	(void)arg;
	world_open(&w);
	struct fiber_event *one = fiber_event_new(), *two = fiber_event_new();
	WANT(store_watch_add(w.a, store_mailbox(SV("None")), one, &e) == NULL);
	struct store_watch *a = store_watch_add(w.a, store_inbox(), one, &e);
	struct store_watch *b = store_watch_add(w.a, store_inbox(), two, &e);
	WANT(a && b);
	WANT(append(&w, "INBOX", "x\r\n", 0) == 1);
	WANT(fiber_event_wait(one, fiber_deadline(5000)) == 1);
	WANT(fiber_event_wait(two, fiber_deadline(5000)) == 1);
	store_watch_del(a);
	fiber_event_clear(two);
	fixture_put(&w.f, "new/9.h", "by another program\n");
	WANT(fiber_event_wait(two, fiber_deadline(5000)) == 1);
	store_watch_del(b);
	fiber_event_free(one);
	fiber_event_free(two);
	world_close(&w);
	fiber_stop(0);
}

static void test_box(void **state)
{
	(void)state;
	run(box_fiber);
}

static void test_folders(void **state)
{
	(void)state;
	run(folders_fiber);
}

static void test_copy(void **state)
{
	(void)state;
	run(copy_fiber);
}

static void test_deliver(void **state)
{
	(void)state;
	run(deliver_fiber);
}

static void cache_fiber(void *arg)
{
	struct world w;
	(void)arg;
	world_open(&w);
	WANT(append(&w, "INBOX", "one\r\n", 0) == 1 && append(&w, "INBOX", "two\r\n", 0) == 2);
	struct store_box *b = NULL;
	WANT(store_box_open(w.a, store_inbox(), STORE_BOX_WRITE, &b, &e) == 1);
	struct store_cache_item put[] = { { 0, STORE_CACHE_ENVELOPE, SV("env 1") },
		{ 1, STORE_CACHE_BODY, SV("") }, { 7, STORE_CACHE_BODY, SV("no such mail") } };
	store_cache_put(b, put, 3);
	struct store_cache_item get[] = { { 0, STORE_CACHE_ENVELOPE, SV_NONE },
		{ 0, STORE_CACHE_BODY, SV_NONE }, { 1, STORE_CACHE_BODY, SV_NONE },
		{ 7, STORE_CACHE_BODY, SV_NONE } };
	WANT(store_cache_get(b, get, 4, &w.arena, &e) == 1);
	WANT(get[0].value.p && sv_eqz(get[0].value, "env 1"));
	WANT(!get[1].value.p && get[2].value.p && get[2].value.len == 0 && !get[3].value.p);
	/* gone with the mail, and with the index */
	size_t zero = 0;
	WANT(store_box_expunge(b, &zero, 1, &e) == 1);
	WANT(store_cache_get(b, get, 1, &w.arena, &e) == 1 && !get[0].value.p);
	store_box_close(b);
	store_account_close(w.a);
	fixture_remove(&w.f, "merpati.index/data.mdb");
	char mail[700];
	(void)snprintf(mail, sizeof(mail), "maildir:%s", w.f.root);
	struct store_account_def def = {
		.owner = SV("a@b"), .home = SV("/"), .mail = sv_z(mail), .uid = (uid_t)-1
	};
	WANT(store_account_open(w.store, &def, &w.a, &e) == 1);
	WANT(store_box_open(w.a, store_inbox(), STORE_BOX_WRITE, &b, &e) == 1);
	WANT(store_box_count(b) == 1 && store_box_msg(b, 0)->uid == 2 && store_box_uidnext(b) == 3);
	get[0].index = 0;
	get[0].field = STORE_CACHE_BODY;
	WANT(store_cache_get(b, get, 1, &w.arena, &e) == 1 && !get[0].value.p);
	store_box_close(b);
	world_close(&w);
	fiber_stop(0);
}

static void test_cache(void **state)
{
	(void)state;
	run(cache_fiber);
}

static void test_watch(void **state)
{
	(void)state;
	run(watch_fiber);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_box),
		cmocka_unit_test(test_folders), cmocka_unit_test(test_copy),
		cmocka_unit_test(test_deliver), cmocka_unit_test(test_watch),
		cmocka_unit_test(test_odd_maildir), cmocka_unit_test(test_cache) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
