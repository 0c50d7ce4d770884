"""A system instance whose internal sockets are fed with garbage (ATTACKS J03), whose own accounts want what is not
theirs (S02), and whose auth tells a process of nobody to become somebody that it must never be."""
import imaplib, os, pwd, random, signal, socket, stat, struct, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import AUTH, MASTER, READY, STOP, U32, U32S, Conn, f_str, f_u32, field  # noqa: E402
from ipc_garbage import attacks, frame, throw  # noqa: E402
from system_instance import CONF, PREFIX, System, enter, main, wait_for  # noqa: E402

enter()

SPOOL = "/var/spool/merpati"
SEED = int(os.environ.get("MERPATI_SEED", random.SystemRandom().randrange(1 << 32)))
ENLIST, SESSION, BECOME, BECAME = 9, 11, 20, 21


def sockets():
    for top in ("private", "public"):
        for root, _, files in os.walk(f"{SPOOL}/{top}"):
            for name in sorted(files):
                path = os.path.join(root, name)
                if stat.S_ISSOCK(os.stat(path).st_mode):
                    yield path


def as_account(name, fn):
    """FN in a child with that account; its answer as an exit code."""
    pw = pwd.getpwnam(name)
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.setgroups([]), os.setgid(pw.pw_gid), os.setuid(pw.pw_uid)
            code = fn()
        except OSError as e:
            print(name, e, file=sys.stderr)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def dial(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return Conn(s)


class Garbage(unittest.TestCase):
    def imap(self):
        c = imaplib.IMAP4("127.0.0.1", 143, timeout=60)
        c.login("anna", "secret")
        c.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
        c.logout()

    def test_nobody_dies(self):
        print("seed", SEED)
        rnd = random.Random(SEED)
        m = System(self)
        m.unix_user("anna")
        m.start()
        self.imap()
        watched = {p: set(m.pids(p)) for p in ("master", "smtpd", "cleanup", "qmgr", "postlogd", "auth", "pickup")}
        paths = list(sockets())
        self.assertGreater(len(paths), 25)
        null = os.open("/dev/null", os.O_RDONLY)
        for path in paths:
            every = list(attacks(rnd))
            for octets in rnd.sample(every, len(every) // 10) + every[:14]:
                throw(path, octets)
            for _ in range(3):
                throw(path, frame(b""), fds=[null] * 3)
        os.close(null)
        for name, pids in watched.items():
            self.assertLessEqual(pids, set(m.pids(name)), f"{name} ended{m.log_tail(40)}")
        self.assertNotRegex(m.log(), r"panic:|killed by signal|exit status")
        self.imap()

    def test_accounts_want_what_is_not_theirs(self):
        """mail_owner's processes reach auth's socket, but serve nobody's sessions."""
        m = System(self)
        m.unix_user("anna")
        m.start()
        self.imap()

        def steal():
            c = dial(f"{SPOOL}/private/queue/auth")
            c.send(AUTH, ENLIST, f_str(1, "imap") + f_u32(2, 5))
            return 0 if c.recv() is None else 1
        self.assertEqual(as_account("merpati", steal), 0)
        m.wait_log("a process of another uid wants to serve imap")
        self.imap()

        def control():
            try:
                dial(f"{SPOOL}/private/control")
            except PermissionError:
                return 0
            return 1
        for name in ("merpati", "merpati-net", "merpati-auth", "anna"):
            self.assertEqual(as_account(name, control), 0)


class Nobodys:
    """imapd as master starts it in a system instance, with an auth that this test plays."""

    def __init__(self, test, program="imapd"):
        os.makedirs(f"{SPOOL}/private/queue", exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        path = f"{SPOOL}/private/queue/auth"
        if os.path.exists(path):
            os.unlink(path)
        self.listener.bind(path)
        self.listener.listen(5)
        self.listener.settimeout(20)
        ours, theirs = socket.socketpair()

        def child():
            os.dup2(theirs.fileno(), 3)
            os.closerange(4, 100)
        self.stderr = open("/mnt/nobodys.err", "w+b")
        self.proc = subprocess.Popen([f"{PREFIX}/libexec/merpati/{program}", "-c", CONF, "-n", program, "-g", "1"],
                                     preexec_fn=child, close_fds=False, stdin=subprocess.DEVNULL, stderr=self.stderr,
                                     env={"PATH": "/usr/bin:/bin", "MAIL_CONFIG": CONF,
                                          "ASAN_OPTIONS": "detect_leaks=0"})
        theirs.close()
        self.control = Conn(ours)
        test.addCleanup(self.close)

    def auth(self):
        """The connection that enlists."""
        c = Conn(self.listener.accept()[0])
        f = c.recv()
        assert (f.protocol, f.type, f.fields[1]) == (AUTH, ENLIST, b"imap"), f
        return c

    def said(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace")

    def uid(self):
        with open(f"/proc/{self.proc.pid}/status") as f:
            return int([l for l in f if l.startswith("Uid:")][0].split()[1])

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        self.listener.close()
        self.stderr.close()


def become(uid, gid, groups=(), home="/home/anna", mail="maildir:/home/anna/Maildir"):
    return (f_str(1, "anna") + f_u32(2, uid) + f_u32(3, gid) +
            field(4, U32S, struct.pack(f"<{len(groups)}I", *groups)) + f_str(5, home) + f_str(6, mail))


class Becoming(unittest.TestCase):
    def setUp(self):
        self.m = System(self)
        self.anna = self.m.unix_user("anna")

    def test_whom_nobody_becomes(self):
        uid, gid = self.anna.pw_uid, self.anna.pw_gid
        own = [self.m.account(s) for s in ("", "-net", "-auth", "-tls")]
        cases = [become(0, 0), become(0, gid), become(0xffffffff, gid), become(uid, 0xffffffff)]
        cases += [become(pw.pw_uid, gid) for pw in own] + [become(uid, pw.pw_gid) for pw in own]
        cases += [become(uid, gid, [27, own[0].pw_gid]), become(uid, gid, mail="nonsense"),
                  become(uid, gid, mail="maildir:/root/Maildir"), become(uid, gid, mail="maildir:/no/such/dir")]
        for body in cases:
            n = Nobodys(self)
            a = n.auth()
            a.send(AUTH, BECOME, body)
            f = a.recv()
            self.assertEqual((f.type, f.fields.get(1, 0)), (BECAME, 0), body)
            self.assertTrue(f.fields[2], "the reason")
            self.assertIsNone(a.recv())
            self.assertEqual(n.proc.wait(20), 0)                       # a user's trouble is not the service's
            self.assertIn("not started for anna", n.said())

    def test_garbage_from_auth(self):
        """What is no word of auth's leaves the process nobody's: it enlists anew."""
        n = Nobodys(self)
        for octets in (b"\0" * 64, b"GET / HTTP/1.0\r\n\r\n", frame(length=0x7fffffff), frame(protocol=AUTH, type_=99),
                       frame(become(self.anna.pw_uid, self.anna.pw_gid)[:30], protocol=AUTH, type_=BECOME),
                       frame(protocol=AUTH, type_=SESSION), b""):
            a = n.auth()
            if octets:
                a.sock.sendall(octets)
            a.close()
            self.assertIsNone(n.proc.poll())
            self.assertEqual(n.uid(), 0)
        n.auth()
        n.control.send(MASTER, STOP, f_str(1, "stop"))
        self.assertEqual(n.proc.wait(20), 0)

    def test_becomes_anna_for_good(self):
        n = Nobodys(self)
        self.assertEqual(n.control.recv().type, READY)
        a = n.auth()
        a.send(AUTH, BECOME, become(self.anna.pw_uid, self.anna.pw_gid, [27]))
        f = a.recv()
        self.assertEqual((f.type, f.fields), (BECAME, {1: 1}), n.said())
        self.assertEqual(n.uid(), self.anna.pw_uid)
        self.assertEqual(n.control.recv().fields.get(2), 1, "full for everybody else")
        self.assertEqual(os.stat("/home/anna/Maildir").st_uid, self.anna.pw_uid)
        # somebody else's session: refused, and the connection ends, as its auth is not to be trusted
        ours, theirs = socket.socketpair()
        a.send(AUTH, SESSION, f_str(1, "ben") + f_u32(2, self.anna.pw_uid + 1) + f_u32(3, 1) + f_str(5, "/") +
               f_str(6, "maildir:/x"), fds=[theirs.fileno()])
        theirs.close()
        self.assertEqual(ours.recv(100), b"")
        self.assertIsNone(a.recv())
        self.assertEqual(n.proc.wait(20), 0)
        self.assertIn("for a process of uid", n.said())

    def test_master_ends_while_it_waits(self):
        n = Nobodys(self)
        n.auth()
        n.control.close()
        self.assertEqual(n.proc.wait(20), 0)


main()
