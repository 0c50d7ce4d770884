"""mbox mailboxes of a whole instance: read by IMAP and POP3 while mutt, and deliveries, change the same files."""
import mailbox, os, poplib, re, shutil, subprocess, threading, unittest
from instance import Instance, main

FROM = "From a@b Sun Nov 22 08:05:00 2026\n"


def mail(subject, body="x\n"):
    return f"{FROM}From: a@b\nSubject: {subject}\nMessage-ID: <{subject}@b>\n\n{body}\n"


class Mbox(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.m = Instance(main_cf={"mail_location": "mbox:~/mail:INBOX=$config_directory/mbox/%n"})
        cls.addClassCleanup(cls.m.close)
        cls.spool = os.path.join(cls.m.conf, "mbox")
        os.mkdir(cls.spool)
        cls.own(cls.spool)
        for u in ("anna", "ben", "carl", "dora", "emil", "fay"):
            cls.m.user(u, "secret")
        cls.m.start()

    @classmethod
    def own(cls, path):
        st = os.stat(cls.m.conf)
        os.chown(path, st.st_uid, st.st_gid)

    def inbox(self, user):
        return os.path.join(self.spool, user)

    def put(self, user, *subjects, mode="w"):
        with open(self.inbox(user), mode) as f:
            f.write("".join(mail(s) for s in subjects))
        self.own(self.inbox(user))

    def imap(self, user):
        return self.m.imap(self, user)

    def ok(self, result):
        self.assertEqual(result[0], "OK", result)
        return result[1]

    def uids(self, c):
        """{UID: subject} in the order of the mailbox."""
        out = {}
        for part in self.ok(c.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")):
            if isinstance(part, tuple):
                out[int(re.search(rb"UID (\d+)", part[0])[1])] = part[1].decode().split(":", 1)[1].strip()
        return out

    def flags(self, c, uid):
        return self.ok(c.uid("FETCH", str(uid), "(FLAGS)"))[0].decode()

    def mutt(self, path, keys):
        """Debian's mutt, as a user would: keys pushed, then it ends."""
        home = os.path.join(self.m.dir, "mutt")
        os.makedirs(home, exist_ok=True)
        rc = os.path.join(home, "muttrc")
        with open(rc, "w") as f:
            f.write(f"set mark_old=yes sleep_time=0 move=no delete=yes quit=yes confirmappend=no mbox_type=mbox "
                    f"folder={home} timeout=5 wait_key=no beep=no header_cache=\"\"\n")
        env = dict(os.environ, HOME=home, TERM="xterm", LC_ALL="C")
        command = f"mutt -n -F {rc} -f {path} -e 'push {keys}'"
        p = subprocess.run(["script", "-qec", command, "/dev/null"], env=env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.assertEqual(p.returncode, 0, p.stdout[-2000:])

    def test_delivery_and_both_protocols(self):
        for i in range(3):
            self.m.send("a@b.example", ["anna@example.test"], f"Subject: m{i}\r\n\r\nFrom here\r\nx\r\n")
        self.m.wait("three mails", lambda: len(mailbox.mbox(self.inbox("anna"), create=False)) == 3
                    if os.path.exists(self.inbox("anna")) else False)
        c = self.imap("anna")
        self.ok(c.select())
        self.assertEqual(list(self.uids(c)), [1, 2, 3])
        validity = c.untagged_responses["UIDVALIDITY"][0].decode()
        p = poplib.POP3("127.0.0.1", self.m.port("pop3"), timeout=60)
        p.user("anna")
        p.pass_("secret")
        uidls = [line.decode().split()[1] for line in p.uidl()[1]]
        self.assertEqual(len(set(uidls)), 3)
        self.assertIn(b">From here", p.retr(1)[1])
        p.dele(2)
        p.quit()
        self.ok(c.noop())
        self.assertEqual(list(self.uids(c)), [1, 3])
        p = poplib.POP3("127.0.0.1", self.m.port("pop3"), timeout=60)
        p.user("anna")
        p.pass_("secret")
        self.assertEqual([line.decode().split()[1] for line in p.uidl()[1]], [uidls[0], uidls[2]])
        p.quit()
        # a restart, and the file alone knows the same
        with open(self.inbox("anna")) as f:
            self.assertIn(f"X-IMAPbase: {validity} 0000000003", f.read())

    @unittest.skipUnless(shutil.which("mutt"), "no mutt")
    def test_mutt_beside_us(self):
        self.put("ben", "one", "two", "three")
        c = self.imap("ben")
        self.ok(c.select())
        self.assertEqual(self.uids(c), {1: "one", 2: "two", 3: "three"})
        self.ok(c.uid("STORE", "2", "+FLAGS", r"(\Flagged $Work)"))
        # mutt deletes the first, and X-IMAPbase with it, and reads the third
        self.mutt(self.inbox("ben"), "<first-entry><delete-message><last-entry><display-message><exit><sync-mailbox><quit>")
        with open(self.inbox("ben")) as f:
            self.assertNotIn("Subject: one", f.read())
        self.ok(c.noop())
        self.assertEqual(self.uids(c), {2: "two", 3: "three"})
        self.assertIn(r"\Seen", self.flags(c, 3))
        self.assertIn(r"\Flagged", self.flags(c, 2))
        self.assertIn("$Work", self.flags(c, 2))
        # and what we did is what mutt sees: it removes what is flagged
        self.ok(c.uid("STORE", "3", "-FLAGS", r"(\Seen)"))
        self.ok(c.uid("STORE", "3", "+FLAGS", r"(\Flagged)"))
        self.ok(c.uid("STORE", "2", "-FLAGS", r"(\Flagged)"))
        self.mutt(self.inbox("ben"), "<delete-pattern>~F<enter><sync-mailbox><quit>")
        self.ok(c.noop())
        self.assertEqual(self.uids(c), {2: "two"})
        self.put("ben", "four", mode="a")
        self.ok(c.noop())
        self.assertEqual(self.uids(c), {2: "two", 4: "four"})

    def test_idle(self):
        self.put("carl", "one")
        with self.m.raw("imap") as r:
            r.line()
            r.send("a LOGIN carl secret\r\nb SELECT INBOX\r\nc IDLE\r\n")
            while not r.line().startswith("+"):
                pass
            self.put("carl", "two", mode="a")
            self.assertEqual(r.line(), "* 2 EXISTS")
            # another file takes the name
            new = self.inbox("carl") + ".new"
            with open(new, "w") as f:
                f.write(mail("one") + mail("two") + mail("three"))
            self.own(new)
            os.rename(new, self.inbox("carl"))
            while r.line() != "* 3 EXISTS":
                pass
            self.put("carl", "four", mode="a")
            while r.line() != "* 4 EXISTS":
                pass

    def test_folders(self):
        c = self.imap("dora")
        root = os.path.join(self.m.conf, "mail", self.m.domain, "dora", "mail")
        for name in ("lists.debian", "lists.other", "sent", "old&ICQ-mbox"):
            self.ok(c.create(name))
        self.assertEqual(c.create("sent.below")[0], "NO")
        self.ok(c.append("lists.debian", r"(\Seen)", None, b"Subject: d\r\n\r\nx\r\n"))
        self.ok(c.subscribe("lists.debian"))
        names = {line.decode().split(' "." ')[1].strip('"') for line in self.ok(c.list())}
        self.assertEqual(names, {"INBOX", "lists", "lists.debian", "lists.other", "sent", "old&ICQ-mbox"})
        self.assertTrue(any(b"Noselect" in line and b"lists" in line for line in self.ok(c.list())))
        self.ok(c.select("lists.debian"))
        self.ok(c.copy("1", "sent"))
        self.ok(c.close())
        self.ok(c.rename("lists", "news"))
        self.ok(c.select("news.debian"))
        self.assertEqual(self.uids(c), {1: "d"})
        self.ok(c.close())
        self.ok(c.delete("news.other"))
        self.assertEqual(c.delete("news")[0], "NO")
        self.ok(c.rename("INBOX", "kept"))
        self.assertEqual([line.decode().split()[-1] for line in self.ok(c.lsub())], ["lists.debian"])
        self.assertEqual(sorted(os.listdir(root)),
                         sorted([".merpati", ".subscriptions", "kept", "news", "old.mbox", "sent"]))
        self.assertEqual(len(mailbox.mbox(os.path.join(root, "sent"), create=False)), 1)

    def test_many_mails_and_appends_meanwhile(self):
        n = 10000
        with open(self.inbox("emil"), "w") as f:
            for i in range(n):
                f.write(mail(f"m{i}", "0123456789 " * 50 + "\n"))
        self.own(self.inbox("emil"))
        c = self.imap("emil")
        self.assertEqual(self.ok(c.select())[0], b"%d" % n)
        stop, sent = threading.Event(), []

        def deliver():
            while not stop.is_set() and len(sent) < 20:
                self.m.send("a@b.example", ["emil@example.test"], f"Subject: new{len(sent)}\r\n\r\nx\r\n")
                sent.append(1)

        t = threading.Thread(target=deliver)
        t.start()
        try:
            for uid in range(1, n, n // 40):
                text = self.ok(c.uid("FETCH", str(uid), "(BODY.PEEK[])"))[0][1]
                self.assertIn(b"Subject: m%d\r\n" % (uid - 1), text)
                self.ok(c.uid("STORE", str(uid), "+FLAGS", r"(\Seen)"))
        finally:
            stop.set()
            t.join()
        self.m.wait_idle()
        self.ok(c.noop())
        self.ok(c.uid("STORE", "1", "+FLAGS", r"(\Deleted)"))
        self.ok(c.expunge())
        all_uids = list(self.uids(c))
        self.assertEqual(all_uids, list(range(2, n + len(sent) + 1)))
        self.assertEqual(len(mailbox.mbox(self.inbox("emil"), create=False)), n + len(sent) - 1)

    def test_what_is_no_mailbox(self):
        os.symlink("/etc/passwd", self.inbox("fay"))
        c = self.imap("fay")
        self.assertEqual(c.select()[0], "NO")
        os.unlink(self.inbox("fay"))
        self.assertEqual(self.ok(c.select())[0], b"0")


if __name__ == "__main__":
    main()
