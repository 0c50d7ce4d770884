"""smtp: connections that wait for the next mail; lmtp's replies for each recipient and its unix sockets."""
import fcntl, os, sys, tempfile, termios, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from smtp_server import HANG, SmtpServer  # noqa: E402
from smtp_world import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402

MORE = 16


class Cache(unittest.TestCase):
    def world(self, script=None, main_cf="", **kw):
        self.s = SmtpServer(self, script)
        return SmtpWorld(self, f"smtp_tcp_port = {self.s.port}\n{main_cf}", one_host(self.s), **kw)

    def many(self, w, n=3, **kw):
        r = [w.deliver(["a@x.test"], **kw)[0].status for _ in range(n)]
        self.assertEqual(set(r), {DELIVERED})
        self.assertEqual(len(self.s.mails), n)
        return self.s.sessions

    def test_kept_while_there_is_more(self):
        w = self.world(main_cf="smtp_connection_cache_time_limit = 60s")
        self.assertEqual(self.many(w, 5, flags=MORE), 1)
        self.assertEqual(self.s.verbs().count("EHLO"), 1)
        self.assertNotIn("RSET", self.s.verbs())
        w.wait_log("delays=")

    def test_kept_when_mail_follows_mail(self):
        w = self.world(main_cf="smtp_connection_cache_time_limit = 60s")
        self.assertEqual(self.many(w, 4), 2)

    def test_parameters(self):
        for main_cf, sessions in (("smtp_connection_cache_on_demand = no", 3),
                                  ("smtp_connection_cache_on_demand = no\nsmtp_connection_cache_destinations = x.test", 1),
                                  ("smtp_connection_reuse_count_limit = 2", 2)):
            w = self.world(main_cf=main_cf + "\nsmtp_connection_cache_time_limit = 60s")
            self.assertEqual(self.many(w, 3, flags=MORE), sessions, main_cf)

    def test_ends_in_time(self):
        w = self.world(main_cf="smtp_connection_cache_time_limit = 1s")
        self.many(w, 1, flags=MORE)
        wait_for("QUIT", lambda: "QUIT" in self.s.verbs())
        w = self.world(main_cf="smtp_connection_cache_time_limit = 60s\nsmtp_connection_reuse_time_limit = 1s",
                       env={"MERPATI_CLOCK_SCALE": "20"})
        self.many(w, 1, flags=MORE)
        wait_for("the end", lambda: "QUIT" in self.s.verbs())

    def test_a_kept_connection_that_is_gone_costs_nothing(self):
        """The server closes, says 421, or closes at the next MAIL: the mail goes by a new connection at once."""
        def second(reply):
            def mail(session, line):
                session.n = getattr(session, "n", 0) + 1
                return "250 ok" if session.n == 1 else reply
            return mail
        for reply in (None, "421 4.7.0 enough"):
            w = self.world({"MAIL": second(reply)}, "smtp_connection_cache_time_limit = 60s")
            self.assertEqual(self.many(w, 4, flags=MORE), 4)
            self.assertFalse([l for l in w.m.poll_log() if "deferred" in l])
        w = self.world(None, "smtp_connection_cache_time_limit = 60s")
        self.many(w, 1, flags=MORE)
        for s in self.s.open:
            s.shutdown(2)
        self.assertEqual(w.deliver(["a@x.test"])[0].status, DELIVERED)
        self.assertEqual(self.s.sessions, 2)

    def test_words_that_nobody_asked_for_end_a_kept_connection(self):
        w = self.world({".": b"250 ok\r\n550 5.7.1 never\r\n"}, "smtp_connection_cache_time_limit = 60s")
        self.assertEqual(self.many(w, 3, flags=MORE), 3)

    def test_a_second_answer_to_the_dot_is_none_to_the_next_mail(self):
        w = self.world({"QUIT": "221 bye"}, "smtp_connection_cache_time_limit = 60s")
        self.assertEqual(self.many(w, 1, flags=MORE), 1)
        self.s.open[-1].sendall(b"250 2.0.0 Ok: again\r\n")
        wait_for("it has arrived", lambda: not any(fcntl.ioctl(self.s.open[-1], termios.TIOCOUTQ, bytes(4))))
        self.s.script["RCPT"] = ["250 ok", "550 5.1.1 who?"]
        r = w.deliver(["b@x.test", "c@x.test"], flags=MORE)
        self.assertEqual([(x.status, x.dsn) for x in r], [(DELIVERED, "2.0.0"), (BOUNCED, "5.1.1")])
        self.assertEqual(self.s.sessions, 2)

    def test_reset_after_refusal(self):
        w = self.world({"EHLO": "250 mx.test", "RCPT": ["550 no", "250 ok"]}, "smtp_connection_cache_time_limit = 60s")
        self.assertEqual(w.deliver(["a@x.test"], flags=MORE)[0].status, BOUNCED)
        self.assertEqual(w.deliver(["b@x.test"], flags=MORE)[0].status, DELIVERED)
        self.assertEqual((self.s.sessions, self.s.verbs().count("RSET")), (1, 1))
        self.assertEqual(self.s.taken(), [("from@here.test", ["b@x.test"])])

    def test_nobody_waits_for_a_goodbye(self):
        w = self.world({"QUIT": HANG}, "smtp_connection_cache_on_demand = no\nsmtp_skip_quit_response = no\nsmtp_quit_timeout = 300s")
        for _ in range(3):
            w.deliver(["a@x.test"])
        self.assertEqual(self.s.sessions, 3)

    def test_at_once(self):
        """Many deliveries in one process do not share a connection at the same time."""
        w = self.world(main_cf="smtp_connection_cache_time_limit = 60s")
        conns = [w.request([f"u{i}@x.test"], "x.test", flags=MORE, qid=f"4bcDFG123z45{i:04}") for i in range(30)]
        for c in conns:
            self.assertEqual(w.results(c, 1)[0].status, DELIVERED)
        self.assertEqual(sorted(m[1] for m in self.s.taken()), sorted([f"u{i}@x.test"] for i in range(30)))


class Lmtp(unittest.TestCase):
    def world(self, script=None, main_cf="", unix=False):
        if unix:
            self.dir = tempfile.mkdtemp(prefix="merpati-lmtp-")
            self.addCleanup(lambda: os.rmdir(self.dir))
            self.path = os.path.join(self.dir, "s")
            self.addCleanup(lambda: os.unlink(self.path))
        self.s = SmtpServer(self, script, lmtp=True, path=self.path if unix else None)
        w = SmtpWorld(self, main_cf, program="lmtp")
        if unix:
            w.sockets["unix:" + self.path] = self.path
        return w

    def test_a_reply_for_each_recipient(self):
        replies = ["250 2.0.0 one", "452 4.2.2 full", "550 5.2.2 never", "250 2.0.0 four"]
        w = self.world({".": replies})
        r = w.deliver([f"u{i}@x.test" for i in range(4)], f"[127.0.0.1]:{self.s.port}")
        self.assertEqual([(x.status, x.dsn) for x in r],
                         [(DELIVERED, "2.0.0"), (DEFERRED, "4.2.2"), (BOUNCED, "5.2.2"), (DELIVERED, "2.0.0")])
        self.assertEqual((r[0].text, r[3].text), (replies[0], replies[3]))
        self.assertEqual(r[2].text, "host 127.0.0.1[127.0.0.1] said: 550 5.2.2 never (in reply to end of DATA command)")
        self.assertEqual(self.s.verbs()[0], "LHLO")
        self.assertEqual(self.s.commands[0], "LHLO mail.example.test")
        w.wait_log(f"relay=127.0.0.1[127.0.0.1]:{self.s.port}, ")

    def test_354_without_recipients(self):
        """No recipient, no reply to the dot: nobody waits for one."""
        w = self.world({"RCPT": "550 5.1.1 no"})
        r = w.deliver(["a@x.test"], f"[127.0.0.1]:{self.s.port}")
        self.assertEqual([(x.status, x.dsn) for x in r], [(BOUNCED, "5.1.1")])

    def test_the_answer_is_lost_half_way(self):
        w = self.world({".": ["250 2.0.0 one", None]})
        r = w.deliver(["a@x.test", "b@x.test", "c@x.test"], f"inet:127.0.0.1:{self.s.port}")
        self.assertEqual([x.status for x in r], [DELIVERED, DEFERRED, DEFERRED])
        self.assertIn("message may be sent more than once", r[1].text)

    def test_some_are_refused_before(self):
        w = self.world({"RCPT": ["250 ok", "550 5.1.1 who?", "250 ok"], ".": ["250 one", "250 three"]})
        r = w.deliver(["a@x.test", "b@x.test", "c@x.test"], f"[127.0.0.1]:{self.s.port}")
        self.assertEqual([(x.status, x.text[:9]) for x in r],
                         [(DELIVERED, "250 one"), (BOUNCED, "host 127."), (DELIVERED, "250 three")])

    def test_no_mx(self):
        w = self.world()
        w.dns = {("x.test", MX): [(10, "mx.test")], ("x.test", A): ["127.0.0.1"]}
        self.assertEqual(w.deliver(["a@x.test"], f"x.test:{self.s.port}")[0].status, DELIVERED)
        self.assertEqual(w.asked, [("x.test", A)])

    def test_unix_socket(self):
        w = self.world(unix=True, main_cf="lmtp_connection_cache_on_demand = no")
        r, = w.deliver(["a@x.test"], "unix:" + self.path)
        self.assertEqual(r.status, DELIVERED)
        w.wait_log(f"relay=mail.example.test[{self.path}], ")
        self.assertIn("unix:" + self.path, w.dials)
        r, = w.deliver(["a@x.test"], "unix:/nowhere")
        self.assertEqual((r.status, r.dsn), (DEFERRED, "4.4.1"))
        self.assertIn("connect to mail.example.test[/nowhere]: ", r.text)

    def test_who_reports_success(self):
        for ehlo, main_cf, action in (("250 x", "", 1), ("250 x", "lmtp_assume_final = yes", 0), ("250-x\n250 DSN", "", 3)):
            w = self.world({"LHLO": ehlo}, main_cf)
            r, = w.deliver(["a@x.test"], f"[127.0.0.1]:{self.s.port}", notify=[2])
            self.assertEqual(r.action, action)
            self.assertEqual("NOTIFY=SUCCESS" in self.s.commands[2], action == 3)

    def test_greeting_parameters(self):
        w = self.world(main_cf="lmtp_lhlo_name = me.test\nlmtp_discard_lhlo_keywords = size dsn")
        w.deliver(["a@x.test"], f"[127.0.0.1]:{self.s.port}")
        self.assertEqual(self.s.commands[:2], ["LHLO me.test", "MAIL FROM:<from@here.test>"])
        w = self.world({"LHLO": "500 5.5.1 what?"})
        r, = w.deliver(["a@x.test"], f"[127.0.0.1]:{self.s.port}")
        self.assertEqual((r.status, r.dsn), (BOUNCED, "5.5.1"))


if __name__ == "__main__":
    main()
