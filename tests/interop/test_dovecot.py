"""A Dovecot takes the mailboxes over, and gives them back: UIDs, flags, keywords, folders stay.

tests/run unpacks Debian's dovecot-core and names its doveadm in MERPATI_DOVEADM; without it the one in PATH is
taken, and where there is none the test is skipped."""
import os, re, shlex, shutil, subprocess, sys, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import Instance, main

DOVEADM = shlex.split(os.environ.get("MERPATI_DOVEADM") or shutil.which("doveadm") or "")


@unittest.skipUnless(DOVEADM, "no doveadm here")
class Dovecot(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self)
        self.m.user("anna", "secret")
        self.m.start()
        self.m.send("x@client.example", ["anna@example.test"], "Subject: delivered\r\n\r\nbody\r\n")
        self.m.wait_mails("anna", 1)
        self.box = self.m.maildir("anna").rstrip("/")

    def location(self):
        return "maildir:" + self.box

    def doveadm(self, *args, check=True):
        st = os.stat(self.box)
        cmd = DOVEADM + ["-O", "-o", "mail_location=" + self.location(), "-o", f"mail_uid={st.st_uid}",
                         "-o", f"mail_gid={st.st_gid}", "-o", "first_valid_uid=1", *args]
        env = {**os.environ, "HOME": os.path.dirname(self.box), "USER": "anna"}

        def become():
            if os.getuid() == 0:
                os.setgroups([])
                os.setresgid(st.st_gid, st.st_gid, st.st_gid)
                os.setresuid(st.st_uid, st.st_uid, st.st_uid)
        r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, preexec_fn=become,
                           cwd=self.m.dir, timeout=60)
        errors = [l for l in r.stderr.decode().splitlines() if re.search("Error|Panic|Broken|orrupted", l)]
        if check:
            self.assertEqual((r.returncode, errors), (0, []), r.stderr.decode())
        return r.stdout.decode()

    def imap(self):
        return self.m.imap(self)

    def ours(self, mailbox):
        """{uid: flags}, UIDVALIDITY, UIDNEXT as merpati tells them."""
        c = self.imap()
        c.select(mailbox)
        _, data = c.uid("FETCH", "1:*", "(FLAGS)")
        mails = {}
        for line in data:
            if line:
                flags = set(re.search(rb"FLAGS \(([^)]*)\)", line)[1].decode().split()) - {"\\Recent"}
                mails[int(re.search(rb"UID (\d+)", line)[1])] = flags
        _, st = c.status(mailbox, "(UIDVALIDITY UIDNEXT)")
        c.logout()
        return mails, int(re.search(rb"UIDVALIDITY (\d+)", st[0])[1]), int(re.search(rb"UIDNEXT (\d+)", st[0])[1])

    def theirs(self, mailbox):
        out = self.doveadm("-f", "tab", "fetch", "uid flags", "mailbox", mailbox, "all")
        mails = {}
        for line in out.splitlines()[1:]:
            uid, _, flags = line.partition("\t")
            mails[int(uid)] = set(flags.split()) - {"\\Recent"}
        st = self.doveadm("mailbox", "status", "uidvalidity uidnext", mailbox)
        return mails, int(re.search(r"uidvalidity=(\d+)", st)[1]), int(re.search(r"uidnext=(\d+)", st)[1])

    def test_there_and_back(self):
        c = self.imap()
        c.create("Work")
        c.create("Work.2026")
        c.subscribe("Work.2026")
        for i in range(5):
            c.append("INBOX", "(\\Seen $Label%d)" % (i % 2), None, b"Subject: %d\r\n\r\ntext %d\r\n" % (i, i))
        c.select("INBOX")
        c.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
        c.expunge()
        c.uid("COPY", "3:4", "Work")
        c.uid("STORE", "5", "+FLAGS", "(\\Flagged \\Answered NonJunk)")
        c.logout()
        for box in ("INBOX", "Work"):
            self.assertEqual(self.theirs(box), self.ours(box), box)
        self.assertEqual(sorted(self.doveadm("mailbox", "list").split()), ["INBOX", "Work", "Work.2026"])
        self.assertEqual(self.doveadm("mailbox", "list", "-s").split(), ["Work.2026"])
        # Dovecot works on it
        before = self.ours("INBOX")
        self.doveadm("flags", "add", "\\Draft Theirs", "mailbox", "INBOX", "uid", "4")
        self.doveadm("flags", "remove", "\\Flagged", "mailbox", "INBOX", "uid", "5")
        self.doveadm("expunge", "mailbox", "INBOX", "uid", "3")
        self.doveadm("mailbox", "create", "Theirs")
        self.doveadm("mailbox", "subscribe", "Theirs")
        self.doveadm("copy", "Theirs", "mailbox", "INBOX", "uid", "4:6")
        self.doveadm("move", "Work", "mailbox", "INBOX", "uid", "6")
        self.m.send("x@client.example", ["anna@example.test"], "Subject: more\r\n\r\nbody\r\n")
        self.m.wait("one more in new/", lambda: os.listdir(os.path.join(self.box, "new")))
        for box in ("INBOX", "Work", "Theirs"):
            self.assertEqual(self.theirs(box), self.ours(box), box)
        after = self.ours("INBOX")
        self.assertEqual(after[1], before[1])
        self.assertEqual(sorted(after[0]), [1, 4, 5, 7])
        self.assertEqual(after[0][4], before[0][4] | {"\\Draft", "Theirs"})
        # and merpati again, then Dovecot
        c = self.imap()
        c.append("Theirs", "(Theirs)", None, b"Subject: n\r\n\r\ntext\r\n")
        c.rename("Theirs", "Back.again")
        _, subs = c.lsub()
        self.assertEqual(len([s for s in subs if s]), 2)
        c.logout()
        self.assertEqual(self.theirs("Back.again"), self.ours("Back.again"))
        self.assertEqual(len(self.theirs("Back.again")[0]), 4)


class DovecotMbox(Dovecot):
    """The same files as mbox: both sides tell the same UIDs and flags, whoever wrote last."""

    def setUp(self):
        self.m = Instance(self, main_cf={"mail_location": "mbox:~/mail:INBOX=~/inbox"})
        self.m.user("anna", "secret")
        self.m.start()
        self.home = self.box = os.path.join(self.m.conf, "mail", self.m.domain, "anna")
        self.deliver("one")

    def deliver(self, subject):
        self.m.send("x@client.example", ["anna@example.test"], f"Subject: {subject}\r\n\r\nbody\r\n")
        path = os.path.join(self.home, "inbox")
        self.m.wait("delivered", lambda: os.path.exists(path) and f"Subject: {subject}\n" in open(path).read())

    def location(self):
        return f"mbox:{self.home}/mail:INBOX={self.home}/inbox:INDEX={self.home}/dovecot-index"

    def theirs(self, mailbox):
        return super().theirs(mailbox.replace(".", "/"))

    def test_there_and_back(self):
        c = self.imap()
        c.create("Work.2026")
        for i in range(5):
            c.append("INBOX", "(\\Seen $Label%d)" % (i % 2), None, b"Subject: %d\r\n\r\ntext %d\r\n" % (i, i))
        c.select("INBOX")
        c.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
        c.expunge()
        c.uid("COPY", "3:4", "Work.2026")
        c.uid("STORE", "5", "+FLAGS", "(\\Flagged \\Answered NonJunk)")
        c.logout()
        for box in ("INBOX", "Work.2026"):
            self.assertEqual(self.theirs(box), self.ours(box), box)
        before = self.ours("INBOX")
        self.assertEqual(sorted(before[0]), [1, 3, 4, 5, 6])
        # Dovecot works on it
        self.doveadm("flags", "add", "\\Draft Theirs", "mailbox", "INBOX", "uid", "4")
        self.doveadm("flags", "remove", "\\Flagged", "mailbox", "INBOX", "uid", "5")
        self.doveadm("expunge", "mailbox", "INBOX", "uid", "3")
        self.doveadm("copy", "Work/2026", "mailbox", "INBOX", "uid", "4:6")
        self.deliver("two")
        for box in ("INBOX", "Work.2026"):
            self.assertEqual(self.theirs(box), self.ours(box), box)
        after = self.ours("INBOX")
        self.assertEqual(after[1], before[1])
        self.assertEqual(sorted(after[0]), [1, 4, 5, 6, 7])
        self.assertEqual(after[0][4], before[0][4] | {"\\Draft", "Theirs"})
        # the first mail, with X-IMAPbase, goes; and merpati sees a delivery first
        self.doveadm("expunge", "mailbox", "INBOX", "uid", "1")
        self.deliver("three")
        ours = self.ours("INBOX")
        self.assertEqual(sorted(ours[0]), [4, 5, 6, 7, 8])
        self.assertEqual(self.theirs("INBOX"), ours)


main()
