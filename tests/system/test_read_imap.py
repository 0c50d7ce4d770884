"""IMAP of a whole instance with Python's imaplib: what several clients, a stop, a reload and kills do."""
import glob, imaplib, os, re, signal, socket, threading, time, unittest
from instance import Instance, main


class Imap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.m = Instance(main_cf={"imapd_memory_limit": "4194304"})
        cls.addClassCleanup(cls.m.close)
        for u in ("anna", "ben", "carl", "dora", "emil"):
            cls.m.user(u, "secret")
        cls.m.start()

    def imap(self, user="anna", password="secret"):
        return self.m.imap(self, user, password)

    def ok(self, result):
        self.assertEqual(result[0], "OK", result)
        return result[1]

    def put(self, c, text=b"Subject: x\r\n\r\nbody\r\n", box="INBOX", flags=None):
        self.ok(c.append(box, flags, None, text))

    def test_two_clients(self):
        a, b = self.imap(), self.imap("anna@example.test")
        for i in range(3):
            self.put(a, b"Subject: %d\r\n\r\nx\r\n" % i)
        self.ok(a.select())
        self.ok(b.select())
        self.ok(a.store("1", "+FLAGS", r"(\Deleted $Work)"))
        self.ok(b.noop())
        self.assertIn(rb"\Deleted", b.response("FETCH")[1][0])
        self.ok(a.expunge())
        # b's numbers stay until it may be told
        self.assertIn(b"Subject: 1", self.ok(b.fetch("2", "(BODY.PEEK[HEADER])"))[0][1])
        self.ok(b.noop())
        self.assertEqual(b.response("EXPUNGE")[1], [b"1"])
        self.assertIn(b"Subject: 1", self.ok(b.fetch("1", "(BODY.PEEK[HEADER])"))[0][1])

    def test_idle(self):
        c = self.imap("ben")
        self.ok(c.select())
        with self.m.raw("imap") as r:
            r.line()
            r.send("a LOGIN ben secret\r\nb SELECT INBOX\r\nc IDLE\r\n")
            while not r.line().startswith("+"):
                pass
            self.put(c)
            self.assertEqual(r.line(), "* 1 EXISTS")
            r.send("DONE\r\n")
            while not (line := r.line()).startswith("c "):
                pass
            self.assertTrue(line.startswith("c OK"))

    def test_uids_survive(self):
        c = self.imap("carl")
        for i in range(5):
            self.put(c)
        self.ok(c.select())
        self.ok(c.uid("STORE", "2", "+FLAGS", r"\Deleted"))
        self.ok(c.expunge())
        validity, = c.response("UIDVALIDITY")[1]
        self.m.kill("imapd")
        index = [os.path.join(r, f) for r, _, fs in os.walk(self.m.maildir("carl")) for f in fs
                 if f == "data.mdb"]
        self.assertTrue(index)
        for f in index:
            os.unlink(f)
        c = self.imap("carl")
        self.ok(c.select())
        self.assertEqual(c.response("UIDVALIDITY")[1][0], validity)
        self.put(c)
        self.assertEqual(self.ok(c.uid("SEARCH", "ALL")), [b"1 3 4 5 6"])

    def test_large_mail_in_pieces(self):
        """25 MB: APPEND, BODY[] whole and in pieces of a part, while the server stays small."""
        c = self.imap("dora")
        part = (b"0123456789abcdefghijklmnopqrstuvwxyz" * 2 + b"\r\n") * 350000
        text = (b"Subject: large\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                b"--b\r\n\r\nsmall\r\n--b\r\nContent-Type: text/plain\r\n\r\n" + part + b"\r\n--b--\r\n")
        self.assertGreater(len(text), 25000000)
        self.put(c, text)
        self.ok(c.select())
        self.assertEqual(self.ok(c.fetch("1", "(BODY.PEEK[])"))[0][1], text)
        got, at = b"", 0
        while len(got) < len(part):
            piece = self.ok(c.fetch("1", f"(BODY.PEEK[2]<{at}.1000000>)"))[0][1]
            self.assertTrue(piece)
            got, at = got + piece, at + len(piece)
        self.assertEqual(got, part)
        if "asan" not in os.environ.get("MERPATI_BUILD", ""):
            for pid in self.m.pids("imapd"):
                with open(f"/proc/{pid}/status") as f:
                    rss = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
                self.assertLess(rss, 60000, "kB resident")

    def test_limits(self):
        """ATTACKS M04, M06: what costs memory ends the session, or costs little; others go on."""
        for line, want in (("a FETCH " + ",".join(["1:*"] * 10000) + " FLAGS\r\n", "a "),
                           ("a SEARCH " + "NOT " * 10000 + "ALL\r\n", "a BAD"),
                           ("a FETCH 1 BODY[" + "1." * 5000 + "1]\r\n", "a "),
                           ("a " + "x" * 100000 + "\r\n", "* BYE"),
                           ("x" * 200000, "* BYE")):
            with self.m.raw("imap") as r:
                r.line()
                r.send("l LOGIN emil secret\r\ns SELECT INBOX\r\n")
                while not r.line().startswith("s OK"):
                    pass
                r.send(line)
                while not (got := r.line()).startswith(("a ", "* BYE")):
                    pass
                self.assertTrue(got.startswith(want), (line[:30], got))
        self.ok(self.imap("emil").select())

    def test_refusals(self):
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            self.imap("anna", "wrong")
        with self.m.raw("imap") as r:
            r.line()
            r.send("a LOGIN anna guess\r\n")
            self.assertTrue(r.line().startswith("a NO [AUTHENTICATIONFAILED]"))
        self.m.wait_log(r"imap-login: Aborted login \(auth failed, 1 attempts in \d+ secs\): user=<anna>, "
                        r"method=PLAIN, rip=127\.0\.0\.1, lip=127\.0\.0\.1, session=<\S+>")
        self.assertNotIn("guess", self.m.log())


class Life(unittest.TestCase):
    """Sessions and the life of the instance."""

    def setUp(self):
        self.m = Instance(self, main_cf={"imapd_session_limit": "2"})
        self.m.user("anna", "secret")
        self.m.start()

    def session(self):
        r = self.m.raw("imap")
        self.addCleanup(r.close)
        r.line()
        r.send("l LOGIN anna secret\r\n")
        self.assertTrue(r.line().startswith("l OK"))
        return r

    def test_more_sessions_than_one_process_takes(self):
        sessions = [self.session() for _ in range(5)]
        self.assertGreaterEqual(len(self.m.pids("imapd")), 3)
        for r in sessions:
            r.send("n NOOP\r\n")
            self.assertTrue(r.line().startswith("n OK"))

    def test_every_process_full(self):
        """Who finds no room waits, is told, may try again; the log names the settings."""
        sessions = [self.session() for _ in range(8)]       # two each, four processes
        with self.m.raw("imap") as r:
            r.line()
            r.send("l LOGIN anna secret\r\n")
            self.assertTrue(r.line().startswith("l NO [UNAVAILABLE]"))
            sessions[0].close()
            r.send("m LOGIN anna secret\r\n")
            self.assertTrue(r.line().startswith("m OK"))
        self.m.wait_log("no imap process has room for a session: raise imapd_session_limit, or the process limit of imapd")

    def test_reload_keeps_and_stop_says_bye(self):
        r = self.session()
        self.m.merpati("reload")
        r.send("n NOOP\r\n")
        self.assertTrue(r.line().startswith("n OK"))
        new = self.session()
        idle = self.session()
        idle.send("s SELECT INBOX\r\ni IDLE\r\n")
        while not idle.line().startswith("+"):
            pass
        threading.Thread(target=self.m.stop).start()
        for s in (r, new, idle):
            line = s.line()
            while not line.startswith("* BYE"):
                line = s.line()
            self.assertIn("shutting down", line)

    def test_crashes_under_sessions(self):
        """A session that kills its process again and again: the others get in all the same (not after a minute)."""
        for n in range(1, 13):
            first = self.session()
            pid = self.serving(first)
            os.kill(pid, signal.SIGKILL)
            self.m.wait_log(rf"service imapd, pid {pid}, killed by signal 9")
        self.assertNotIn("service imapd is not started again", self.m.log())
        self.m.wait_log("service imapd crashed 12 times while it served")
        began = time.monotonic()
        self.session()
        self.assertLess(time.monotonic() - began, 40)

    def serving(self, r):
        """The imapd process that has the other end of R."""
        ports = [r.s.getpeername()[1], r.s.getsockname()[1]]        # ours and others' may have the same one
        with open("/proc/net/tcp") as f:
            inode, = [w[9] for w in map(str.split, f.readlines()[1:])
                      if [int(a.split(":")[1], 16) for a in w[1:3]] == ports]
        for pid in self.m.pids("imapd"):
            for fd in glob.glob(f"/proc/{pid}/fd/*"):
                try:
                    if os.readlink(fd) == f"socket:[{inode}]":
                        return pid
                except OSError:
                    pass
        raise AssertionError("nobody serves it")

    def test_auth_killed(self):
        r = self.session()
        self.m.kill("auth")
        r.send("n NOOP\r\n")                      # sessions do not need it
        self.assertTrue(r.line().startswith("n OK"))

        def again():
            try:
                self.session()
                return True
            except (AssertionError, EOFError, OSError):
                return False
        self.m.wait("sign-in after auth was killed", again)

    def test_users_file(self):
        users = os.path.join(self.m.conf, "users")
        self.session()
        os.rename(users, users + ".away")
        with self.m.raw("imap") as r:
            r.line()
            r.send("l LOGIN anna secret\r\n")
            self.assertTrue(r.line().startswith("l NO [UNAVAILABLE]"))
        self.m.wait_log(r"users file .*users: No such file or directory")
        os.rename(users + ".away", users)
        self.session()
        self.m.user("ben", "other")
        with self.m.raw("imap") as r:
            r.line()
            r.send("l LOGIN ben other\r\n")
            self.assertTrue(r.line().startswith("l OK"))


if __name__ == "__main__":
    main()
