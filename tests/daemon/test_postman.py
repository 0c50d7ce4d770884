"""The real postman between a fake auth and fake clients: what it does for whom, and what no request can make it do."""
import os, pwd, signal, socket, struct, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import AUTH, I64, STR, U64, Conn, FakeMaster, f_str, f_strs, f_u32, field, owner, wait_for  # noqa: E402
from instance import main  # noqa: E402

POSTMAN = 13
WELCOME, COMMAND, ENDED, FILE, MAILBOX, WRITTEN, READ, TEXT = range(1, 9)
ENLIST, ROOM, SESSION = 9, 10, 11
EXITED, SIGNALLED, TIMED_OUT, NOT_RUN = range(4)
SENT, DEFERRED, BOUNCED = 1, 2, 3
ME = pwd.getpwnam(owner())


def f_i64(tag, v):
    return field(tag, I64, struct.pack("<q", v))


def f_u64(tag, v):
    return field(tag, U64, struct.pack("<Q", v))


class Postman(unittest.TestCase):
    def setUp(self):
        self.m = FakeMaster(self, "postman")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(self.m.dir, "private/queue/auth"))
        self.listener.listen(8)
        self.listener.settimeout(20)
        self.addCleanup(self.listener.close)
        self.m.start()
        self.auth = self.enlisted()
        self.out = os.path.join(self.m.dir, "out")
        os.mkdir(self.out)
        os.chown(self.out, ME.pw_uid, ME.pw_gid)

    def enlisted(self):
        sock, _ = self.listener.accept()
        self.addCleanup(sock.close)
        c = Conn(sock)
        f = c.recv()
        self.assertEqual((f.protocol, f.type, f.fields), (AUTH, ENLIST, {1: b"postman", 2: 50}))
        return c

    def session(self, uid=None, auth=None):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        (auth or self.auth).send(AUTH, SESSION, f_str(1, "anna") + f_u32(2, ME.pw_uid if uid is None else uid) +
                                 f_u32(3, ME.pw_gid) + f_str(10, "QID"), fds=[theirs.fileno()])
        theirs.close()
        return Conn(ours)

    def client(self):
        c = self.session()
        f = c.recv()
        self.assertEqual((f.protocol, f.type, f.fields), (POSTMAN, WELCOME, {1: ME.pw_uid, 2: ME.pw_gid}))
        return c

    def mail(self, text=b"Subject: x\n\nx\n"):
        path = os.path.join(self.m.dir, "mail")
        with open(path, "wb") as f:
            f.write(text)
        fd = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        return fd

    def command(self, c, command, limit_ms=20000, env=("PATH=/usr/bin:/bin",), fds=None, more=b""):
        c.send(POSTMAN, COMMAND, f_str(1, "QID") + f_str(2, command) + f_strs(5, env) + f_i64(6, limit_ms) + more,
               request=7, fds=[self.mail()] if fds is None else fds)

    def ended(self, c):
        f = c.recv(30)
        self.assertEqual((f.protocol, f.type, f.request), (POSTMAN, ENDED, 7))
        return f.fields.get(1, 0), f.fields.get(2, 0), f.fields.get(3, b"")

    def alive(self):
        """It still works, whatever came before."""
        c = self.client()
        self.command(c, "cat")
        self.assertEqual(self.ended(c), (EXITED, 0, b"Subject: x\n\nx\n"))
        c.close()

    def test_commands(self):
        c = self.client()
        for command, want in (("cat", (EXITED, 0, b"Subject: x\n\nx\n")), ("exit 5", (EXITED, 5, b"")),
                              ("kill -9 $$", (SIGNALLED, 9, b"")), ("echo out; echo err >&2", (EXITED, 0, b"out\nerr\n"))):
            self.command(c, command)
            self.assertEqual(self.ended(c), want)
        self.command(c, "sleep 1000", limit_ms=50)
        self.assertEqual(self.ended(c)[0], TIMED_OUT)
        self.command(c, "/nonexistent")
        end, _, why = self.ended(c)
        self.assertEqual(end, NOT_RUN)
        self.assertIn(b"No such file", why)
        self.command(c, "yes | head -c 100000", env=["PATH=/usr/bin:/bin", "LC_ALL=C"])
        self.assertEqual(self.ended(c), (EXITED, 0, b"y\n" * 2048))

    def test_bad_requests(self):
        mail = self.mail()
        bad = [
            (POSTMAN, 99, b"", []), (AUTH, COMMAND, b"", []), (POSTMAN, WELCOME, b"", []), (POSTMAN, ENDED, b"", []),
            (POSTMAN, COMMAND, b"\xff" * 30, []), (POSTMAN, FILE, b"", []), (POSTMAN, FILE, f_str(7, "/x"), [mail]),
            (POSTMAN, MAILBOX, b"", []), (POSTMAN, READ, f_strs(1, ["/x"] * 17), []),
            (POSTMAN, READ, f_strs(1, ["/x"]) + f_u32(2, 7), []), (POSTMAN, READ, f_u64(3, 1 << 40), []),
        ]
        for protocol, type_, body, fds in bad:
            c = self.client()
            c.send(protocol, type_, body, fds=fds)
            self.assertIsNone(c.recv(), (protocol, type_, body))
        for octets in (b"\0" * 16, b"\xff" * 64, b"\x0c\0\0\0" + b"\3\0\1\7\1\0\0\0\0\0\0\0"):
            c = self.client()
            c.sock.sendall(octets)
            self.assertIsNone(c.recv())
        for kw in ({"fds": []}, {"limit_ms": 0}, {"limit_ms": -1}, {"env": ["A=1"] * 1001}):
            c = self.client()
            self.command(c, "cat", **kw)
            self.assertEqual(self.ended(c)[0], NOT_RUN)
        self.alive()

    def test_bad_files(self):
        def ask(path, **kw):
            c = self.client()
            c.send(POSTMAN, FILE, f_str(1, "QID") + f_u64(5, 14) + f_str(6, "From x  now\n") + f_str(7, path) +
                   f_u32(8, 5) + f_u32(9, 1) + f_i64(10, 1) + f_i64(11, 500), fds=[self.mail()], request=3)
            f = c.recv()
            self.assertEqual((f.type, f.request), (WRITTEN, 3))
            return f.fields
        for path in ("relative", "", "/", "/tmp/", "/" + "x" * 300, "/nonexistent/x", "/a\0b"):
            f = ask(path)
            self.assertEqual(f.get(1), DEFERRED, path)
        self.assertEqual(ask(f"{self.out}/box").get(1), SENT)
        with open(f"{self.out}/box") as f:
            self.assertEqual(f.read(), "From x  now\nSubject: x\n\nx\n\n")
        for location in ("maildir:relative", "mbox:/x", "", "maildir:/proc/1/x", "x" * 5000):
            c = self.client()
            c.send(POSTMAN, MAILBOX, f_u64(5, 14) + f_str(9, "a@b") + f_str(14, location), fds=[self.mail()])
            self.assertEqual(c.recv().fields.get(1), DEFERRED, location)
        self.alive()

    def test_sessions_of_others(self):
        c = self.session(uid=ME.pw_uid + 1)
        self.assertIsNone(c.recv())
        self.m.wait_log(f"a session of uid {ME.pw_uid + 1}")
        self.auth = self.enlisted()      # whatever sent that is not believed any more
        c = self.session(uid=0)
        self.assertIsNone(c.recv())
        self.auth = self.enlisted()
        self.alive()

    def test_room(self):
        held = [self.client() for _ in range(50)]
        for c in held[:3]:
            c.close()
        for _ in range(3):
            f = self.auth.recv()
            self.assertEqual((f.type, f.fields), (ROOM, {1: 1}))
        # fifty at once, and one that hangs keeps none of the others
        self.command(held[3], "sleep 1000")
        for c in held[4:]:
            self.command(c, "cat")
        for c in held[4:]:
            self.assertEqual(self.ended(c)[:2], (EXITED, 0))

    def test_client_leaves(self):
        pids = os.path.join(self.out, "pid")
        c = self.client()
        self.command(c, f"echo $$ >{pids}; sleep 1000")
        pid = int(wait_for("a pid", lambda: os.path.exists(pids) and open(pids).read()))
        c.close()
        wait_for("the end of the command", lambda: not os.path.exists(f"/proc/{pid}"))
        self.alive()

    def test_stop(self):
        pids = os.path.join(self.out, "pid")
        c, quick = self.client(), self.client()
        self.command(c, f"echo $$ >{pids}; sleep 1000")
        pid = int(wait_for("a pid", lambda: os.path.exists(pids) and open(pids).read()))
        self.command(quick, "sleep 0.2; echo done")
        self.m.stop()
        self.assertEqual(self.ended(quick), (EXITED, 0, b"done\n"))  # there is a moment to finish
        self.assertEqual(self.ended(c), (NOT_RUN, 0, b"it was ended, as the mail system stops"))
        self.assertEqual(self.m.wait(), 0)
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_auth_goes(self):
        c = self.client()
        self.command(c, "sleep 0.5; echo x")
        self.auth.close()
        self.auth = self.enlisted_again()
        self.assertEqual(self.ended(c), (EXITED, 0, b"x\n"))
        self.alive()

    def enlisted_again(self):
        sock, _ = self.listener.accept()
        self.addCleanup(sock.close)
        a = Conn(sock)
        f = a.recv()
        self.assertEqual((f.type, f.fields), (ENLIST, {1: b"postman", 2: 49}))
        return a

    def test_fault_before_welcome(self):
        # killed by the kernel's hand: who waits sees the end of the connection, not silence
        c = self.client()
        self.command(c, "sleep 1000")
        os.kill(self.m.proc.pid, signal.SIGKILL)
        self.assertIsNone(c.recv())


main()
