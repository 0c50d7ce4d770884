"""Peers of cleanup and pickup made of Python, and a reader of queue files.

    r = FakeRewrite(m); q = FakeQmgr(m)        before m.start(): sockets private/queue/rewrite and .../qmgr
    mail = QueueFile(path)                     .sender .rcpts .content .facts .flags .nonce
"""
import os, socket, struct, threading

from fake_master import CLEANUP, QMGR, REWRITE, Conn, f_bool, f_str, f_strs, f_u32, field


def f_u64(tag, v):
    return field(tag, 2, struct.pack("<Q", v))


def f_i64(tag, v):
    return field(tag, 3, struct.pack("<q", v))


class FakeService:
    """Listens as private/queue/NAME; answer(frame, conn) runs in a thread for each connection."""
    name = None

    def __init__(self, m):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.bind(os.path.join(m.dir, "private/queue", self.name))
        self.sock.listen(64)
        self.frames, self.open = [], []
        m.test.addCleanup(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            self.open.append(s)
            threading.Thread(target=self._serve, args=(Conn(s),), daemon=True).start()

    def _serve(self, conn):
        try:
            while True:
                f = conn.recv(3600)
                if f is None:
                    return
                self.frames.append(f)
                self.answer(f, conn)
        except OSError:
            pass
        finally:
            conn.close()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for s in [self.sock] + self.open:
            s.close()


class FakeRewrite(FakeService):
    """user -> user@example.test; user@host -> user@host.example.test; "broken" -> temporary trouble."""
    name = "rewrite"
    fail = False

    def canonical(self, a):
        a = a.decode()
        if "@" not in a:
            a += "@example.test"
        local, domain = a.rsplit("@", 1)
        if "." not in domain:
            domain += ".example.test"
        return f"{local}@{domain}"

    def answer(self, f, conn):
        if self.fail:
            body = f_bool(1, False) + f_str(3, "table is broken")
        else:
            body = f_bool(1, True) + f_strs(2, [self.canonical(a) for a in f.fields.get(2, [])])
        conn.send(REWRITE, 2, body, f.request)


class FakeQmgr(FakeService):
    name = "qmgr"

    @property
    def arrived(self):
        return [f.fields[1].decode() for f in self.frames if f.type == 3]

    def answer(self, f, conn):
        if f.type == 1:
            conn.send(QMGR, 2, f_u32(1, 100), f.request)


def crc32c(data, crc=0):
    crc ^= 0xffffffff
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xffffffff


class QueueFile:
    def __init__(self, path):
        with open(path, "rb") as f:
            d = f.read()
        assert d[:8] == b"MERPATIQ", "no header"
        assert struct.unpack_from("<I", d, 252)[0] == crc32c(d[:252])
        (self.nonce, co, cs, self.crlf_size, eo, es, ro, self.longest) = struct.unpack_from("<8Q", d, 16)
        (self.arrival_us,) = struct.unpack_from("<q", d, 80)
        self.content_flags, self.flags, n, ccrc, _ = struct.unpack_from("<5I", d, 88)
        self.id = d[108:140].rstrip(b"\0").decode()
        self.content = d[co:co + cs]
        assert crc32c(self.content) == ccrc and eo + es == len(d)
        self.facts, self.rcpts, self.records, at = {}, [], [], eo
        while at < len(d):
            t, cell, length = chr(d[at]), d[at + 1], struct.unpack_from("<I", d, at + 4)[0]
            data = d[at + 8:at + 8 + length]
            if t == "R":
                notify, a, o, c = struct.unpack_from("<4I", data)
                addr, orig = data[16:16 + a].decode(), data[16 + a:16 + a + o].decode()
                if cell == 0:
                    self.rcpts.append(addr)
                self.records.append({"offset": at, "cell": cell, "address": addr, "original": orig or addr,
                                     "notify": notify, "orcpt": data[16 + a + o:].decode()})
            elif t != "!":
                self.facts[t] = data
            at += 8 + length
        assert len(self.records) == n
        self.sender = self.facts.get("S", b"").decode()

    def header(self, name):
        """Bodies of all header fields NAME, unfolded."""
        head = self.content.split(b"\n\n", 1)[0].decode("utf-8", "replace").replace("\n ", " ").replace("\n\t", " ")
        return [l.split(":", 1)[1].strip() for l in head.split("\n") if l.lower().startswith(name.lower() + ":")]


def mails(m, queue="incoming"):
    """Every finished queue file of a spool directory, by id."""
    found = {}
    for top, _, files in os.walk(os.path.join(m.dir, queue)):
        for f in files:
            mail = QueueFile(os.path.join(top, f))
            assert mail.id == f
            found[f] = mail
    return found


class CleanupClient:
    """One connection to cleanup."""

    def __init__(self, conn):
        self.conn = conn

    def open(self, sender="anna@example.test", **f):
        tags = {"flags": 2, "smtputf8": 3, "body_type": 4, "envid": 5, "ret": 6, "client_name": 7, "client_addr": 8,
                "client_port": 9, "helo_name": 10, "protocol": 11, "context": 12, "full_name": 13,
                "parent_nonce": 14, "parent_offset": 15, "expansion": 16, "arrival_us": 18, "uid": 19, "origin": 22}
        body = f_str(1, sender)
        for k, v in f.items():
            if isinstance(v, bool):
                body += f_bool(tags[k], v)
            elif k in ("parent_nonce", "parent_offset"):
                body += f_u64(tags[k], v)
            elif k in ("arrival_us", "uid"):
                body += f_i64(tags[k], v)
            elif isinstance(v, int):
                body += f_u32(tags[k], v)
            else:
                body += f_str(tags[k], v)
        self.conn.send(CLEANUP, 1, body)
        r = self.conn.recv()
        return r and r.fields

    def rcpt(self, address, original="", orcpt="", notify=0, expanded=False):
        self.conn.send(CLEANUP, 3, f_str(1, address) + f_str(2, original) + f_str(3, orcpt) + f_u32(4, notify) +
                       f_bool(5, expanded))

    def data(self, octets):
        self.conn.send(CLEANUP, 4, f_str(1, octets))

    def end(self):
        self.conn.send(CLEANUP, 5)
        r = self.conn.recv()
        return r and r.fields

    def mail(self, content, rcpts=("bob@example.test",), sender="anna@example.test", **f):
        """A whole mail; the fields of the result (1 status, 2 dsn, 3 text, 4 id, 5 code)."""
        self.open(sender, **f)
        for r in rcpts:
            self.rcpt(*r) if isinstance(r, tuple) else self.rcpt(r)
        self.data(content)
        return self.end()
