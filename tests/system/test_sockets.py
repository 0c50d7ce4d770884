"""Internal sockets: garbage ends no process, strangers reach public ones only (ATTACKS J03, J04); reloads under load (X19)."""
import os, random, re, smtplib, socket, struct, sys, threading, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import Instance, main

PROTOCOLS = range(0, 16)


def frame(protocol, kind, body=b"", version=1, nfds=0):
    rest = struct.pack("<HBBHHI", protocol, version, nfds, kind, 0, 1) + body
    return struct.pack("<I", len(rest)) + rest


def field(tag, kind, octets, length=None):
    return struct.pack("<HBBI", tag, kind, 0, len(octets) if length is None else length) + octets


def garbage(rng):
    yield b""
    yield b"\0" * 64
    yield b"\xff" * 4096
    yield b"GET / HTTP/1.0\r\n\r\n"
    yield struct.pack("<I", 0xffffffff)
    yield struct.pack("<I", 12)                                # and silence
    yield rng.randbytes(3000)
    for protocol in PROTOCOLS:
        for kind in (0, 1, 2, 3, 5, 200):
            yield frame(protocol, kind)                        # every field missing
            yield frame(protocol, kind, field(1, 5, b"a\n\0\xff" * 10) + field(1, 5, b"twice"))
            yield frame(protocol, kind, field(1, 5, b"x", length=10 ** 6))
            yield frame(protocol, kind, field(1, 7, b"abc"))   # a list that is none
        yield frame(protocol, 1, field(1, 5, b"x"), version=99)
        yield frame(protocol, 1, field(1, 5, b"x"), nfds=4)    # descriptors that do not come
        yield frame(protocol, 1, field(2, 5, b"x" * 200000))


def sockets(m):
    for folder in ("public", "private/queue", "private/net", "private"):
        full = os.path.join(m.spool, folder)
        for name in sorted(os.listdir(full)):
            path = os.path.join(full, name)
            if not os.path.isdir(path):
                yield path


def throw(path, octets):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as s:
            s.settimeout(5)
            try:
                s.connect(path)
                s.sendall(octets)
                return
            except OSError:
                continue


class Garbage(unittest.TestCase):
    def test_nothing_ends(self):
        m = Instance(self)
        m.user("anna", "secret")
        m.start()
        rng = random.Random(1)
        before = set(m.pids())
        for path in sockets(m):
            for octets in garbage(rng):
                throw(path, octets)
        m.send("x@example.test", ["anna@example.test"])
        m.wait_mails("anna", 1)
        status = m.merpati("status").stdout.decode()
        for line in status.splitlines()[2:]:
            self.assertEqual(crashed(line), 0, line)
        self.assertLessEqual(before - set(m.pids()), set(), "a process ended")
        self.assertNotRegex(m.log(), r"killed by signal|exit status|panic:")


def crashed(line):
    """The column of `merpati status`."""
    numbers = re.findall(r"\b\d+\b", re.split(r"127\.|\[::1\]|public/", line)[0])
    return int(numbers[3])


class Strangers(unittest.TestCase):
    @unittest.skipUnless(os.getuid() == 0, "needs root to become a stranger")
    def test_only_public_is_reachable(self):
        m = Instance(self).start()
        paths, (r, w) = list(sockets(m)), os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setresgid(1, 1, 1)
            os.setresuid(1, 1, 1)
            for path in paths:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    try:
                        socket.socket(socket.AF_UNIX, kind).connect(path)
                        os.write(w, path.encode() + b"\n")
                        break
                    except OSError:
                        pass
            os._exit(0)
        os.close(w)
        os.waitpid(pid, 0)
        with os.fdopen(r) as f:
            reached = [os.path.relpath(p, m.spool) for p in f.read().split()]
        self.assertIn("public/pickup", reached)
        self.assertEqual([p for p in reached if not p.startswith("public/")], [])


class ReloadUnderLoad(unittest.TestCase):
    def test_acknowledged_mail_arrives(self):
        m = Instance(self)
        m.user("anna", "secret")
        m.start()
        acked, stop = [], threading.Event()

        def client(n):
            i = 0
            while not stop.is_set():
                i += 1
                try:
                    with smtplib.SMTP("127.0.0.1", m.port("smtp"), "client.example", 30) as s:
                        s.sendmail("x@example.test", ["anna@example.test"], f"Subject: {n}-{i}\r\n\r\nx\r\n")
                        acked.append(f"{n}-{i}")
                except (smtplib.SMTPException, OSError):
                    pass  # told to come back, or told to leave after its transaction: not acknowledged twice

        threads = [threading.Thread(target=client, args=(n,)) for n in range(3)]
        for t in threads:
            t.start()
        for i in range(10):
            m.merpati("reload")
        want = len(acked) + 5
        try:
            m.wait("mails after the last reload", lambda: len(acked) >= want, 60)
        finally:
            stop.set()
            for t in threads:
                t.join()
        m.wait_idle()
        subjects = [re.search(rb"(?m)^Subject: (\S+)", open(p, "rb").read()).group(1).decode() for p in m.mails("anna")]
        self.assertEqual(sorted(set(acked) - set(subjects)), [], "acknowledged and lost")
        self.assertEqual(len(subjects), len(set(subjects)), "doubles")
        self.assertNotRegex(m.log(), r"killed by signal|exit status|panic:")


if __name__ == "__main__":
    main()
