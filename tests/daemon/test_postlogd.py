"""postlogd, one process with fake senders: lines reach the file whole, clean, once, also over a rotation."""
import os, pwd, socket, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import *  # noqa: E402,F403
from instance import main, program, wait_for  # noqa: E402

LINE = "Nov 23 08:00:00 host merpati/smtpd[1]: "


class Postlogd(unittest.TestCase):
    def daemon(self, main_cf="", **kw):
        m = FakeMaster(self, "postlogd", dgram=["public:postlog"], **kw)
        self.file = os.path.join(m.dir, "mail.log")
        with open(os.path.join(m.dir, "main.cf"), "a") as f:
            f.write(f"maillog_file = {self.file}\nmaillog_file_prefixes = {m.dir}\n{main_cf}\n")
        return m

    def sender(self, m):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.connect(m._path("public:postlog"))
        self.addCleanup(s.close)
        return s

    def lines(self, file=None):
        with open(file or self.file, "rb") as f:
            return f.read().split(b"\n")[:-1]

    def wait_lines(self, n, file=None):
        return wait_for(f"{n} lines", lambda: len(self.lines(file)) >= n and self.lines(file))

    def test_lines_are_clean(self):
        with self.daemon() as m:
            m.ready()
            s = self.sender(m)
            s.send((LINE + "plain\n").encode())
            s.send((LINE + "forged\nNov 23 08:00:00 host merpati/auth[9]: root signed in").encode())
            s.send(LINE.encode() + b"\x1b[2J\xff\x00 \xc3\xbc")
            s.send(LINE.encode() + b"x" * 5000)
            s.send(b"")
            s.send(b"\n")
            s.send((LINE + "end").encode())
            got = self.wait_lines(5)
            self.assertEqual(len(got), 5)
            self.assertEqual(got[0].decode(), LINE + "plain")
            self.assertEqual(got[1].decode(),
                             LINE + "forged?Nov 23 08:00:00 host merpati/auth[9]: root signed in")
            self.assertEqual(got[2], LINE.encode() + b"?[2J?? \xc3\xbc")
            self.assertEqual(len(got[3]), 2000)
            self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o600)
            m.stop()
            self.assertEqual(m.wait(), 0)

    def test_many_and_the_last_ones(self):
        with self.daemon() as m:
            m.ready()
            s = self.sender(m)
            for i in range(3000):
                s.send(f"{LINE}number {i}".encode())
            m.stop()
            self.assertEqual(m.wait(), 0)
            self.assertEqual([l.decode() for l in self.lines()], [f"{LINE}number {i}" for i in range(3000)])

    def test_rotation(self):
        with self.daemon(main_cf="maillog_file_permissions = 0640") as m:
            m.ready()
            s = self.sender(m)
            s.send((LINE + "old").encode())
            self.wait_lines(1)
            os.rename(self.file, self.file + ".1")

            def again():
                s.send((LINE + "new").encode())
                return os.path.exists(self.file)
            wait_for("a new file", again)
            self.wait_lines(1)
            self.assertEqual(self.lines(self.file + ".1")[0].decode(), LINE + "old")
            self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o640)

    def test_wrong_parameters(self):
        m = self.daemon(main_cf="maillog_file = /etc/shadow2")
        m.start()
        self.assertEqual(m.wait(), 78)
        m = self.daemon(main_cf="maillog_file_permissions = 0666")
        m.start()
        self.assertEqual(m.wait(), 78)

    def test_symlink_is_not_followed(self):
        m = self.daemon()
        victim = os.path.join(m.dir, "victim")
        os.symlink(victim, self.file)
        m.start()
        self.assertNotEqual(m.wait(), 0)
        self.assertFalse(os.path.exists(victim))

    @unittest.skipUnless(faults(program("postlogd")), "needs fault hooks")
    def test_full_disk(self):
        m = self.daemon(env={"MERPATI_FAULT": "postlogd:write:*/mail.log:1:ENOSPC"})
        with m:
            m.ready()
            self.sender(m).send((LINE + "kept").encode())
            self.assertEqual(self.wait_lines(1)[0].decode(), LINE + "kept")

    def test_postlog_command(self):
        with self.daemon() as m:
            m.ready()
            if os.getuid() == 0:
                os.chmod(m.dir, 0o755)
                os.chmod(m._path("public:postlog"), 0o666)
            run = lambda *a, **k: subprocess.run([program("postlog"), "-c", m.dir, *a], capture_output=True, **k)
            self.assertEqual(run("-p", "warn", "-t", "script", "hello", "world").returncode, 0)
            self.assertEqual(run(input=b"one\ntwo \x07\n\n").returncode, 0)
            got = [l.decode() for l in self.wait_lines(3)]
            self.assertRegex(got[0], r" script\[\d+\]: warning: hello world$")
            self.assertRegex(got[1], r" merpati/postlog\[\d+\]: one$")
            self.assertRegex(got[2], r" merpati/postlog\[\d+\]: two \?$")
            self.assertEqual(run("-p", "loud", "x").returncode, 64)
            self.assertEqual(run("-Z").returncode, 64)
        r = subprocess.run([program("postlog"), "-c", "/nonexistent", "x"], capture_output=True)
        self.assertEqual(r.returncode, 78)

    def test_postlog_without_postlogd(self):
        m = self.daemon()
        r = subprocess.run([program("postlog"), "-c", m.dir, "-t", "t", "lost?"], capture_output=True)
        m.listeners["public:postlog"].close()
        r = subprocess.run([program("postlog"), "-c", m.dir, "-t", "t", "shown"], capture_output=True)
        self.assertEqual((r.returncode, r.stderr), (69, b"t: shown\n"))


main()
