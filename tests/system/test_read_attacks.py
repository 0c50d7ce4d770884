"""Rows M and N of the attack catalogue against a whole instance: what hostile readers send, what damaged files
do, and what one user may learn of another. After each attack a well-behaved client is served as before.
"""
import base64, os, random, re, socket, struct, threading, unittest
from instance import Instance, main, wait_for

ASAN = "asan" in os.environ.get("MERPATI_BUILD", "")


class Imap:
    """Tagged commands over a raw socket: the octets are ours."""

    def __init__(self, m, user, password="secret"):
        self.r, self.n = m.raw("imap", 120), 0
        self.r.line()
        self.cmd(f"LOGIN {user} {password}", "OK")

    def cmd(self, text, want=None):
        """Send one command; its lines, the tagged one last, which begins with WANT."""
        self.n += 1
        data = text if isinstance(text, bytes) else text.encode()
        self.r.send(b"t%d " % self.n + data + b"\r\n")
        return self.until(want)

    def until(self, want=None):
        lines = []
        while True:
            lines.append(self.r.line())
            if lines[-1].startswith(f"t{self.n} "):
                break
            if want and lines[-1].startswith("* BYE"):
                if want == "BYE":
                    return lines
                raise AssertionError(lines[-1])
        if want:
            got = lines[-1].split(" ", 1)[1]
            if not got.startswith(want):
                raise AssertionError(f"{text_of(lines)} is not {want}")
        return lines


def text_of(lines):
    return "\n".join(lines)[:400]


def memory(m, program):
    """Largest resident size, kB."""
    most = 0
    for pid in m.pids(program):
        with open(f"/proc/{pid}/status") as f:
            most = max(most, int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)))
    return most


def octets_of(pid):
    """What a process has in its writable memory."""
    octets = b""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            low, high = (int(x, 16) for x in span.split("-"))
            if rights.startswith("rw") and high - low < 1 << 28:
                try:
                    mem.seek(low)
                    octets += mem.read(high - low)
                except OSError:
                    pass
    return octets


def mailbox(m, user, n, text="Subject: {0}\n\nbody {0}\n"):
    """N mails, put there as local does it."""
    base = m.maildir(user)
    st = os.stat(os.path.join(m.conf, "main.cf"))
    for d in ("tmp", "new", "cur"):
        os.makedirs(os.path.join(base, d), exist_ok=True)
    for i in range(1, n + 1):
        path = os.path.join(base, "new", f"{1700000000 + i}.M{i}.test")
        with open(path, "w", newline="") as f:
            f.write(text.format(i))
        os.chown(path, st.st_uid, st.st_gid)
    for root, _, _ in os.walk(os.path.dirname(base)):
        os.chown(root, st.st_uid, st.st_gid)


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.m = Instance(main_cf={"auth_failure_delay": "0"})
        cls.addClassCleanup(cls.m.close)
        for u in ("anna", "ben", "carl", "dora", "emil", "fred", "gina"):
            cls.m.user(u)
        cls.m.start()

    def imap(self, user="anna"):
        c = Imap(self.m, user)
        self.addCleanup(c.r.close)
        return c

    def served(self, user="anna"):
        """The attack is over and somebody else is served."""
        c = self.imap(user)
        c.cmd("SELECT INBOX", "OK")
        c.cmd("LOGOUT")

    def test_m01_literals_before_sign_in(self):
        self.literals()                           # the first round touches pages for good
        before = memory(self.m, "login")
        self.literals()
        if not ASAN:
            self.assertLess(memory(self.m, "login") - before, 1024)
        self.served()

    def literals(self):
        for line in ("a LOGIN {4294967296}", "a LOGIN {18446744073709551616+}", "a LOGIN {-1}", "a LOGIN {4097+}",
                     "a LOGIN {99999999999999999999999999}"):
            with self.m.raw("imap") as r:
                r.line()
                r.send(line + "\r\n")
                self.assertRegex(r.line(), r"^(a BAD|\* BYE|\* BAD)", line)
        with self.m.raw("imap") as r:
            r.line()
            r.send(b"a LOGIN {0+}\r\n {0+}\r\n\r\nb LOGIN {3+}\r\na\0b {1+}\r\nx\r\nc NOOP\r\n")
            self.assertRegex(r.line(), "^a (NO|BAD)")
            while not (line := r.line()).startswith("c "):
                self.assertRegex(line, r"^(b|\*|x) ?.*BAD|^b NO")
        with self.m.raw("imap") as r:
            r.line()
            try:
                r.send(b"a LOGIN" + b" {1+}\r\nx" * 20000 + b"\r\n")
                while not r.line().startswith("* BYE"):
                    pass
            except (OSError, EOFError):
                pass
        with self.m.raw("imap") as r:             # a literal is promised, then the line is cut
            r.line()
            r.send(b"a LOGIN {100}\r\n")
            r.line()

    def test_m06_sets(self):
        mailbox(self.m, "dora", 20)
        c = self.imap("dora")
        c.cmd("SELECT INBOX", "OK")
        for text, want, fetched in (("FETCH 1:4294967295 FLAGS", "BAD", 0), ("FETCH *:* FLAGS", "OK", 1),
                                    ("UID FETCH 4294967295:* UID", "OK", 1), ("UID FETCH 1:4294967295 UID", "OK", 20),
                                    ("FETCH 0 FLAGS", "BAD", 0), ("FETCH 1,1,1,1:3,2:1 FLAGS", "OK", 3),
                                    ("UID FETCH " + ",".join(["1:*"] * 9000) + " UID", "OK", 20),
                                    ("FETCH 1 BODY.PEEK[]<0.4294967295>", "OK", 1),
                                    ("FETCH 1 BODY.PEEK[]<4294967295.1>", "OK", 1),
                                    ("FETCH 1 BODY.PEEK[]<4294967295.4294967295>", "OK", 1),
                                    ("FETCH 1 BINARY[1]", "BAD", 0)):
            lines = c.cmd(text, want)
            self.assertEqual(sum(" FETCH (" in l for l in lines), fetched, text[:60])

    def test_m07_search(self):
        mailbox(self.m, "emil", 50)
        c = self.imap("emil")
        c.cmd("SELECT INBOX", "OK")
        for text, want in (("SEARCH " + "(" * 1000 + "ALL" + ")" * 1000, "BAD"), ("SEARCH " + "OR ALL " * 1000 + "ALL", "BAD"),
                           ("SEARCH CHARSET {3+}\r\n\x01\x02\x03 ALL", ""), ("SEARCH CHARSET KOI8-R ALL", "NO [BADCHARSET"),
                           ("SEARCH KEYWORD (x)", "BAD"), ("SEARCH KEYWORD a]b", ""), ("SEARCH SINCE 32-Jan-2024", "BAD"),
                           ("SEARCH SINCE 1-Jan-0000", ""), ("SEARCH SINCE 31-Dec-9999", "OK"), ("SEARCH ON 30-Feb-2024", "BAD"),
                           ("SEARCH MODSEQ 9223372036854775808", "BAD"), ("SEARCH LARGER 99999999999999999999", "BAD"),
                           ("SEARCH RETURN (PARTIAL 1:4294967296) ALL", "BAD")):
            got = c.cmd(text)[-1].split(" ", 1)[1]
            self.assertTrue(got.startswith(want), (text[:60], got))
            c.cmd("NOOP", "OK")                   # too many BADs in a row would end the session
        lines = c.cmd("SEARCH" + " NOT BODY {3+}\r\nxyz" * 500)
        self.assertRegex(lines[-1], "OK|BAD")
        self.served("emil")

    def test_m07_ends_with_its_client(self):
        mailbox(self.m, "gina", 3000)
        c = self.imap("gina")
        c.cmd("SELECT INBOX", "OK")
        # one that closed its half only is told that it has to wait, and gets its answer
        c.r.send("h SEARCH BODY 2999\r\n")
        c.r.s.shutdown(socket.SHUT_WR)
        lines = []
        while not lines or not lines[-1].startswith("h "):
            lines.append(c.r.line())
        self.assertEqual(lines, ["* OK Still at work.", "* SEARCH 2999", "h OK Search completed."])
        # one that left: the search goes no further
        for command, where in (("SEARCH BODY nowhere", "SEARCH"), ("FETCH 1:* BODYSTRUCTURE", "FETCH")):
            c = self.imap("gina")
            c.cmd("SELECT INBOX", "OK")
            c.r.send(f"g {command}\r\n")
            c.r.close()
            self.m.wait_log(rf"imap\(gina[^ ]*\): {where} given up at message \d+ of 3000")
            at, = re.findall(rf"{where} given up at message (\d+) of 3000", self.m.log())
            self.assertLess(int(at), 1500)
        self.m.wait_log(r"imap\(gina[^ ]*\)<[^ ]*>: Disconnected: Connection closed", count=3)

    def test_m09_names(self):
        c = self.imap()
        inside = self.m.maildir("anna")
        outside = {root for root, _, _ in os.walk(self.m.conf) if not root.startswith(inside)}
        for name in ("../x", "..", ".", "/etc/passwd", "~root/x", "a/../../b", "a//b", "a..b", ".a", "x" * 5000,
                     ".".join(["y"] * 1000), "a&AAA-b", "&Jjo!", "&AGE-", "&", "a\x7f"):
            c.cmd(f'CREATE "{name}"', "")
            c.cmd(f'SELECT "{name}"', "")
            c.cmd(f'RENAME nothing "{name}"', "")
            c.cmd("NOOP", "OK")
        c.cmd(b"CREATE {4+}\r\na\xff\xfeb", "")
        c.cmd(b"CREATE {3+}\r\na\0b", "BAD")
        c.cmd('LIST "../" *', "OK")
        c.cmd('LIST "/etc/" %', "OK")
        c.cmd('LIST "" ' + "*%" * 1000 + "x", "")
        c.cmd("NOOP", "OK")
        self.assertEqual({root for root, _, _ in os.walk(self.m.conf) if not root.startswith(inside)} - outside -
                         {r for r, _, _ in os.walk(self.m.spool)} - {r for r, _, _ in os.walk(os.path.join(self.m.conf, "mail"))
                                                                    if "/Maildir" in r or "anna" not in r}, set())

    def test_m10_races(self):
        """Two clients create, rename and delete the same names: each answer is one of the allowed ones."""
        trouble = []

        def work(k):
            try:
                c = self.imap("ben")
                rnd = random.Random(k)
                for _ in range(40):
                    a, b = rnd.choice("pqr"), rnd.choice("pqr")
                    for text in (f"CREATE {a}", f"RENAME {a} {b}.z", f"SELECT {b}.z", f"DELETE {a}", "CHECK", f"DELETE {b}.z"):
                        got = c.cmd(text)[-1].split()[1]
                        if got not in ("OK", "NO", "BAD"):
                            trouble.append((text, got))
                    c.cmd("NOOP", "OK")
            except (OSError, EOFError, AssertionError) as e:
                trouble.append(repr(e))
        ts = [threading.Thread(target=work, args=(k,)) for k in range(3)]
        [t.start() for t in ts]
        [t.join() for t in ts]
        # a session whose mailbox another one deletes may be told BYE: nothing else may go wrong
        self.assertEqual([t for t in trouble if "BYE" not in str(t) and "EOF" not in str(t)], [])
        self.assertNotRegex(self.m.log(), r"imap\(ben.*(panic|Temporary)")
        self.served("ben")

    def test_m11_append(self):
        c = self.imap("carl")
        before = self.m.mails("carl")
        for text, want in (("APPEND INBOX {2147483648}", "NO [TOOBIG]"), ("APPEND INBOX {99999999999999999999}", "BAD"),
                           ('APPEND INBOX "32-Jan-2024 10:00:00 +0000" {1}', "BAD"),
                           ('APPEND INBOX "01-Jan-2024 25:00:00 +0000" {1}', "BAD"),
                           ("APPEND INBOX (\\Recent) {1}", "BAD"), ("APPEND nowhere {1}", "NO [TRYCREATE]"),
                           ("APPEND INBOX CATENATE (URL x)", "BAD")):
            c.cmd(text, want)
            c.cmd("NOOP", "OK")
        with self.m.raw("imap") as r:             # the message is cut off in the middle
            r.line()
            r.send(b"a LOGIN carl secret\r\nb APPEND INBOX {1000+}\r\nSubject: half\r\n\r\n")
            self.assertTrue(r.line().startswith("a OK"))
        tmp = os.path.join(self.m.maildir("carl"), "tmp")
        self.m.wait("the half message gone", lambda: not os.listdir(tmp))
        self.assertEqual(self.m.mails("carl"), before)
        c.cmd("APPEND INBOX (" + " ".join(f"k{i}" for i in range(2000)) + ") {1+}\r\nx", "")
        c.cmd("NOOP", "OK")
        c.cmd("SELECT INBOX", "OK")
        for i in range(40):
            last = c.cmd(f"APPEND INBOX (w{i}) {{1+}}\r\nx")[-1]
            self.assertRegex(last, r"OK|NO \[")
        self.assertRegex(last, r"NO \[")          # as many keywords as Dovecot's letters: then a clear refusal
        c.cmd("APPEND INBOX (w0) {1+}\r\nx", "OK")

    def test_m12_idle(self):
        c, d = self.imap("fred"), self.imap("fred")
        c.cmd("SELECT INBOX", "OK")
        d.cmd("SELECT INBOX", "OK")
        c.r.send("i IDLE\r\n")
        while not c.r.line().startswith("+"):
            pass
        for i in range(200):
            d.cmd("APPEND INBOX {2+}\r\n\r\n", "OK")
        d.cmd(r"STORE 1:* +FLAGS.SILENT (\Deleted)", "OK")
        d.cmd("EXPUNGE", "OK")
        c.r.send("DONE\r\nj NOOP\r\nk LOGOUT\r\n")
        exists = 0
        while not (line := c.r.line()).startswith("k OK"):
            if found := re.match(r"\* (\d+) (EXISTS|EXPUNGE)", line):
                n = int(found.group(1))
                if found.group(2) == "EXPUNGE":
                    self.assertTrue(1 <= n <= exists, line)
                    exists -= 1
                else:
                    self.assertGreaterEqual(n, exists)
                    exists = n
        self.assertEqual(exists, 0)
        with self.m.raw("imap") as r:             # IDLE, then something else than DONE
            r.line()
            r.send("a LOGIN fred secret\r\nb IDLE\r\nc NOOP\r\nd NOOP\r\n")
            while not (line := r.line()).startswith("d OK"):
                self.assertRegex(line, r"^(a OK|\+ |b BAD)")

    def test_m14_other_users(self):
        """A mailbox of another user and one that exists nowhere get the same answer, octet for octet."""
        mailbox(self.m, "ben", 1)
        c = self.imap("carl")
        for text in ("SELECT {}", "EXAMINE {}", "STATUS {} (MESSAGES)", "DELETE {}", "RENAME {} x", "SUBSCRIBE {}",
                     "APPEND {} {{1}}", 'LIST "" {}', 'LIST {} %'):
            for there, nowhere in (("user.ben", "user.nob"), ('"../ben/Maildir"', '"../nob/Maildir"'), ('"~ben"', '"~nob"'),
                                   ('"../../ben"', '"../../nob"')):
                a, b = (c.cmd(text.format(n)) for n in (there, nowhere))
                c.cmd("NOOP", "OK")
                self.assertEqual([re.sub(r"^t\d+ |ben|nob", "", l) for l in a], [re.sub(r"^t\d+ |ben|nob", "", l) for l in b], text)

    def test_m18_nothing_of_another_user(self):
        a, b = self.imap("anna"), self.imap("ben")
        a.cmd("APPEND INBOX (annas-word) {30+}\r\nSubject: onlyforanna\r\n\r\nsecret", "OK")
        a.cmd("CREATE annas-box", "OK")
        a.cmd("SELECT INBOX", "OK")
        a.cmd("FETCH 1:* (ENVELOPE BODY.PEEK[])", "OK")
        for text in ('LIST "" *', "SELECT INBOX", "FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])", 'SEARCH SUBJECT onlyforanna'):
            seen = "\n".join(b.cmd(text))
            self.assertNotIn("anna", seen.replace("onlyforanna", "anna") if "FETCH" in text else seen)
        with self.m.raw("imap") as r:             # half a sign-in of one connection is no part of another
            r.line()
            r.send("x LOGIN {4}\r\n")
            r.line()
            self.served("ben")

    def test_m19_floods(self):
        c = self.imap("dora")
        for text in ("ID (" + '"a" "b" ' * 1000 + ")", "ENABLE " + "X" * 5000, "ENABLE " + "A " * 2000 + "B", "NAMESPACE x"):
            c.cmd(text, "BAD")
            c.cmd("NOOP", "OK")
        with self.m.raw("imap") as r:
            r.line()
            try:
                r.send("a LOGIN dora secret\r\n" + "".join(f"b{i} ENABLE Q\r\n" for i in range(1000)))
                while not r.line().startswith("* BYE"):
                    pass
            except (OSError, EOFError):
                pass
        self.served("dora")

    @unittest.skipUnless(os.getuid() == 0 and not ASAN, "only root may look into the memory of others")
    def test_no_password_stays(self):
        """After an attempt no process keeps the password, and no file ever had it."""
        plain = b"Zq7-not-the-word-91"
        coded = base64.b64encode(b"\0anna\0" + plain)
        kept = [self.m.raw("imap"), self.m.raw("imap"), self.m.raw("pop3"), self.m.raw("pop3")]
        for r in kept:
            self.addCleanup(r.close)
            r.line()
        for r, text in zip(kept, (b"a LOGIN anna " + plain, b"a AUTHENTICATE PLAIN " + coded,
                                  b"USER anna\r\nPASS " + plain, b"AUTH PLAIN " + coded)):
            r.send(text + b"\r\n")
            while not (line := r.line()).startswith(("a NO", "-ERR")):
                self.assertTrue(line.startswith("+OK"), line)

        def found():
            return [(pid, word) for pid in self.m.pids() for word in (plain, coded[12:-4]) if word in octets_of(pid)]
        try:
            wait_for("memory without the password", lambda: not found(), 10)
        except AssertionError:
            self.fail(f"{found()}")
        for root, _, files in os.walk(self.m.conf):
            for f in files:
                path = os.path.join(root, f)
                if os.path.isfile(path):
                    with open(path, "rb") as text:
                        self.assertNotIn(plain, text.read(), path)

    def test_n07_system_users(self):
        users = os.path.join(self.m.conf, "users")
        with open(users) as f:
            line = next(l for l in f if l.startswith("anna@"))
        fields = line.rstrip("\n").split(":")
        with open(users, "a") as f:
            for name, uid in (("zero", "0"), ("daemon", "1")):
                f.write(":".join([f"{name}@example.test", fields[1], uid, uid] + fields[4:]) + "\n")
        for name in ("zero", "daemon", "root"):
            with self.m.raw("imap") as r:
                r.line()
                r.send(f"a LOGIN {name} secret\r\n")
                self.assertTrue(r.line().startswith("a NO"), name)
            with self.m.raw("pop3") as r:
                r.line()
                r.send(f"USER {name}\r\nPASS secret\r\n")
                r.line()
                self.assertTrue(r.line().startswith("-ERR"), name)
        self.m.wait_log(r"sign-in refused, user daemon@example.test has uid 1, this instance serves uid \d+ only")
        self.m.wait_log(r"users, line \d+: uid and gid 0 are not for mail users")
        self.served()


class Pop(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self)
        self.m.user("anna")
        self.m.start()
        mailbox(self.m, "anna", 5)

    def pop(self):
        r = self.m.raw("pop3", 60)
        self.addCleanup(r.close)
        r.line()
        r.send("USER anna\r\nPASS secret\r\n")
        r.line()
        self.assertTrue(r.line().startswith("+OK"))
        return r

    def ask(self, r, text):
        r.send(text + "\r\n")
        return r.line()

    def lines(self, r, text):
        self.assertTrue(self.ask(r, text).startswith("+OK"))
        found = []
        while (line := r.line()) != ".":
            found.append(line)
        return found

    def test_n02_deletes_only_at_quit(self):
        def reset(r):
            r.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            r.s.close()
        for end in (reset, lambda r: r.s.close(), lambda r: self.m.kill("pop3d"), lambda r: self.ask(r, "RSET")):
            r = self.pop()
            for i in range(1, 6):
                self.assertTrue(self.ask(r, f"DELE {i}").startswith("+OK"))
            end(r)
            self.m.wait("another session", lambda: self.ask(self.pop(), "STAT").startswith("+OK 5 "))
        self.assertEqual(len(self.m.mails("anna")), 5)
        # a QUIT that cannot delete says so
        r = self.pop()
        self.assertTrue(self.ask(r, "DELE 1").startswith("+OK"))
        self.assertTrue(self.ask(r, "QUIT").startswith("+OK"))
        self.assertEqual(len(self.m.mails("anna")), 4)

    def test_n03_imap_expunges_meanwhile(self):
        r = self.pop()
        c = Imap(self.m, "anna")
        self.addCleanup(c.r.close)
        c.cmd("SELECT INBOX", "OK")
        c.cmd(r"STORE 2 +FLAGS (\Deleted)", "OK")
        c.cmd("EXPUNGE", "OK")
        self.assertTrue(self.ask(r, "STAT").startswith("+OK 5 "))
        self.assertTrue(self.ask(r, "RETR 2").startswith("-ERR"))
        self.assertIn("Subject: 3", self.lines(r, "RETR 3"))
        self.ask(r, "DELE 2")
        self.ask(r, "DELE 3")
        self.ask(r, "QUIT")
        self.assertEqual(len(self.m.mails("anna")), 3)

    def test_n05_uidl(self):
        first = self.lines(self.pop(), "UIDL")
        self.assertEqual(len({l.split()[1] for l in first}), 5)
        self.assertTrue(all(1 <= len(l.split()[1]) <= 70 for l in first))
        self.m.stop()
        for root, _, files in os.walk(self.m.maildir("anna")):
            for f in files:
                if f.endswith(".mdb"):
                    os.unlink(os.path.join(root, f))
        self.m.start()
        self.assertEqual(self.lines(self.pop(), "UIDL"), first)


class Damage(unittest.TestCase):
    """ATTACKS M16, M17: files of the mailbox are cut, flipped or lost; the mail stays, UIDs are never reused."""

    def setUp(self):
        self.m = Instance(self)
        self.m.user("anna")
        self.m.start()
        mailbox(self.m, "anna", 6)
        self.seen = {}
        self.rnd = random.Random(int(os.environ.get("MERPATI_SEED", "1")))

    def look(self, what):
        """Every mail is there once; a UID names what it always named under this UIDVALIDITY."""
        c = Imap(self.m, "anna")
        lines = c.cmd("SELECT INBOX")
        self.assertIn(" OK ", lines[-1], f"{what}: {text_of(lines)}{self.m.log_tail()}")
        validity = int(re.search(r"UIDVALIDITY (\d+)", "\n".join(lines)).group(1))
        lines = c.cmd("UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)] ENVELOPE RFC822.SIZE)", "OK")
        c.r.close()
        found = re.findall(r"UID (\d+) BODY[^\n]*\nSubject: (\d+)\n", "\n".join(lines))
        self.assertEqual(sorted(s for _, s in found), [str(i) for i in range(1, 7)], what)
        for uid, subject in found:
            self.assertEqual(self.seen.setdefault((validity, uid), subject), subject, what)
        return validity, [int(u) for u, _ in found]

    def test_uidlist_cut(self):
        path = os.path.join(self.m.maildir("anna"), "dovecot-uidlist")
        self.look("whole")
        for _ in range(12):
            with open(path, "rb+") as f:
                size = os.fstat(f.fileno()).st_size
                at = self.rnd.randrange(size)
                f.truncate(at)
            self.look(f"cut at {at} of {size}")

    def test_uidlist_lost(self):
        path = os.path.join(self.m.maildir("anna"), "dovecot-uidlist")
        had = [self.look("whole")[0]]
        for what in ("removed", "empty", "garbage", "another version"):
            if what == "removed":
                os.unlink(path)
            else:
                with open(path, "wb") as f:
                    f.write({"empty": b"", "garbage": os.urandom(300), "another version": b"9 V1 N7\n1 :x\n"}[what])
            had.append(self.look(what)[0])
        self.assertEqual(had, sorted(set(had)), "UIDVALIDITY ascends strictly")

    def test_index(self):
        """Each run flips octets of the index, or cuts it; the index is a cache."""
        validity, uids = self.look("whole")
        files = [os.path.join(r, f) for r, _, fs in os.walk(self.m.maildir("anna")) for f in fs
                 if f == "data.mdb"]
        self.assertTrue(files)
        for i in range(12):
            for path in files:
                if not os.path.exists(path):
                    continue
                with open(path, "rb+") as f:
                    size = os.fstat(f.fileno()).st_size
                    if i % 4 == 3:
                        f.truncate(self.rnd.randrange(size + 1))
                        continue
                    for _ in range(20):
                        at = self.rnd.randrange(size)
                        f.seek(at)
                        octet = f.read(1)
                        f.seek(at)
                        f.write(bytes([(octet[0] if octet else 0) ^ (1 << self.rnd.randrange(8))]))
            self.assertEqual(self.look(f"index damaged, run {i}"), (validity, uids))

    def test_unreadable_is_not_expunged(self):
        """Trouble of ours is never told as if the message were gone, to UID FETCH neither."""
        c = Imap(self.m, "anna")
        self.addCleanup(c.r.close)
        c.cmd("SELECT INBOX", "OK")
        path = self.m.mails("anna")[0]
        os.chmod(path, 0)
        for text in ("FETCH 1:* (BODY.PEEK[])", "UID FETCH 1:* (BODY.PEEK[])"):
            lines = c.cmd(text, "NO [UNAVAILABLE]")
            self.assertEqual(sum(" FETCH (" in l for l in lines), 5)
        os.chmod(path, 0o600)
        self.assertEqual(sum(" FETCH (" in l for l in c.cmd("UID FETCH 1:* (BODY.PEEK[])", "OK")), 6)

    def test_mail_vanishes_while_fetched(self):
        c = Imap(self.m, "anna")
        self.addCleanup(c.r.close)
        c.cmd("SELECT INBOX", "OK")
        os.unlink(self.m.mails("anna")[0])
        got = c.cmd("FETCH 1:6 (BODY.PEEK[])")
        self.assertEqual(sum(" FETCH (" in l for l in got), 5)
        self.assertIn("NO [EXPUNGEISSUED]", got[-1])
        self.assertIn("* 1 EXPUNGE", c.cmd("NOOP", "OK"))


if __name__ == "__main__":
    main()
