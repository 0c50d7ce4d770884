"""Mailboxes in /var/mail, a directory in which their users may not write: from delivery to reading, by maillock."""
import contextlib, ctypes, gzip, imaplib, os, poplib, pwd, grp, re, socket, stat, struct, subprocess, sys, threading, time, unittest

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
            mine = theirs.fileno()          # and none of its brothers' ends
            os.closerange(3, mine), os.closerange(mine + 1, 4096)
            try:
                os.setgroups([]), os.setgid(pw.pw_gid), os.setuid(pw.pw_uid)
                s = socket.socket(socket.AF_UNIX)
                s.connect(SOCKET)
                while data := theirs.recv(65536):
                    s.sendall(data)
                    theirs.sendall(s.recv(16) or b"closed")
            except OSError:
                with contextlib.suppress(OSError):
                    theirs.sendall(b"closed")
            finally:
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


class Locks(Base):
    def test_maillock_serves_its_peer_alone(self):
        self.m.start()
        self.put("anna", mail("one"))
        self.put("ben", mail("one"))
        anna = As(self, "anna")
        self.assertEqual(anna.ask(LOCK, "ben"), REFUSED)
        self.assertEqual(anna.ask(MAKE, "carl"), REFUSED)
        self.assertEqual(anna.ask(LOCK, "carl"), REFUSED)
        self.assertEqual(anna.ask(UNLOCK, "ben"), REFUSED)
        self.assertEqual(anna.ask(NOTE, "ben", *range(6)), REFUSED)
        self.m.wait_log(r'maillock\[.*mailbox "ben": belongs to another user')
        self.m.wait_log(r'maillock\[.*mailbox "carl": is not this user.s name')
        self.assertEqual(anna.ask(LOCK, "anna"), DONE)
        with open(f"{SPOOL}/anna.lock") as f:
            self.assertEqual(f.read(), f"{anna.pid}:{socket.gethostname()}")
        self.assertEqual(As(self, "anna").ask(LOCK, "anna"), BUSY)
        self.assertEqual(anna.ask(LOCK, "anna"), DONE)
        self.assertEqual(anna.ask(LOCK, "ben"), REFUSED)       # one lock a connection
        self.assertEqual(anna.ask(NOTE, "anna", 1, 2, 3, 4, 5, 6), DONE)
        with open(f"{SPOOL}/anna.append") as f:
            self.assertEqual(f.read(), "1 2 3 4 5 6\n")
        self.assertEqual(anna.ask(FORGET, "anna"), DONE)
        self.assertEqual(anna.ask(UNLOCK, "anna"), DONE)
        self.only_mailboxes("anna", "ben")
        self.assertEqual(anna.ask(LOCK, "anna"), DONE)
        anna.end()                                             # killed, or gone: so is its lock
        self.only_mailboxes("anna", "ben")
        # in nobody's name: root, and merpati's own accounts
        for user in ("root", "merpati", "merpati-net"):
            self.assertEqual(As(self, user).ask(LOCK, "anna"), b"closed")
        self.m.wait_log("nothing is done for merpati-net")

    def test_garbage(self):
        """Whatever a local user sends: only his connection ends."""
        self.m.start()
        self.put("anna", mail("one"))
        keeper = As(self, "anna")
        self.assertEqual(keeper.ask(LOCK, "anna"), DONE)
        pids = self.m.pids("maillock")
        good = frame(LOCK, "anna")
        for bad in (b"\0" * 256, b"\xff" * 256, b"x" * 65536, good[:4] + b"\x09" + good[5:], frame(LOCK, "../anna"),
                    frame(LOCK, "a/b"), frame(LOCK, ""), frame(MAKE, ".x"), frame(LOCK, "x" * 200), frame(LOCK, "anna", (1,) * 6)):
            self.assertEqual(As(self, "ben").send(bad), b"closed", bad[:20])
        # a part of a frame, and away
        s = As(self, "ben")
        s.sock.sendall(good[:100])
        s.end()
        # as many connections as he likes: others are served
        many = [As(self, "ben") for _ in range(45)]
        answers = [m.ask(LOCK, "anna") for m in many]
        self.assertEqual(answers.count(b"closed"), 5)
        self.assertEqual(keeper.ask(UNLOCK, "anna"), DONE)
        self.assertEqual(self.m.pids("maillock"), pids)

    def test_locks_of_others(self):
        self.m.edit("main.cf", "deliver_lock_attempts = 2\ndeliver_lock_delay = 1s\nstale_lock_time = 500s\n")
        self.m.start()
        self.put("anna", mail("old"))
        before = self.get("anna")
        # a live dotlock of another program: the mail waits, nothing is touched
        with open(f"{SPOOL}/anna.lock", "w") as f:
            f.write(str(os.getpid()))
        self.send("anna")
        self.sent("anna", r"dsn=4.2.0, status=deferred \(cannot update mailbox: lock /var/mail/anna \(dotlock\)")
        self.assertEqual(self.get("anna"), before)
        # of a process that is no more: liblockfile's pid, and Dovecot's pid:host
        dead = subprocess.Popen(["true"])
        dead.wait()
        with open(f"{SPOOL}/anna.lock", "w") as f:
            f.write(f"{dead.pid}\n")
        self.m.merpati("flush")
        self.sent("anna", "status=sent")
        self.m.wait_log(r"maillock\[.*removed a stale lock")
        # nobody touched it for longer than stale_lock_time; one that its maker made unreadable
        self.put("anna", "", path=f"{SPOOL}/anna.lock", mode=0)
        os.utime(f"{SPOOL}/anna.lock", (1, 1))
        self.send("anna")
        self.sent("anna", r"status=deferred \(cannot update mailbox: lock", count=2)   # its inode is fresh: ctime
        os.unlink(f"{SPOOL}/anna.lock")
        # fcntl, as Debian's policy has it first
        code = ("import fcntl,struct,sys\nf=open('/var/mail/anna','r+')\n"
                "fcntl.fcntl(f,fcntl.F_SETLK,struct.pack('hhqqi4x',fcntl.F_WRLCK,0,0,0,0))\nprint(1,flush=True)\nsys.stdin.read()\n")
        p = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        p.stdout.readline()
        self.m.merpati("flush")
        self.sent("anna", r"status=deferred \(cannot update mailbox: lock /var/mail/anna \(fcntl\)")
        self.assertFalse(os.path.exists(f"{SPOOL}/anna.lock"))   # not held while the other is waited for
        p.stdin.close(), p.wait()
        p.stdout.close()
        self.m.merpati("flush")
        self.sent("anna", "status=sent", count=2)
        self.only_mailboxes("anna")

    def test_which_locks(self):
        """mailbox_delivery_lock: only what is named."""
        self.m.edit("main.cf", "mailbox_delivery_lock = flock\ndeliver_lock_attempts = 1\n")
        self.m.start()
        self.put("anna", mail("old"))
        with open(f"{SPOOL}/anna.lock", "w") as f:
            f.write(str(os.getpid()))
        self.send("anna")
        self.sent("anna", "status=sent")
        with open(f"{SPOOL}/anna") as f:
            import fcntl
            fcntl.flock(f, fcntl.LOCK_EX)
            self.send("anna")
            self.sent("anna", r"status=deferred \(cannot update mailbox: lock /var/mail/anna \(flock\)")
        self.m.merpati("flush")
        self.sent("anna", "status=sent", count=2)

    def test_maillock_ends(self):
        """Killed while a lock is held, and while readers are there: nobody is stuck."""
        self.m.start()
        self.put("anna", mail("one") + mail("two") + mail("three"))
        holder = As(self, "ben")
        self.put("ben", mail("one"))
        self.assertEqual(holder.ask(LOCK, "ben"), DONE)
        c = self.imap()
        self.ok(c.select())
        self.assertEqual(len(self.uids(c)), 3)
        self.assertEqual(self.m.kill("maillock"), 1)
        self.assertTrue(os.path.exists(f"{SPOOL}/ben.lock"))      # its process is alive
        self.send("anna")
        self.sent("anna", "status=sent")
        # the session cannot lock any more; who signs in next gets a process that can
        self.m.wait_log("no new sessions: maillock has ended")
        d = self.m.wait("a sign-in", lambda: self.maybe())
        self.ok(d.select())
        self.ok(d.store("1", "+FLAGS", r"(\Deleted)"))
        self.ok(d.expunge())
        self.assertEqual(len(self.uids(d)), 3)
        self.assertEqual(c.store("2", "+FLAGS", r"(\Deleted)")[0] in ("OK", "NO"), True)
        holder.end()
        # the lock names a process that is no more
        self.send("ben")
        self.sent("ben", "status=sent")
        self.only_mailboxes("anna", "ben")

    def maybe(self):
        try:
            return self.imap()
        except imaplib.IMAP4.error:
            return None

    def test_no_maillock(self):
        """An old master.cf: mail waits, and the log says for what."""
        with open("/etc/merpati/master.cf") as f:
            lines = [l for l in f if not l.startswith("maillock")]
        with open("/etc/merpati/master.cf", "w") as f:
            f.writelines(lines)
        self.m.start()
        self.send("anna")
        self.sent("anna", r"status=deferred \(cannot update mailbox: maillock: connect to public/maillock: ")
        with self.assertRaises(imaplib.IMAP4.error):
            self.imap()
        self.m.wait_log("maillock: connect to public/maillock")


class Refused(Base):
    """ATTACKS H01, H02: what stands where the mailbox should be."""

    def test_what_is_no_mailbox_of_the_user(self):
        self.m.edit("main.cf", "mailbox_delivery_lock = fcntl\n")
        self.m.start()
        self.put("root", "secret\n", path="/home/secret", mode=0o666)
        self.put("anna", mail("hers"), path="/home/hers", mode=0o666)
        victim = f"{SPOOL}/anna"
        cases = (
            (lambda: os.symlink("/home/secret", victim), "symbolic link"),
            (lambda: os.symlink("/etc/passwd", victim), "symbolic link"),
            (lambda: os.symlink("/nowhere", victim), "symbolic link"),
            (lambda: os.symlink("/home/hers", victim), "symbolic link"),
            (lambda: os.mkfifo(victim, 0o600), "not a regular file"),
            (lambda: os.mkdir(victim), "is a directory"),
            (lambda: socket.socket(socket.AF_UNIX).bind(victim), "not a regular file"),
            (lambda: os.mknod(victim, 0o600 | stat.S_IFCHR, os.makedev(1, 5)), "not a regular file"),
            (lambda: (os.symlink("/home/secret", f"{SPOOL}/way"),
                      os.link(f"{SPOOL}/way", victim, follow_symlinks=False)), "symbolic link"),
            (lambda: self.put("ben", mail("bens"), mode=0o666, path=victim), "belongs to uid"),
            (lambda: self.put("root", mail("roots"), mode=0o666, path=victim), "belongs to uid"),
        )
        n = 0
        for make, why in cases:
            make()
            if not os.path.islink(victim):
                sh("chown", "-h", "anna:mail" if why != "belongs to uid" else "--reference=" + victim, victim)
            n += 1
            with self.subTest(why=why, n=n):
                text = open(victim).read() if why == "belongs to uid" else None
                self.send("anna")
                self.sent("anna", rf"dsn=4.[23].0, status=deferred \(cannot update mailbox: .*{why}", count=1)
                if text is not None:
                    self.assertEqual(open(victim).read(), text)
                self.assertEqual(open("/home/secret").read(), "secret\n")
                self.assertEqual(open("/home/hers").read(), mail("hers"))
                self.assertFalse(os.path.exists("/nowhere"))
            sh("rm", "-rf", victim)
            self.m.run("postsuper", "-d", "ALL")
            self.m.stop()
            sh("rm", "-f", "/var/log/merpati/mail.log")
            self.m.start()
        # two names
        self.put("anna", mail("two names"))
        os.link(victim, f"{SPOOL}/other")
        self.send("anna")
        self.sent("anna", r"status=deferred \(cannot update mailbox: .*hard links")
        self.assertEqual(self.get("anna"), mail("two names"))

    def test_ownership(self):
        self.m.start()
        self.put("ben", mail("bens"), mode=0o666, path=f"{SPOOL}/anna")
        self.send("anna")
        self.sent("anna", r"dsn=4.2.0, status=deferred \(cannot update mailbox: .*belongs to uid")
        with self.assertRaises((imaplib.IMAP4.error, AssertionError)):
            self.ok(self.imap().select())
        self.m.edit("main.cf", "strict_mailbox_ownership = no\n")
        self.m.merpati("reload")
        self.m.merpati("flush")
        self.sent("anna", r"status=sent \(delivered to mailbox\)")
        self.assertIn("Subject: x", self.get("anna"))
        self.assertEqual(os.stat(f"{SPOOL}/anna").st_uid, pwd.getpwnam("ben").pw_uid)
        c = self.imap()
        self.ok(c.select())
        self.assertEqual(list(self.uids(c).values()), ["bens", "x"])
        # one that he may not write to stays that
        os.chmod(f"{SPOOL}/anna", 0o644)
        self.send("anna")
        self.sent("anna", r"status=deferred \(cannot update mailbox: .*Permission denied")

    def test_swapped_under_way(self):
        """A link in the place of the mailbox for moments, again and again: what it names is never written to."""
        self.put("anna", "", path="/home/victim")
        self.put("anna", "")
        self.m.start()
        over = threading.Event()

        def swap():
            libc, at, n = ctypes.CDLL(None, use_errno=True), -100, 0
            os.symlink("/home/victim", f"{SPOOL}/link")
            while n % 2 or not over.is_set():       # exchanged, so that there is always one of them
                self.assertEqual(libc.renameat2(at, f"{SPOOL}/anna".encode(), at, f"{SPOOL}/link".encode(), 2), 0)
                n += 1
        t = threading.Thread(target=swap)
        t.start()
        try:
            for _ in range(30):
                self.send("anna")
            self.m.wait("some of them", lambda: len(re.findall(r"to=<anna@example.test>.*status=", self.m.log())) >= 30, 60)
        finally:
            over.set()
            t.join()
        self.assertEqual(os.path.getsize("/home/victim"), 0)
        os.unlink(f"{SPOOL}/link")
        self.m.wait("an empty queue", lambda: self.m.merpati("flush") and not self.m.queue(), 60)
        self.assertEqual(len(re.findall(r"(?m)^From ", self.get("anna"))), 30)

    def test_never_as_root(self):
        self.m.start()
        self.send("root")
        self.sent("root", "status=deferred")
        self.assertFalse(os.path.exists(f"{SPOOL}/root"))


class Full(Base):
    """Three results: the admin's limit, the disk, the quota. Each leaves the mailbox as it was (H09)."""

    def test_mailbox_size_limit(self):
        self.m.edit("main.cf", "message_size_limit = 3000\nmailbox_size_limit = 3000\n")
        self.m.start()
        self.put("anna", mail("old", "y" * 1000 + "\n"))
        before = self.get("anna")
        self.send("anna", body="Subject: big\r\n\r\n" + "z" * 900 + "\r\n" + "z" * 900 + "\r\n")
        self.sent("anna", r"dsn=5.2.2, status=bounced \(mailbox is full: it would be larger than mailbox_size_limit\)")
        self.assertEqual(self.get("anna"), before)
        self.send("anna", body="Subject: small\r\n\r\nz\r\n")
        self.sent("anna", r"status=sent \(delivered to mailbox\)")

    def test_full_disk(self):
        sh("mount", "-t", "tmpfs", "-o", "size=64k,mode=02775", "tmpfs", SPOOL)
        self.addCleanup(sh, "umount", "-l", SPOOL)
        sh("chown", "root:mail", SPOOL)
        self.put("anna", mail("old", "y" * 900 + "\n") * 10)
        before = self.get("anna")
        self.m.start()
        self.send("anna", body="Subject: big\r\n\r\n" + ("z" * 900 + "\r\n") * 80)
        self.sent("anna", r"dsn=4.3.1, status=deferred \(mail system is full: ")
        self.assertEqual(self.get("anna"), before)
        self.only_mailboxes("anna")
        sh("mount", "-o", "remount,size=4m", SPOOL)
        self.m.merpati("flush")
        self.sent("anna", r"status=sent \(delivered to mailbox\)")
        self.assertTrue(self.get("anna").startswith(before))
        self.only_mailboxes("anna")

    def test_read_only(self):
        self.put("anna", mail("old"))
        self.m.start()
        sh("mount", "-o", "remount,ro", SPOOL)
        self.addCleanup(sh, "mount", "-o", "remount,rw", SPOOL)
        self.send("anna")
        self.sent("anna", r"dsn=4.[23].0, status=deferred")
        sh("mount", "-o", "remount,rw", SPOOL)
        self.m.merpati("flush")
        self.sent("anna", "status=sent")


# mutt stays when it finds, as it leaves, that the mailbox has changed
QUIT = "set timeout 2\nfor {set n 0} {$n < 15} {incr n} {expect {eof {exit 0} timeout {send \"q\"}}}\nexit 9\n"


class Peers(Base):
    """Debian's mutt and alpine as they are, in a pty of expect's, beside IMAP and POP3."""

    def expect(self, user, script):
        pw = pwd.getpwnam(user)

        def become():
            os.setgroups([]), os.setgid(pw.pw_gid), os.setuid(pw.pw_uid)
        p = subprocess.run(["expect", "-c", "set timeout 30\n" + script], preexec_fn=become, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, cwd=pw.pw_dir,
                           env={"HOME": pw.pw_dir, "USER": user, "LOGNAME": user, "TERM": "xterm", "LC_ALL": "C",
                                "PATH": "/usr/bin:/bin"})
        self.assertEqual(p.returncode, 0, p.stdout[-3000:])

    def mutt(self, keys):
        with open("/home/anna/muttrc", "w") as f:
            f.write("set sleep_time=0 move=no delete=yes quit=yes mark_old=no mbox_type=mbox timeout=5 wait_key=no "
                    "beep=no\nset folder=/home/anna/mail header_cache=\"\"\n")
        steps = "".join(f'send "{k}"\nafter 200\n' for k in keys)
        self.expect("anna", "spawn -noecho mutt -n -F /home/anna/muttrc -f /var/mail/anna\nexpect {\"q:Quit\" {} timeout "
                            "{exit 8}}\n" + steps + QUIT)

    def alpine(self, keys):
        with open("/home/anna/pinerc", "w") as f:
            f.write("inbox-path=/var/mail/anna\nfolder-collections=mail/[]\nuser-domain=example.test\n"
                    "last-version-used=99.99\nnew-version-threshold=99.99\ninitial-keystroke-list=\n"
                    "feature-list=expunge-without-confirm,expunge-without-confirm-everywhere,quit-without-confirm,"
                    "no-save-will-quote-leading-froms\n")
        sh("chown", "anna:", "/home/anna/pinerc")
        steps = "".join(f'send "{k}"\nafter 500\n' for k in keys)
        self.expect("anna", "spawn -noecho alpine -i -p /home/anna/pinerc\n"
                            "expect {\"message only once\" {send \"E\"; exp_continue} \"Exit this greeting\" "
                            "{send \"E\"; exp_continue} \"? Help\" {} timeout {exit 8}}\nafter 500\n" + steps +
                            "expect {eof {exit 0} timeout {exit 9}}\n")

    def test_mutt_and_alpine(self):
        for name in ("mutt", "alpine", "expect"):
            self.assertTrue(os.path.exists(f"/usr/bin/{name}"), f"no {name}: apt-get install {name}")
            with gzip.open(f"/usr/share/doc/{name}/changelog.Debian.gz", "rt", errors="replace") as f:
                print("peer:", f.readline().strip(), flush=True)
        self.m.start()
        for s in ("one", "two", "three", "four", "five"):
            self.send("anna", body=f"Subject: {s}\r\nFrom: a@b.example\r\n\r\nFrom me\r\n{s}\r\n")
        self.sent("anna", r"status=sent", count=5)
        c = self.imap()
        self.ok(c.select())
        known = self.uids(c)
        self.assertEqual(sorted(known), [1, 2, 3, 4, 5])
        validity = c.untagged_responses["UIDVALIDITY"][0].decode()
        uid = {s: u for u, s in known.items()}
        self.ok(c.uid("STORE", str(uid["four"]), "+FLAGS", r"(\Flagged $Work)"))
        order = [known[u] for u in sorted(known)]

        # mutt deletes the first, and X-IMAPbase with it, while the session is open
        self.mutt(["1\\r", "d", "q"])
        self.ok(c.noop())
        first = order[0]
        self.assertEqual(self.uids(c), {u: s for s, u in uid.items() if s != first})

        # a POP3 client removes another one
        p = self.pop3()
        second = order[1]
        p.dele(1)
        p.quit()
        self.mutt(["*", "\\r", "i", "q"])        # reads the last one
        self.ok(c.noop())
        left = {u: s for s, u in uid.items() if s not in (first, second)}
        self.assertEqual(self.uids(c), left)
        self.assertIn(rb"\Seen", self.ok(c.uid("FETCH", str(max(left)), "(FLAGS)"))[0])
        self.assertRegex(self.ok(c.uid("FETCH", str(uid["four"]), "(FLAGS)"))[0], rb"\\Flagged.*\$Work|\$Work.*\\Flagged")

        # alpine removes the first that is left
        self.alpine(["D", "X", "Q"])
        self.ok(c.noop())
        now = self.uids(c)
        self.assertEqual(len(now), len(left) - 1, (now, left))
        self.assertTrue(set(now.items()) < set(left.items()), (now, left))
        text = self.get("anna")
        self.assertRegex(text, rf"(?m)^X-IMAPbase: {validity} 0*5\b")
        for u in now:
            self.assertRegex(text, rf"(?m)^X-UID: {u} *$")
        # no UID comes back
        self.send("anna", body="Subject: six\r\n\r\n6\r\n")
        self.sent("anna", r"status=sent", count=6)
        self.ok(c.noop())
        self.assertEqual(self.uids(c), {**now, 6: "six"})
        self.ok(c.store("1:*", "+FLAGS", r"(\Deleted)"))
        self.ok(c.expunge())
        self.send("anna", body="Subject: seven\r\n\r\n7\r\n")
        self.sent("anna", r"status=sent", count=7)
        d = self.imap()
        self.ok(d.select())
        self.assertEqual(d.untagged_responses["UIDVALIDITY"][0].decode(), validity)
        self.assertEqual(self.uids(d), {7: "seven"})
        self.only_mailboxes("anna")


main()
