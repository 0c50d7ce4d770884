"""Rows J01-J04, J06: private sockets fed with garbage and queue files damaged at every place: no daemon dies,
mail goes on, a damaged file ends in corrupt/ or waits, and is never delivered in part."""
import glob, os, random, socket, struct, unittest
from fast import FAST
from instance import Instance, main

SEED = int(os.environ.get("MERPATI_SEED", random.SystemRandom().randrange(1 << 32)))


def frame(protocol, version, kind, body=b"", nfds=0, length=None):
    rest = struct.pack("<HBBHHI", protocol, version, nfds, kind, 0, 1) + body
    return struct.pack("<I", len(rest) if length is None else length) + rest


def field(tag, kind, data, length=None):
    return struct.pack("<HBBI", tag, kind, 0, len(data) if length is None else length) + data


class Sockets(unittest.TestCase):
    def test_J03_garbage_into_every_socket(self):
        print("seed", SEED)
        rnd = random.Random(SEED)
        m = Instance(self, main_cf=FAST)
        m.user("anna")
        m.start()
        m.send("a@c.example", ["anna@example.test"])
        m.wait_mails("anna", 1)
        # what each socket gets: noise, every protocol's frames with wrong bodies, lies about length, cut frames
        pieces = [b"", b"\0", b"\n" * 100, bytes(rnd.randrange(256) for _ in range(3000)), b"\xff" * 70000,
                  b"GET / HTTP/1.0\r\n\r\n", frame(1, 1, 1, length=0xffffffff), frame(1, 1, 1, length=0), frame(2, 9, 1),
                  frame(2, 1, 1)[:7], frame(2, 1, 1, nfds=200)]
        for protocol in range(1, 14):
            for kind in range(1, 14):
                pieces.append(frame(protocol, 1, kind))
                pieces.append(frame(protocol, 1, kind, b"".join(field(t, rnd.randrange(10), bytes(rnd.randrange(256) for _ in
                                                                range(rnd.choice((0, 1, 4, 8, 30))))) for t in range(1, 12))))
            pieces.append(frame(protocol, 1, 1, field(1, 4, b"x", 0xfffffff0)))
        before = {p: set(m.pids(p)) for p in ("master", "qmgr", "auth", "trivial-rewrite", "bounce", "showq", "pickup")}
        os.chdir(m.spool)
        paths = [p for p in glob.glob("private/*/*") + glob.glob("private/*") + glob.glob("public/*")
                 if os.path.exists(p) and not os.path.isdir(p)]
        self.assertGreater(len(paths), 15)
        for path in paths:
            for data in rnd.sample(pieces, 60):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    s = socket.socket(socket.AF_UNIX, kind)
                    s.settimeout(2)
                    try:
                        s.connect(path)
                        s.sendall(data)
                        break
                    except OSError:
                        continue
                    finally:
                        s.close()
        n = len(m.mails("anna"))
        m.send("a@c.example", ["anna@example.test"])
        m.wait_mails("anna", n + 1)
        self.assertNotRegex(m.log(), r"killed by signal|panic:|Sanitizer")
        for p, pids in before.items():
            self.assertEqual(set(m.pids(p)) & pids, pids, f"{p} died")

    def test_J04_permissions(self):
        m = Instance(self)
        m.start()
        self.assertEqual(os.stat(os.path.join(m.spool, "private")).st_mode & 0o077, 0)
        for p in glob.glob(os.path.join(m.spool, "private", "*")):
            if os.path.isdir(p):
                self.assertEqual(os.stat(p).st_mode & 0o077, 0, p)


class Files(unittest.TestCase):
    def test_J01_damaged_files(self):
        """Mails that wait in deferred/, each cut or with a bit flipped somewhere, then met by qmgr at start."""
        print("seed", SEED)
        rnd = random.Random(SEED)
        m = Instance(self, main_cf={**FAST, "minimal_backoff_time": "1h", "maximal_backoff_time": "1h",
                                    "queue_run_delay": "1h"})
        m.user("anna")
        m.start()
        with m.smtp() as s:
            for i in range(60):
                s.sendmail("a@c.example", ["x@elsewhere.example"], f"Subject: victim {i}\r\n\r\n" + "body\r\n" * 20)
        m.wait("all wait", lambda: len(m.queue("deferred")) == 60 and not m.queue("incoming", "active"))
        m.merpati("stop")
        whole = {}
        for i, path in enumerate(m.queue("deferred")):
            with open(path, "rb") as f:
                data = whole[os.path.basename(path)] = f.read()
            k = rnd.randrange(len(data))
            data = data[:k] if i % 2 else data[:k] + bytes([data[k] ^ (1 << rnd.randrange(8))]) + data[k + 1:]
            with open(path, "wb") as f:
                f.write(data)
            os.utime(path, (1, 1))                          # a file that was never finished is swept when old
            os.rename(path, path.replace("/deferred/", "/incoming/"))
        m.start()
        m.send("a@c.example", ["anna@example.test"])
        m.wait_mails("anna", 1)
        m.wait_idle(60)
        self.assertNotRegex(m.log(), r"killed by signal|panic:|Sanitizer")
        self.assertEqual(len(m.mails("anna")), 1)
        left = m.queue("deferred", "corrupt", "hold")
        short = sum(1 for i in m.log().splitlines() if "never acknowledged" in i)
        self.assertEqual(len(left) + short, 60, "damaged mail is kept for the admin, unfinished mail is not")
        print(len(m.queue("corrupt")), "of 60 in corrupt/")
        self.assertGreater(len(m.queue("corrupt")), 30)


main()
