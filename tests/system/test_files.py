"""Files as destinations: "/file" and "/directory/" in aliases and .forward, home_mailbox."""
import fcntl, mailbox, os, re, stat, subprocess, sys, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import Instance, main

AT = "@example.test"


class Files(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self)
        for name in ("anna", "bob"):
            self.m.user(name)
        self.owner = os.stat(os.path.join(self.m.conf, "mail"))
        self.out = os.path.join(self.m.dir, "out")
        os.mkdir(self.out)
        self.give(self.out)

    def give(self, path):
        os.chown(path, self.owner.st_uid, self.owner.st_gid, follow_symlinks=False)
        return path

    def file(self, name, text="", mode=0o600):
        path = os.path.join(self.out, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return self.give(path)

    def aliases(self, text):
        path = os.path.join(self.m.conf, "aliases")
        with open(path, "a") as f:
            f.write("\n" + text)
        self.m.run("postalias", "hash:" + path)

    def forward(self, user, text):
        home = os.path.join(self.m.conf, "mail", "example.test", user)
        os.makedirs(home, exist_ok=True)
        path = os.path.join(home, ".forward")
        with open(path, "w") as f:
            f.write(text)
        for p in (os.path.dirname(home), home, path):
            self.give(p)
        return home

    def read(self, name):
        with open(os.path.join(self.out, name)) as f:
            return f.read()

    def sent(self, to, status, seconds=30, count=1):
        self.m.wait_log(rf"to=<{re.escape(to + AT)}>,.* relay=local,.*{status}", seconds, count)

    def flush(self):
        self.m.wait("a deferred mail", lambda: self.m.queue("deferred") and not self.m.queue("active"))
        self.m.merpati("flush")

    def test_mbox(self):
        o = self.out
        self.aliases(f'plain: {o}/plain\nquoted: "{o}/with space"\nnull: /dev/null\n')
        m = self.m.start()
        body = "Subject: one\r\n\r\nFrom here\r\n>From there\r\nx From\r\nlast"
        for i in range(2):
            m.send("x@client.example", ["plain" + AT], body)
            self.sent("plain", rf"dsn=2.0.0, status=sent \(delivered to file: {o}/plain\)", count=i + 1)
        m.send("", ["quoted" + AT, "null" + AT])
        self.sent("quoted", r"status=sent")
        self.sent("null", r"status=sent \(delivered to file: /dev/null\)")
        text = self.read("plain")
        self.assertRegex(text, r"\AFrom x@client\.example  \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n"
                               r"Return-Path: <x@client\.example>\nX-Original-To: plain@example\.test\n"
                               r"Delivered-To: plain@example\.test\n")
        self.assertTrue(text.endswith("\n\n>From here\n>From there\nx From\nlast\n\n"), text)
        self.assertEqual(text.count("\nFrom x@client"), 1)
        self.assertTrue(self.read("with space").startswith("From MAILER-DAEMON  "))
        st = os.stat(f"{o}/plain")
        self.assertEqual((st.st_uid, stat.S_IMODE(st.st_mode)), (self.owner.st_uid, 0o600))
        self.assertEqual(sorted(os.listdir(o)), ["plain", "with space"])
        self.assertEqual(len(mailbox.mbox(f"{o}/plain", create=False)), 2)

    def test_maildir(self):
        self.aliases(f'box: "{self.out}/box/"\n')
        home = self.forward("anna", f"{self.out}/own/, \\anna\n")
        m = self.m.start()
        m.send("x@client.example", ["box" + AT, "anna" + AT])
        self.sent("box", r"status=sent \(delivered to maildir\)")
        self.sent("anna", r"status=sent \(delivered to maildir, delivered to maildir\)")
        m.wait_mails("anna", 1)
        for name in ("box", "own"):
            mail, = os.listdir(os.path.join(self.out, name, "new"))
            with open(os.path.join(self.out, name, "new", mail)) as f:
                self.assertTrue(f.read().startswith("Return-Path: <x@client.example>\nX-Original-To: "))

    def test_refused(self):
        o = self.out
        self.file("exec", mode=0o700)
        self.file("twice")
        os.link(f"{o}/twice", f"{o}/second")
        os.symlink(f"{o}/twice", f"{o}/link")
        os.symlink(f"{o}/nowhere", f"{o}/dangling")
        for n in ("link", "dangling"):
            self.give(f"{o}/{n}")
        os.mkfifo(f"{o}/fifo")
        self.give(f"{o}/fifo")
        os.mkdir(f"{o}/dir")
        self.give(f"{o}/dir")
        cases = {"exec": "may be executed", "twice": r"hard links", "link": "symbolic link",
                 "dangling": "symbolic link", "fifo": "not a regular file", "dir": "is a directory",
                 "missing/file": "No such file"}
        if os.getuid() == 0:
            self.file("others")
            os.chown(f"{o}/others", self.owner.st_uid + 1, self.owner.st_gid)
            os.chmod(f"{o}/others", 0o666)
            cases["others"] = "belongs to uid"
        self.aliases("".join(f"a{i}: {o}/{n}\n" for i, n in enumerate(cases)))
        m = self.m.start()
        m.send("bob" + AT, [f"a{i}" + AT for i in range(len(cases))])
        for i, (name, why) in enumerate(cases.items()):
            self.sent(f"a{i}", rf"dsn=4.2.0, status=deferred \(cannot append to file: .*{why}")
            if "missing" not in name:
                m.wait_log(rf'warning: \w+: .*alias "a{i}", line 1: cannot append to file: .*{why}')
        self.assertFalse(os.path.exists(f"{o}/nowhere"))
        self.assertEqual((self.read("exec"), self.read("twice")), ("", ""))
        # the admin repairs them, and the mail comes
        for n in ("fifo", "link", "dangling"):
            os.unlink(f"{o}/{n}")
        os.unlink(f"{o}/second")
        os.rmdir(f"{o}/dir")
        os.chmod(f"{o}/exec", 0o600)
        os.mkdir(f"{o}/missing")
        self.give(f"{o}/missing")
        if "others" in cases:
            self.give(f"{o}/others")
        self.flush()
        for i in range(len(cases)):
            self.sent(f"a{i}", "status=sent")

    def test_settings(self):
        o = self.out
        self.m.edit("main.cf", "allow_mail_to_files = alias\nmailbox_size_limit = 2000\nmessage_size_limit = 2000\n"
                               "prepend_delivered_header = forward\n")
        self.aliases(f"file: {o}/file\n")
        self.forward("anna", f"{o}/forward\n")
        m = self.m.start()
        m.send("bob" + AT, ["anna" + AT])
        self.sent("anna", r"dsn=5.7.1, status=bounced \(mail to file is restricted\)")
        for i in range(2):
            m.send("bob" + AT, ["file" + AT], "Subject: x\r\n\r\n" + "y" * 900 + "\r\n")
            self.sent("file", "status=(sent|bounced)", count=i + 1)
        self.sent("file", r"dsn=5.2.2, status=bounced \(\S+/file would be larger than mailbox_size_limit\)")
        text = self.read("file")
        self.assertEqual(len(mailbox.mbox(f"{o}/file", create=False)), 1)
        self.assertNotIn("Delivered-To", text)
        self.assertFalse(os.path.exists(f"{o}/forward"))

    def test_locks(self):
        o = self.out
        self.m.edit("main.cf", "deliver_lock_attempts = 2\n")
        self.file("a")
        self.file("b")
        self.aliases(f"a: {o}/a\nb: {o}/b\n")
        m = self.m.start()
        with open(f"{o}/a", "r+") as f:
            fcntl.lockf(f, fcntl.LOCK_EX)       # as mutt and procmail do
            self.file("b.lock", f"{os.getpid()}")
            m.send("bob" + AT, ["a" + AT, "b" + AT])
            self.sent("a", r"dsn=4.2.0, status=deferred .*somebody else has it")
            self.sent("b", r"dsn=4.2.0, status=deferred .*lock ")
        os.unlink(f"{o}/b.lock")
        self.flush()
        self.sent("a", "status=sent")
        self.sent("b", "status=sent")

    def test_home_mailbox(self):
        self.m.edit("main.cf", "home_mailbox = Mailbox\n")
        home = self.forward("bob", "\\bob\n")
        m = self.m.start()
        m.send("x@client.example", ["anna" + AT, "bob" + AT])
        for user in ("anna", "bob"):
            self.sent(user, r"status=sent \(delivered to mailbox\)")
            box = mailbox.mbox(os.path.join(os.path.dirname(home), user, "Mailbox"), create=False)
            self.assertEqual(box[0]["Delivered-To"], user + AT)
        m.stop()
        m.edit("main.cf", "home_mailbox = Mail/\n")
        m.start()
        m.send("x@client.example", ["anna" + AT])
        self.sent("anna", r"delivered to maildir")
        self.assertEqual(len(os.listdir(os.path.join(os.path.dirname(home), "anna", "Mail", "new"))), 1)

    def test_full_disk(self):
        if os.getuid() != 0:
            self.skipTest("needs a file system of its own")
        r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", self.out])
        if r.returncode:
            self.skipTest("cannot mount")
        self.addCleanup(subprocess.run, ["umount", "-l", self.out])
        self.give(self.out)
        self.file("box", "From x  Sun Nov 22 08:05:00 2026\n\nold\n\n")
        self.aliases(f"box: {self.out}/box\n")
        m = self.m.start()
        m.send("bob" + AT, ["box" + AT], "Subject: big\r\n\r\n" + ("x" * 70 + "\r\n") * 5000)
        self.sent("box", r"dsn=4.3.1, status=deferred .*No space left")
        self.assertEqual(self.read("box"), "From x  Sun Nov 22 08:05:00 2026\n\nold\n\n")
        subprocess.run(["mount", "-o", "remount,size=4m", self.out], check=True)
        self.flush()
        self.sent("box", "status=sent")
        self.assertEqual(len(mailbox.mbox(f"{self.out}/box", create=False)), 2)
        self.assertEqual(os.listdir(self.out), ["box"])

    def test_many(self):
        # two hundred mails at once into one file: each once, none cut
        self.m.edit("main.cf", "local_destination_concurrency_limit = 20\n")
        self.aliases(f"box: {self.out}/box\n")
        m = self.m.start()
        with m.smtp() as s:
            for i in range(200):
                s.sendmail("bob" + AT, ["box" + AT], f"Subject: {i}\r\n\r\n" + "From x\r\n" * (i % 50) + "end\r\n")
        m.wait_idle()
        self.sent("box", "status=sent", count=200)
        box = mailbox.mbox(f"{self.out}/box", create=False)
        self.assertEqual(sorted(int(x["Subject"]) for x in box), list(range(200)))
        for x in box:
            self.assertEqual(x.get_payload(), ">From x\n" * (int(x["Subject"]) % 50) + "end\n")


main()
