"""The daemon skeleton (lib/server), shown with a daemon made for it: start, jail, dial, limits, end."""
import os, signal, socket, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import *  # noqa: E402,F403
from instance import main, prefix, wait_for  # noqa: E402

ECHO = os.path.join(os.environ.get("MERPATI_BUILD", ""), "tests/daemon/echo")
KEY = "queue:echo"


def ask(conn, verb):
    f = conn.call(REWRITE, 1, f_str(1, verb))
    return None if f is None else f.fields[3].decode()


@unittest.skipUnless(os.path.exists(ECHO), "needs a build tree")
class ServerLife(unittest.TestCase):
    def master(self, listen=(KEY,), **kw):
        m = FakeMaster(self, "echo", listen=listen, path=ECHO, **kw)
        return m

    def test_ready_serve_stop(self):
        with self.master() as m:
            self.assertEqual(m.ready().fields, {1: 3})
            c = m.client(KEY)
            self.assertEqual(ask(c, "hi there"), "echo queue state hi there")
            self.assertEqual(ask(c, "again"), "echo queue state again")
            c.close()
            m.stop()
            self.assertEqual(m.wait(), 0)
            m.wait_log("stopping: service=echo")

    def test_full_and_free(self):
        with self.master(options=["client_limit=2"]) as m:
            self.assertEqual(m.ready().fields, {1: 2})
            a, b = m.client(KEY), m.client(KEY)
            ask(a, "x"), ask(b, "x")
            self.assertEqual(m.control.recv().fields, {1: 1})          # the first session of its life
            self.assertEqual(m.control.recv().fields, {1: 2, 2: 1})
            c = m.client(KEY)
            c.send(REWRITE, 1, f_str(1, "late"))
            with self.assertRaises(TimeoutError):
                c.recv(0.2)
            a.close()
            self.assertEqual(m.control.recv().fields.get(2), None)
            self.assertEqual(c.recv().fields[3], b"echo queue state late")

    def test_two_listeners_one_place(self):
        with self.master(listen=("queue:echo", "public:echo"), options=["client_limit=1"]) as m:
            m.ready()
            for key, kind in (("public:echo", "public"), ("queue:echo", "queue"), ("public:echo", "public")):
                c = m.client(key)
                self.assertEqual(ask(c, "x"), f"echo {kind} state x")
                c.close()

    def test_reload_finishes_requests(self):
        with self.master() as m:
            m.ready()
            busy, idle = m.client(KEY), m.client(KEY)
            self.assertEqual(ask(idle, "idle"), "idle")
            self.assertEqual(ask(busy, "x"), "echo queue state x")
            m.stop("reload")
            self.assertIsNone(idle.recv())          # told to be idle: gone at once
            self.assertEqual(ask(busy, "last"), "echo queue state last")
            self.assertIsNone(busy.recv())          # the handler saw that the process stops
            self.assertEqual(m.wait(), 0)

    def test_stop_cancels_what_takes_too_long(self):
        with self.master() as m:
            m.ready()
            c = m.client(KEY)
            c.send(REWRITE, 1, f_str(1, "work"))
            c2 = m.client(KEY)
            ask(c2, "x")
            m.proc.send_signal(signal.SIGTERM)
            self.assertEqual(m.wait(15), 0)

    def test_stop_cuts_off_what_does_not_end(self):
        with self.master() as m:
            m.ready()
            m.client(KEY).send(REWRITE, 1, f_str(1, "stubborn"))
            c2 = m.client(KEY)
            ask(c2, "x")
            m.proc.send_signal(signal.SIGTERM)
            self.assertEqual(m.wait(20), 0)
            m.wait_log("1 connections and 0 sessions did not end in time")

    def test_death_of_master(self):
        with self.master() as m:
            m.ready()
            c = m.client(KEY)
            self.assertEqual(ask(c, "idle"), "idle")
            m.control.close()
            self.assertEqual(m.wait(), 0)

    def test_idle_and_used_up(self):
        with self.master(options=["max_idle=1s"]) as m:
            m.ready()
            self.assertEqual(m.wait(), 0)
        with self.master(options=["max_use=2", "client_limit=1", "max_idle=0"]) as m:
            m.ready()
            for _ in range(2):
                c = m.client(KEY)
                ask(c, "x")
                c.close()
            self.assertEqual(m.wait(), 0)

    def test_dial_here(self):
        with self.master() as m:
            m.ready()
            other = socket.socket(socket.AF_UNIX)
            other.bind(os.path.join(m.dir, "private/queue/other"))
            if os.getuid() == 0:
                os.chmod(os.path.join(m.dir, "private/queue/other"), 0o666)
            other.listen(1)
            c = m.client(KEY)
            self.assertEqual(ask(c, "dial other"), "dialled")
            peer = other.accept()[0]
            self.assertEqual(peer.recv(10), b"hello")
            peer.close()
            self.assertIn("No such file", ask(c, "dial nowhere"))
            other.close()

    def test_dial_through_master(self):
        with self.master(listen=("net:echo",)) as m:
            m.ready()
            c = m.client("net:echo")
            c.send(REWRITE, 1, f_str(1, "dial cleanup"))
            self.assertEqual(m.control.recv().fields, {1: 1})
            f = m.control.recv()
            self.assertEqual((f.type, f.fields), (DIAL, {1: b"cleanup"}))
            ours, theirs = socket.socketpair()
            self.addCleanup(ours.close)
            self.addCleanup(theirs.close)
            m.control.send(MASTER, DIALLED, f_bool(1, True), request=f.request, fds=[theirs.fileno()])
            self.assertEqual(c.recv().fields[3], b"dialled")
            self.assertEqual(ours.recv(10), b"hello")
            c.send(REWRITE, 1, f_str(1, "dial qmgr"))
            f = m.control.recv()
            m.control.send(MASTER, DIALLED, f_str(2, "not for you"), request=f.request)
            self.assertEqual(c.recv().fields[3], b"failed: master: not for you")

    @unittest.skipIf(sanitized(ECHO), "the filter only logs under sanitizers")
    def test_jail_holds(self):
        m = self.master()
        os.mkdir(os.path.join(m.dir, "allowed"))
        for n in ("allowed/file", "other"):
            with open(os.path.join(m.dir, n), "w") as f:
                f.write("x")
        with m:
            m.ready()
            c = m.client(KEY)
            self.assertEqual(ask(c, "read allowed/file"), "open")
            self.assertEqual(ask(c, "read other"), "Permission denied")
            self.assertEqual(ask(c, "read /etc/passwd"), "Permission denied")
            with open(f"/proc/{m.proc.pid}/status") as f:
                status = f.read()
            self.assertIn("NoNewPrivs:\t1", status)
            self.assertIn("Seccomp:\t2", status)
            self.assertIsNone(ask(c, "exec"))
            self.assertEqual(m.wait(), -signal.SIGSYS)

    def test_start_errors(self):
        m = self.master(options=["nonsense"])
        m.start()
        self.assertEqual(m.wait(), 78)
        self.assertTrue([l for l in m.poll_log() if "fatal: " in l])
        m = self.master(args=["-c"])
        m.start()
        self.assertEqual(m.wait(), 64)

    def test_by_hand(self):
        import subprocess
        r = subprocess.run([ECHO], stdin=subprocess.DEVNULL, capture_output=True, env={}, close_fds=True)
        self.assertEqual(r.returncode, 64)
        self.assertIn(b"started by master", r.stderr)

    def test_broken_frames_end_the_connection_only(self):
        with self.master() as m:
            m.ready()
            for octets in (b"\0" * 16, b"\xff" * 64, b"\x0c\0\0\0" + b"\3\0\1\7\1\0\0\0\0\0\0\0"):
                c = m.client(KEY)
                c.sock.sendall(octets)
                self.assertIsNone(c.recv())
            c = m.client(KEY)
            self.assertEqual(ask(c, "still"), "echo queue state still")


main()
