"""POP3 of a whole instance: sign-in, reading, deleting, several sessions, a killed server (ATTACKS N)."""
import os, poplib, re, unittest
from instance import Instance, main

# what log readers made for Dovecot take for a failed sign-in: login's last line; a password database's own line
COUNTED = re.compile(r"-login: .*\(auth failed, .*rip=|[a-z-]+\([^()]*,[0-9a-f.:]+\): (unknown user|password mismatch)", re.I)

class Pop3(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.m = Instance()
        cls.addClassCleanup(cls.m.close)
        for u in ("anna", "ben", "carl"):
            cls.m.user(u, "secret")
        cls.m.start()

    def pop(self, user="anna", password="secret"):
        p = poplib.POP3("127.0.0.1", self.m.port("pop3"), timeout=30)
        self.addCleanup(lambda: p.sock and p.close())
        try:
            p.user(user)
            p.pass_(password)
        except poplib.error_proto:
            p.close()
            raise
        return p

    def deliver(self, user, n, text="Subject: test\n\nline one\n.\n.dot\nlast\n"):
        """Put mail there as local does it: written in tmp/, moved to new/."""
        base = self.m.maildir(user)
        for d in ("", "tmp", "new", "cur"):
            os.makedirs(os.path.join(base, d), exist_ok=True)
        st = os.stat(os.path.join(self.m.conf, "main.cf"))
        for i in range(n):
            name = f"{1700000000 + i}.T{user}{i}.test"
            tmp = os.path.join(base, "tmp", name)
            with open(tmp, "w", newline="") as f:
                f.write(text)
            os.chown(tmp, st.st_uid, st.st_gid)
            os.rename(tmp, os.path.join(base, "new", name))
        for root, dirs, _ in os.walk(os.path.dirname(base)):
            os.chown(root, st.st_uid, st.st_gid)

    def test_reads_and_deletes(self):
        self.deliver("anna", 3)
        p = self.pop()
        self.assertEqual(p.stat()[0], 3)
        lines = p.retr(1)[1]
        self.assertEqual(lines[-4:], [b"line one", b".", b".dot", b"last"])
        uidl = p.uidl()[1]
        self.assertTrue(all(re.fullmatch(rb"\d+ [\x21-\x7e]{1,70}", u) for u in uidl))
        p.dele(2)
        p.quit()
        # stable, also after a restart of the server and without its index
        self.m.kill("pop3d")
        p = self.pop()
        self.assertEqual([u.split()[1] for u in p.uidl()[1]], [uidl[0].split()[1], uidl[2].split()[1]])
        p.quit()

    def test_deletes_only_at_quit(self):
        self.deliver("ben", 2)
        p = self.pop("ben@example.test")
        p.dele(1)
        p.close()
        q = self.pop("ben")
        self.assertEqual(q.stat()[0], 2)
        r = self.pop("ben")                       # a second session: its own numbers
        q.dele(1)
        q.quit()
        self.assertEqual(r.stat()[0], 2)
        self.assertRaises(poplib.error_proto, r.retr, 1)
        self.assertIn(b"line one", r.retr(2)[1])
        r.quit()

    def test_refusals(self):
        with self.assertRaisesRegex(poplib.error_proto, r"\[AUTH\]"):
            self.pop("anna", "wrong")
        with self.assertRaisesRegex(poplib.error_proto, r"\[AUTH\]"):
            self.pop("nobody", "secret")
        # what fail2ban's filter for Dovecot looks for
        self.m.wait_log(r"pop3-login: Aborted login \(auth failed, 1 attempts in \d+ secs\): user=<(anna|nobody)>, "
                        r"method=PLAIN, rip=127\.0\.0\.1, lip=127\.0\.0\.1, session=<\S+>", count=2)
        self.assertNotIn("wrong", self.m.log())
        # the reason is told, in a line that is not counted as another failure
        for user, why in (("anna", "password mismatch"), ("nobody", "unknown user")):
            self.m.wait_log(rf"auth: sign-in refused, {why}: user=<{user}>, rip=127\.0\.0\.1, service=pop3$")
            self.assertEqual([bool(COUNTED.search(l)) for l in self.m.log().splitlines() if f"<{user}>" in l].count(True), 1)

    def test_pipelining_with_a_slow_reader(self):
        """10,000 RETR at once and nobody reads: memory of the server stays bounded (ATTACKS N06)."""
        self.deliver("carl", 1, "Subject: x\n\n" + "y" * 70 + "\n" * 200)
        with self.m.raw("pop3") as c:
            c.line()
            c.send("USER carl\r\nPASS secret\r\n")
            c.line(), c.line()
            c.s.setblocking(False)
            sent = 0
            try:
                for _ in range(10000):
                    sent += c.s.send(b"RETR 1\r\n")
            except BlockingIOError:
                pass
            self.assertGreater(sent, 1000)
            for pid in self.m.pids("pop3d"):
                with open(f"/proc/{pid}/status") as f:
                    rss = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
                self.assertLess(rss, 300000 if "asan" in os.environ.get("MERPATI_BUILD", "") else 40000)
        p = self.pop("anna")
        p.quit()


if __name__ == "__main__":
    main()
