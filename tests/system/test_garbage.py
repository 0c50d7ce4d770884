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
    def deferred_file(self, m):
        """A mail that waits in deferred/: its bytes, and its path."""
        m.send("a@c.example", ["x@elsewhere.example"], "Subject: victim\r\n\r\n" + "body line\r\n" * 20)
        return m.wait("a deferred mail", lambda: m.queue("deferred"))[0]

    def test_J01_damaged_files(self):
        print("seed", SEED)
        rnd = random.Random(SEED)
        m = Instance(self, main_cf={**FAST, "minimal_backoff_time": "1h", "maximal_backoff_time": "1h", "queue_run_delay": "1h"})
        m.user("anna")
        m.start()
        path = self.deferred_file(m)
        whole = open(path, "rb").read()
        st = os.stat(path)
        m.merpati("stop")
        os.unlink(path)
        n = len(os.path.basename(path))
        made, root = {}, os.path.join(m.spool, "incoming")
        alphabet = "0123456789BCDFGHJKLMNPQRSTVWXYZ"
        places = [("cut", k) for k in sorted(rnd.sample(range(len(whole)), 60))] + \
                 [("flip", k) for k in sorted(rnd.sample(range(len(whole)), 60))]
        hashed = os.path.relpath(os.path.dirname(path), os.path.join(m.spool, "deferred"))
        for i, (how, k) in enumerate(places):
            data = whole[:k] if how == "cut" else whole[:k] + bytes([whole[k] ^ (1 << rnd.randrange(8))]) + whole[k + 1:]
            ident = os.path.basename(path)[:-3] + "".join(rnd.choice(alphabet) for _ in range(3))
            at = os.path.join(root, hashed, ident)
            with open(at, "wb") as f:
                f.write(data)
            os.chown(at, st.st_uid, st.st_gid)
            os.chmod(at, st.st_mode & 0o777)
            made[ident] = (how, k)
        m.start()
        m.send("a@c.example", ["anna@example.test"])
        m.wait_mails("anna", 1)
        m.wait_idle(60)
        self.assertNotRegex(m.log(), r"killed by signal|panic:|Sanitizer")
        self.assertEqual(len(m.mails("anna")), 1)


main()
