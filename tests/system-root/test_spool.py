"""Mailboxes in /var/mail, a directory in which their users may not write: from delivery to reading, by maillock."""
import imaplib, os, poplib, pwd, grp, re, socket, struct, subprocess, sys, threading, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from system_instance import System, enter, main, sh  # noqa: E402

enter()

SPOOL = "/var/mail"
AT = "@example.test"
FROM = "From a@b Sun Nov 22 08:05:00 2026\n"
SOCKET = "/var/spool/merpati/public/maillock"
FAST = {"home_mailbox": "", "auth_failure_delay": "0", "login_attempt_limit": "100", "queue_run_delay": "2s",
        "minimal_backoff_time": "2s", "maximal_backoff_time": "2s", "smtpd_client_event_limit_exceptions": "static:all"}
LOCK, UNLOCK, MAKE, NOTE, FORGET = 1, 2, 3, 4, 5
DONE, BUSY, REFUSED, TROUBLE = 1, 2, 3, 4


def mail(subject, body="x\n"):
    return f"{FROM}From: a@b\nSubject: {subject}\nMessage-ID: <{subject}@b>\n\n{body}\n"


def frame(op, name, numbers=(0,) * 6):
    return b"MLK1" + bytes([op, 0, 0, 0]) + name.encode().ljust(200, b"\0") + struct.pack("<6Q", *numbers)


class As:
    """A program of a user: it asks maillock as who it is."""

    def __init__(self, test, user):
        pw = pwd.getpwnam(user)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            try:
                os.setgroups([]), os.setgid(pw.pw_gid), os.setuid(pw.pw_uid)
                s = socket.socket(socket.AF_UNIX)
                s.connect(SOCKET)
                while data := theirs.recv(65536):
                    s.sendall(data)
                    theirs.sendall(s.recv(16) or b"closed")
            except OSError:
                theirs.sendall(b"closed")
            os._exit(0)
        theirs.close()
        ours.settimeout(30)
        self.sock = ours
        test.addCleanup(self.end)

    def send(self, data):
        self.sock.sendall(data)
        a = self.sock.recv(16)
        return a if a == b"closed" else a[4]

    def ask(self, op, name, *numbers):
        return self.send(frame(op, name, *([numbers] if numbers else [])))

    def end(self):
        if self.pid:
            self.sock.close()
            os.waitpid(self.pid, 0)
            self.pid = 0


class Base(unittest.TestCase):
    main_cf = {}

    def setUp(self):
        self.m = System(self, main_cf={**FAST, **self.main_cf})
        for name in os.listdir(SPOOL):
            sh("rm", "-rf", f"{SPOOL}/{name}")
        sh("chown", "root:mail", SPOOL)
        os.chmod(SPOOL, 0o2775)
        for u in ("anna", "ben"):
            self.m.unix_user(u, f"secret of {u}")
            sh("rm", "-rf", f"/home/{u}/mail", f"/home/{u}/.forward")

    def put(self, user, text, mode=0o600, path=None):
        path = path or f"{SPOOL}/{user}"
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        sh("chown", f"{user}:mail", path)

    def get(self, user):
        with open(f"{SPOOL}/{user}", newline="") as f:
            return f.read()

    def send(self, *rcpts, body="Subject: x\r\n\r\nx\r\n", sender="a@b.example"):
        with self.m.smtp() as s:
            s.sendmail(sender, [r + AT for r in rcpts], body)

    def sent(self, to, status, seconds=30, count=1):
        self.m.wait_log(rf"to=<{re.escape(to + AT)}>,.* relay=local,.*{status}", seconds, count)

    def imap(self, user="anna"):
        c = imaplib.IMAP4("127.0.0.1", 143, timeout=60)
        self.addCleanup(self.quiet, c)
        c.login(user, f"secret of {user}")
        return c

    def pop3(self, user="anna"):
        p = poplib.POP3("127.0.0.1", 110, timeout=60)
        p.user(user), p.pass_(f"secret of {user}")
        return p

    @staticmethod
    def quiet(c):
        try:
            c.logout()
        except Exception:
            pass

    def ok(self, result):
        self.assertEqual(result[0], "OK", result)
        return result[1]

    def uids(self, c):
        out = {}
        for part in self.ok(c.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")):
            if isinstance(part, tuple):
                out[int(re.search(rb"UID (\d+)", part[0])[1])] = part[1].decode().split(":", 1)[1].strip()
        return out

    def only_mailboxes(self, *names):
        self.m.wait(f"nothing but {names} in {SPOOL}", lambda: sorted(os.listdir(SPOOL)) == sorted(names))


class Delivery(Base):
    def test_delivery_and_reading(self):
        self.m.start()
        self.send("anna", body="Subject: one\r\n\r\nFrom here\r\n>From there\r\nlast")
        self.sent("anna", r"dsn=2.0.0, status=sent \(delivered to mailbox\)")
        st = os.stat(f"{SPOOL}/anna")
        self.assertEqual((st.st_uid, grp.getgrgid(st.st_gid).gr_name, st.st_mode & 0o7777),
                         (pwd.getpwnam("anna").pw_uid, "mail", 0o600))
        text = self.get("anna")
        self.assertRegex(text, r"\AFrom a@b\.example  \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n")
        self.assertTrue(text.endswith("\n\n>From here\n>From there\nlast\n\n"), text)
        for field in ("Return-Path: <a@b.example>", f"X-Original-To: anna{AT}", f"Delivered-To: anna{AT}"):
            self.assertEqual(text.count(f"\n{field}\n"), 1, text)
        # a delivery leaves nothing in the home
        self.assertFalse(os.path.exists("/home/anna/mail"))
        self.m.run("sendmail", "-f", "", "anna", input=b"Subject: two\n\n2\n")
        self.sent("anna", r"status=sent \(delivered to mailbox\)", count=2)
        self.assertIn("\n\nFrom MAILER-DAEMON  ", self.get("anna"))
        c = self.imap()
        self.ok(c.select())
        self.assertEqual(self.uids(c), {1: "one", 2: "two"})
        p = self.pop3()
        self.assertEqual(p.stat()[0], 2)
        p.dele(1)
        p.quit()
        self.ok(c.noop())
        self.assertEqual(self.uids(c), {2: "two"})
        self.send("anna", body="Subject: three\r\n\r\n3\r\n")
        self.sent("anna", r"status=sent", count=3)
        self.ok(c.noop())
        self.assertEqual(self.uids(c), {2: "two", 3: "three"})
        self.ok(c.store("1", "+FLAGS", r"(\Deleted)"))
        self.ok(c.expunge())
        self.ok(c.create("Saved"))
        self.ok(c.copy("1", "Saved"))
        self.assertNotIn("Subject: two", self.get("anna"))
        self.assertIn("Subject: three", self.get("anna"))
        self.assertEqual(os.stat("/home/anna/mail/Saved").st_uid, st.st_uid)
        self.only_mailboxes("anna")

    def test_a_missing_mailbox_is_made_for_its_reader(self):
        self.m.start()
        c = self.imap()
        self.assertEqual(self.ok(c.select()), [b"0"])
        st = os.stat(f"{SPOOL}/anna")
        self.assertEqual((st.st_uid, grp.getgrgid(st.st_gid).gr_name, st.st_mode & 0o7777),
                         (pwd.getpwnam("anna").pw_uid, "mail", 0o600))
        self.ok(c.append("INBOX", None, None, b"Subject: mine\r\n\r\nx\r\n"))
        self.assertEqual(self.uids(c), {1: "mine"})
        self.assertEqual(self.pop3("ben").stat(), (0, 0))
        self.only_mailboxes("anna", "ben")

    def test_without_a_home(self):
        """Mail is delivered, with the same safety, to accounts whose home is not there."""
        self.m.unix_user("svc")
        sh("rm", "-rf", "/home/svc")
        self.m.start()
        self.send("svc")
        self.sent("svc", r"status=sent \(delivered to mailbox\)")
        self.assertEqual(os.stat(f"{SPOOL}/svc").st_uid, pwd.getpwnam("svc").pw_uid)
        self.only_mailboxes("svc")


main()
