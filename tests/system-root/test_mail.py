"""The whole way in a system instance: SMTP and sendmail in, aliases and .forward, into Maildirs that belong to their
users, out by IMAP and POP3 after a sign-in with the system's passwords; while it is down, through set-gid postdrop."""
import imaplib, os, poplib, pwd, re, shutil, smtplib, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import sanitized  # noqa: E402
from system_instance import PREFIX, System, enter, main, sh  # noqa: E402

enter()

SPOOL = "/var/spool/merpati"


def as_user(name, *argv, input=b""):
    pw = pwd.getpwnam(name)

    def drop():
        os.initgroups(name, pw.pw_gid), os.setgid(pw.pw_gid), os.setuid(pw.pw_uid)
    return subprocess.run(argv, input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=drop, cwd="/",
                          env={"PATH": f"{PREFIX}/sbin:{PREFIX}/bin:/usr/bin:/bin", "HOME": pw.pw_dir,
                               "ASAN_OPTIONS": "detect_leaks=0"}, timeout=60)


class Mail(unittest.TestCase):
    def setUp(self):
        self.m = System(self)
        for u in ("anna", "ben", "carl"):
            self.m.unix_user(u, f"secret of {u}")
            sh("rm", "-rf", f"/home/{u}/Maildir", f"/home/{u}/.forward")
        with open("/etc/merpati/aliases", "a") as f:
            f.write("root: carl\nteam: anna, ben\n")
        self.m.run("newaliases")
        self.m.start()

    def read(self, user):
        """The subjects that the user sees by IMAP; the same by POP3."""
        c = imaplib.IMAP4("127.0.0.1", 143, timeout=60)
        c.login(user, f"secret of {user}")
        n = int(c.select()[1][0])
        found = [re.search(rb"Subject: (.*)\r", c.fetch(str(i + 1), "(BODY.PEEK[HEADER])")[1][0][1])[1].decode()
                 for i in range(n)]
        c.logout()
        p = poplib.POP3("127.0.0.1", 110, timeout=60)
        p.user(user), p.pass_(f"secret of {user}")
        by_pop = [[l for l in p.top(i + 1, 0)[1] if l.startswith(b"Subject: ")][0][9:].decode()
                  for i in range(p.stat()[0])]
        p.quit()
        self.assertEqual(sorted(found), sorted(by_pop))
        return sorted(found)

    def test_smtp_to_reader(self):
        m = self.m
        with smtplib.SMTP("127.0.0.1", 25, timeout=60) as s:
            self.assertEqual(s.sendmail("x@far.example", ["anna@example.test", "Ben@Host.Example.Test"],
                                        "Subject: both\r\n\r\n1\r\n"), {})
            self.assertEqual(s.sendmail("x@far.example", ["team@example.test"], "Subject: team\r\n\r\n2\r\n"), {})
            self.assertEqual(s.sendmail("x@far.example", ["postmaster@example.test"], "Subject: admin\r\n\r\n3\r\n"), {})
            with self.assertRaises(smtplib.SMTPRecipientsRefused) as r:
                s.sendmail("x@far.example", ["ghost@example.test"], "Subject: no\r\n\r\n4\r\n")
            self.assertEqual(r.exception.recipients["ghost@example.test"][0], 550)
        for user, n in (("anna", 2), ("ben", 2), ("carl", 1)):
            m.wait_mails(user, n)
            uid = pwd.getpwnam(user).pw_uid
            for root, dirs, files in os.walk(f"/home/{user}/Maildir"):
                for name in [""] + files:
                    st = os.lstat(os.path.join(root, name))
                    self.assertEqual((st.st_uid, st.st_mode & 0o077), (uid, 0), os.path.join(root, name))
        self.assertEqual(self.read("anna"), ["both", "team"])
        self.assertEqual(self.read("ben"), ["both", "team"])
        self.assertEqual(self.read("carl"), ["admin"])
        m.wait_idle()
        self.assertEqual(m.queue(), [])

    def test_root_gets_none(self):
        """No alias moves it: it waits, and the log says what to do."""
        sh("sed", "-i", "s/^root: carl/# &/", "/etc/merpati/aliases")
        self.m.run("newaliases")
        with self.m.smtp() as s:
            s.sendmail("x@far.example", ["root@example.test"], "Subject: for root\r\n\r\n1\r\n")
        self.m.wait_log(r"to=<root@example.test>.*status=deferred .*nothing is done as root; an alias must")
        self.m.wait("a deferred mail", lambda: len(self.m.queue("deferred")) == 1)
        sh("sed", "-i", "s/^# root: carl/root: carl/", "/etc/merpati/aliases")
        self.m.run("newaliases")
        self.m.merpati("flush")
        self.m.wait_mails("carl", 1)

    @unittest.skipIf(sanitized(f"{PREFIX}/sbin/postdrop"), "a leak checker does not work in a set-gid program")
    def test_sendmail_of_users(self):
        m = self.m
        r = as_user("anna", "sendmail", "ben", input=b"Subject: while up\n\nx\n")
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        m.wait_mails("ben", 1)
        with open(m.mails("ben")[0]) as f:
            self.assertRegex(f.read(), r"(?m)^From: .*anna@example\.test")
        m.stop()
        r = as_user("anna", "sendmail", "ben", input=b"Subject: while down\n\nx\n")
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        files = os.listdir(f"{SPOOL}/maildrop")
        self.assertEqual(len(files), 1)
        st = os.stat(f"{SPOOL}/maildrop/{files[0]}")
        self.assertEqual(st.st_uid, pwd.getpwnam("anna").pw_uid)
        for user in ("anna", "ben"):           # nobody looks into it, not even the sender
            self.assertNotEqual(as_user(user, "ls", f"{SPOOL}/maildrop").returncode, 0)
            self.assertNotEqual(as_user(user, "cat", f"{SPOOL}/maildrop/{files[0]}").returncode, 0)
            self.assertNotEqual(as_user(user, "touch", f"{SPOOL}/maildrop/x").returncode, 0)
        m.start()
        m.wait_mails("ben", 2)
        self.assertEqual(self.read("ben"), ["while down", "while up"])
        self.assertEqual(os.listdir(f"{SPOOL}/maildrop"), [])
        self.assertEqual(as_user("ben", "mailq").returncode, 0)
        self.assertNotEqual(as_user("ben", "postsuper", "-d", "ALL").returncode, 0)

    def test_forward_and_commands(self):
        m = self.m
        with open("/home/anna/.forward", "w") as f:
            f.write('\\anna, ben, "|/usr/bin/id -a >/home/anna/who"\n')
        sh("chown", "anna:", "/home/anna/.forward")
        with m.smtp() as s:
            s.sendmail("x@far.example", ["anna@example.test"], "Subject: forwarded\r\n\r\n1\r\n")
        m.wait_mails("anna", 1)
        m.wait_mails("ben", 1)
        anna = pwd.getpwnam("anna")
        m.wait("the command's answer", lambda: os.path.exists("/home/anna/who") and os.path.getsize("/home/anna/who"))
        with open("/home/anna/who") as f:
            self.assertEqual(f.read(), f"uid={anna.pw_uid}(anna) gid={anna.pw_gid}(anna) groups={anna.pw_gid}(anna)\n")

    def test_starts_only_when_its_ground_is_sound(self):
        m = self.m
        m.stop()
        for path, spoil, mend in ((f"{SPOOL}/private", 0o755, 0o711), (f"{SPOOL}/active", 0o755, 0o700)):
            os.chmod(path, spoil)
            r = m.merpati("start", check=False)
            self.assertEqual(r.returncode, 78)
            self.assertIn(f"chmod {mend:04o} {path}", r.stderr.decode())
            os.chmod(path, mend)
        with open(f"{SPOOL}/empty/x", "w"):
            pass
        self.assertEqual(m.merpati("start", check=False).returncode, 78)
        m.wait_log(r"fatal: sandbox: /var/spool/merpati/empty must be empty, but holds x")
        m.merpati("stop", check=False)
        os.unlink(f"{SPOOL}/empty/x")
        r = as_user("anna", f"{PREFIX}/sbin/merpati", "start")
        self.assertNotEqual(r.returncode, 0)
        shutil.rmtree(f"{SPOOL}/corrupt")               # what is missing is made
        m.start()
        self.assertEqual(os.stat(f"{SPOOL}/corrupt/A").st_uid, m.account().pw_uid)


main()
