"""Unix users of a system instance sign in by PAM, the shadow file or the users file, and each reads his own mail
through processes that are his (ARCHITECTURE section 2, "Becoming a user")."""
import imaplib, os, poplib, pwd, re, signal, subprocess, sys, threading, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from system_instance import System, enter, main, sh  # noqa: E402

enter()

FAST = {"auth_failure_delay": "0", "login_attempt_limit": "50"}


def alive(pid):
    """Not gone, and not waiting for this process, the first of its machine, to ask how it ended."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


class Reading(unittest.TestCase):
    def system(self, users=("anna",), **kw):
        m = System(self, main_cf={**FAST, **kw.pop("main_cf", {})}, **kw)
        for u in users:
            m.unix_user(u, f"secret of {u}")
            sh("rm", "-rf", f"/home/{u}/Maildir")
        return m

    def imap(self, user="anna", password=None):
        c = imaplib.IMAP4("127.0.0.1", 143, timeout=60)
        self.addCleanup(self.quiet, c)
        c.login(user, password or f"secret of {user}")
        return c

    @staticmethod
    def quiet(c):
        try:
            c.logout()
        except Exception:
            pass

    def refused(self, user, password, temporary=False):
        with self.assertRaises(imaplib.IMAP4.error) as r:
            self.imap(user, password)
        self.assertIn(b"UNAVAILABLE" if temporary else b"AUTHENTICATIONFAILED", r.exception.args[0])

    def put(self, c, text=b"Subject: x\r\n\r\nbody\r\n"):
        self.assertEqual(c.append("INBOX", None, None, text)[0], "OK")

    def owners(self, m, program):
        """uid -> pids of that program's processes."""
        out = {}
        for pid in m.pids(program):
            try:
                out.setdefault(self.uid(pid), []).append(pid)
            except FileNotFoundError:
                pass
        return out

    @staticmethod
    def uid(pid):
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"^Uid:\s+(\d+)", f.read(), re.M)[1])

    def test_sign_in(self):
        m = self.system(("anna", "lowly", "late", "locked", "nopass", "insider"))
        sh("usermod", "-u", "150", "lowly")
        sh("usermod", "-e", "2020-01-01", "late")
        sh("passwd", "-l", "locked")
        sh("passwd", "-d", "nopass")
        sh("usermod", "-a", "-G", "merpati", "insider")
        sh("chpasswd", input=b"root:secret of root\n")
        m.merpati("user", "add", "anna", input=b"another secret\n")
        m.start()
        for shadow in (False, True):
            if shadow:
                m.edit("main.cf", "auth_pam_service =\n")
                m.merpati("user", "del", "anna")
                m.merpati("reload")
            with self.subTest(shadow=shadow):
                right = "secret of anna" if shadow else "another secret"
                for name in ("anna", "ANNA", "anna@example.test") + (("anna@host.example.test",) if shadow else ()):
                    self.imap(name, right)
                p = poplib.POP3("127.0.0.1", 110)
                p.user("anna"), p.pass_(right)
                p.quit()
                self.refused("anna", "wrong")
                # the users file comes first: the password of the system is not that of the mail
                self.refused("anna", "another secret" if shadow else "secret of anna")
                for name in ("lowly", "late", "locked", "insider", "root", "nobody", "merpati", "merpati-net", "ghost"):
                    self.refused(name, f"secret of {name}")
                self.refused("nopass", "x")
                self.refused("anna@elsewhere.test", right)
        self.assertNotIn("secret", m.log())
        for why in ("first_valid_uid: user=<lowly>", "expired: user=<late>",
                    "nothing is done as merpati;.*: user=<insider>",
                    "nothing is done as root;.*: user=<root>", "nothing is done as merpati-net;.*: user=<merpati-net>",
                    "unknown user: user=<ghost>"):
            m.wait_log("sign-in refused, .*" + why)

    def test_trouble_is_not_a_refusal(self):
        m = self.system()
        m.start()
        with open("/etc/pam.d/merpati", "w") as f:
            f.write("auth required pam_no_such_module.so\naccount required pam_permit.so\n")
        self.refused("anna", "secret of anna", temporary=True)
        m.wait_log("sign-in of anna from 127.0.0.1 not decided: PAM: ")
        with open("/etc/pam.d/merpati", "w") as f:
            f.write("auth required pam_unix.so\naccount required pam_unix.so\n")
        self.imap()
        os.rename("/home/anna", "/home/away")                    # no place to put a Maildir
        for pid in self.owners(m, "imapd").get(pwd.getpwnam("anna").pw_uid, []):
            os.kill(pid, signal.SIGTERM)
        m.wait("anna's imapd to end", lambda: pwd.getpwnam("anna").pw_uid not in self.owners(m, "imapd"))
        for _ in range(12):                                      # and that stops nobody else
            self.refused("anna", "secret of anna", temporary=True)
        os.rename("/home/away", "/home/anna")
        self.imap()
        self.assertNotIn("is not started again", m.log())

    def test_each_user_has_processes_of_his_own(self):
        m = self.system(("anna", "ben"))
        m.start()
        anna, ben = pwd.getpwnam("anna").pw_uid, pwd.getpwnam("ben").pw_uid
        a = [self.imap() for _ in range(3)]
        b = self.imap("ben")
        self.put(a[0], b"Subject: for anna\r\n\r\n1\r\n")
        self.put(b, b"Subject: for ben\r\n\r\n2\r\n")
        m.wait("three imapd", lambda: {0, anna, ben} == set(self.owners(m, "imapd")))
        owners = self.owners(m, "imapd")
        self.assertEqual((len(owners[anna]), len(owners[ben])), (1, 1))
        self.assertEqual(m.merpati("status").stdout.count(b"THROTTLED"), 0)
        for user, c in (("anna", a[1]), ("ben", b)):
            c.select()
            self.assertEqual(c.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1],
                             f"Subject: for {user}\r\n\r\n".encode())
            top = f"/home/{user}/Maildir"
            for root, dirs, files in os.walk(top):
                for name in [""] + files:
                    st = os.lstat(os.path.join(root, name))
                    self.assertEqual(st.st_uid, pwd.getpwnam(user).pw_uid, os.path.join(root, name))
                    self.assertEqual(st.st_mode & 0o077, 0)
        p = poplib.POP3("127.0.0.1", 110)
        p.user("ben"), p.pass_("secret of ben")
        self.assertIn(b"Subject: for ben", p.retr(1)[1])
        p.quit()
        # a mail in a charset that the C library has a module for: loaded before the jail closed
        self.put(a[0], "Subject: y\r\nContent-Type: text/plain; charset=iso-8859-2\r\n\r\nŁódź\r\n".encode("iso-8859-2"))
        a[2].select()
        a[2].literal = "łódź".encode()
        self.assertEqual(a[2].search("UTF-8", "BODY")[1], [b"2"])

    def test_processes_end_when_nobody_needs_them(self):
        m = self.system(main_cf={"assigned_max_idle": "1s"})
        m.start()
        anna = pwd.getpwnam("anna").pw_uid
        c = self.imap()
        self.assertIn(anna, self.owners(m, "imapd"))
        c.logout()
        m.wait("the end of an idle imapd", lambda: anna not in self.owners(m, "imapd"))
        self.put(self.imap())
        self.assertNotRegex(m.log(), "exit status|killed by")

    def test_auth_ends(self):
        """Sessions go on; who signs in next gets a fresh process."""
        m = self.system()
        m.start()
        c = self.imap()
        self.put(c)
        before = set(self.owners(m, "imapd")[pwd.getpwnam("anna").pw_uid])
        self.assertEqual(m.kill("auth"), 1)
        m.wait("another auth", lambda: m.pids("auth"))
        d = m.wait("a sign-in", lambda: self.maybe_imap())
        self.put(c)
        self.put(d)
        self.assertEqual(len(d.select()[1]), 1)
        after = set(self.owners(m, "imapd")[pwd.getpwnam("anna").pw_uid])
        self.assertTrue(before < after, (before, after))
        c.logout()
        m.wait("the old process to end", lambda: not before & set(m.pids("imapd")))

    def maybe_imap(self):
        try:
            return self.imap()
        except imaplib.IMAP4.error:
            return None

    def test_reload(self):
        m = self.system()
        m.start()
        c = self.imap()
        old = set(self.owners(m, "imapd")[pwd.getpwnam("anna").pw_uid])
        m.merpati("reload")
        d = m.wait("a sign-in", lambda: self.maybe_imap())
        self.put(c)
        self.put(d)
        self.assertTrue(old <= set(m.pids("imapd")))
        c.logout()
        m.wait("the old process to end", lambda: not old & set(m.pids("imapd")))
        self.put(d)

    def test_more_users_than_processes(self):
        users = [f"u{i}" for i in range(6)]
        m = self.system(users, master_cf="imapd unix - - n - 3 imapd\n")
        with open("/etc/merpati/master.cf") as f:
            lines = [l for l in f if not re.match(r"imapd +unix .* 1000 +imapd", l)]
        with open("/etc/merpati/master.cf", "w") as f:
            f.writelines(lines)
        m.start()
        for u in users:                     # each leaves before the next one comes: idle processes make place
            c = self.imap(u)
            self.put(c)
            c.logout()
        self.assertLessEqual(len(m.pids("imapd")), 3)

    def test_a_burst(self):
        users = [f"b{i}" for i in range(12)]
        m = self.system(users, main_cf={"auth_session_wait": "30s"})
        m.start()
        failed = []

        def one(user):
            try:
                for _ in range(2):
                    c = self.imap(user)
                    self.put(c)
                    c.logout()
            except Exception as e:
                failed.append((user, repr(e)))
        threads = [threading.Thread(target=one, args=(u,)) for u in users]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failed, [], m.log_tail())
        for u in users:
            self.assertEqual(len(m.mails(u)), 2)

    def test_stop_and_kill(self):
        m = self.system()
        m.start()
        c = self.imap()
        everybody = m.pids()
        m.stop()
        for pid in everybody:
            self.assertFalse(alive(pid), pid)
        self.assertIn(b"BYE", c.readline())
        m.start()
        self.put(self.imap())
        everybody = m.pids()
        os.kill(m.master_pid(), signal.SIGKILL)
        m.wait("all to end without master", lambda: not [p for p in everybody if alive(p)])
        m.start()
        self.put(self.imap())
        self.assertEqual(len(m.mails("anna")), 2)


main()
