"""Rows G01, R06, R08 and T: what is ours to mend makes mail wait, and never bounces it; what goes round ends."""
import fcntl, glob, os, re, socket, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fast import FAST  # noqa: E402
from instance import Instance, main  # noqa: E402

AT = "@example.test"


class Trouble(unittest.TestCase):
    def instance(self, main_cf=None, aliases=""):
        m = self.m = Instance(self, main_cf={**FAST, **(main_cf or {})})
        for u in ("anna", "bob"):
            m.user(u)
        with open(os.path.join(m.conf, "aliases"), "a") as f:
            f.write(aliases)
        m.run("newaliases")
        return m

    def waits(self, to, code=r"4\.\d\.\d"):
        self.m.wait_log(rf"to=<{re.escape(to)}>,.* dsn={code}, status=deferred")
        self.m.wait("a deferred mail", lambda: self.m.queue("deferred"))

    def arrives(self, user, n=1):
        def there():
            self.m.merpati("flush")
            return len(self.m.mails(user)) >= n
        self.m.wait(f"{n} mails of {user}", there, 40)
        self.m.wait("the end of the queue", lambda: not self.m.queue(), 40)
        self.assertEqual(len(self.m.mails(user)), n)
        self.assertNotIn("status=bounced", self.m.log())

    def away(self, path):
        os.rename(path, path + ".away")
        return lambda: os.rename(path + ".away", path)

    def test_T_table(self):
        """alias_maps: not there, not to be opened, damaged, locked."""
        m = self.instance({"local_recipient_maps": ""}, aliases="team: anna\n")   # else smtpd answers 451
        db = os.path.join(m.conf, "aliases.db")
        with open(db, "rb") as f:
            good = f.read()
        m.start()
        m.send("bob" + AT, ["team" + AT])
        self.arrives("anna")
        n = 1
        for what in ("damaged", "cut", "empty"):
            with open(db, "wb") as f:
                f.write({"damaged": os.urandom(len(good)), "cut": good[:100], "empty": b""}[what])
            m.send("bob" + AT, ["team" + AT])
            self.m.wait_log(rf"to=<team{AT}>,.* dsn=4\.\d\.\d, status=deferred", count=1)
            self.m.wait(what, lambda: self.m.queue("deferred"))
            with open(db, "wb") as f:
                f.write(good)
            n += 1
            self.arrives("anna", n)
        with open(db, "r+b") as f:
            fcntl.lockf(f, fcntl.LOCK_EX)
            m.send("bob" + AT, ["team" + AT])
            self.m.wait_log(rf"from=<bob{AT}>.*queue active", count=n + 1)
            self.assertEqual(len(m.mails("anna")), n)
        self.arrives("anna", n + 1)

    def test_T_sockets_of_services(self):
        """A service that cannot be reached; anvil is one that nobody waits for."""
        m = self.instance().start()
        back = self.away(os.path.join(m.spool, "private/queue/local"))
        m.kill("local")
        m.send("bob" + AT, ["anna" + AT])
        self.waits("anna" + AT, r"4\.3\.5")
        back()
        self.arrives("anna")
        back = self.away(os.path.join(m.spool, "private/net/anvil"))
        m.kill("anvil")
        m.send("bob" + AT, ["anna" + AT])
        self.arrives("anna", 2)
        back()

    def test_T_bounce_is_away(self):
        m = self.instance({"local_recipient_maps": "", "smtpd_reject_unlisted_recipient": "no"}).start()
        back = self.away(os.path.join(m.spool, "private/queue/bounce"))
        m.kill("bounce")
        m.send("bob" + AT, ["nobody.here" + AT])
        m.wait_log(rf"to=<nobody.here{AT}>")
        m.wait("the mail stays", lambda: m.queue("deferred", "active"))
        self.assertEqual(m.mails("bob"), [])
        back()

        def told():
            m.merpati("flush")
            return m.mails("bob")
        m.wait("the report", told, 60)
        m.wait("the end of the queue", lambda: not m.queue(), 40)
        self.assertEqual(len(m.mails("bob")), 1)

    def test_T_directories_of_the_queue(self):
        m = self.instance().start()
        for name in ("incoming", "active", "deferred", "bounce", "defer"):
            for d in glob.glob(os.path.join(m.spool, name, "*")):
                if os.path.isdir(d):
                    os.rmdir(d)
        try:
            m.send("bob" + AT, ["anna" + AT])
            accepted = 1
        except Exception as e:                          # 451: nothing was taken
            self.assertRegex(str(e), r"\(4\d\d,")
            accepted = 0
        m.stop()
        m.start()
        m.send("bob" + AT, ["anna" + AT])
        self.arrives("anna", accepted + 1)

    def test_G01_rewriting_in_a_circle(self):
        """A name that is its own alias, two that are each other's, a domain's catch-all, canonical names in a circle."""
        m = self.instance({"virtual_alias_maps": "inline:{ {self@v.test=self@v.test}, {a@v.test=b@v.test}, {b@v.test=a@v.test}, "
                                                 "{@catch.test=anna@example.test}, {grow@v.test=grow@v.test anna@example.test} }",
                           "virtual_alias_domains": "v.test, catch.test",
                           "canonical_maps": "inline:{ {x@example.test=y@example.test}, {y@example.test=x@example.test} }",
                           "local_recipient_maps": "", "notify_classes": ""}).start()
        to = ["self@v.test", "a@v.test", "who@catch.test", "grow@v.test", "x" + AT]
        for t in to:
            try:
                m.send("bob" + AT, [t])
            except Exception as e:
                self.assertRegex(str(e), r"\([45]\d\d,")
        m.wait_mails("anna", 2)
        m.wait("the end of the queue", lambda: not m.queue("incoming", "active"), 60)
        self.assertEqual(len(m.mails("anna")), 2, m.log_tail(60))
        self.assertLess(len(re.findall(r"qmgr\[\d+\]: \w+: from=<", m.log())), 20)

    def test_R06_aborted_sessions_leave_nothing(self):
        m = self.instance({"smtpd_client_connection_count_limit": "0"}).start()
        for i in range(300):
            s = socket.create_connection(("127.0.0.1", m.port("smtp")))
            s.sendall(b"EHLO x\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<anna@example.test>\r\nDATA\r\nSubject: x\r\n\r\n" +
                      b"y" * (i * 10))
            s.close()
        m.wait("no file of theirs", lambda: not m.queue(), 60)
        m.send("bob" + AT, ["anna" + AT])
        self.arrives("anna")
        self.assertEqual(glob.glob("/tmp/*merpati-tmp*"), [])

    def test_R08_nobody_writes_the_log(self):
        m = self.instance().start()
        m.send("bob" + AT, ["anna" + AT])
        self.arrives("anna")
        log = os.path.join(m.conf, "mail.log")
        if not os.path.exists(log):
            log = glob.glob(os.path.join(m.conf, "**/mail.log"), recursive=True)[0]
        back = [self.away(p) for p in glob.glob(os.path.join(m.spool, "p*/**/postlog"), recursive=True)]
        self.assertTrue(back)
        m.kill("postlogd")
        m.send("bob" + AT, ["anna" + AT])
        m.wait_mails("anna", 2)
        for b in back:
            b()


if __name__ == "__main__":
    main()
