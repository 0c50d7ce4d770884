"""smtp or lmtp on its own: qmgr, master's connecting and dnsd are made of Python.

    w = SmtpWorld(test, dns={("x.test", MX): [(10, "mx.x.test")], ("mx.x.test", A): ["127.0.0.1"]})
    r = w.deliver(["a@x.test"], nexthop="x.test")      [Result(status, dsn, text, ...)] in the order of recipients
"""
import os, socket, struct, subprocess, tempfile, threading

from fake_master import *  # noqa: F401,F403
from fake_queue import BOUNCED, DEFERRED, DELIVERED, f_u32s, f_u64s  # noqa: F401

A, MX, AAAA = 1, 15, 28
ANSWER, NO_NAME, NO_DATA, AGAIN, BAD_NAME = range(5)
QID = "4bcDFG123z456789"


def f_u64(tag, v):
    return field(tag, U64, struct.pack("<Q", v))


def f_i64(tag, v):
    return field(tag, I64, struct.pack("<q", v))


class Result:
    def __init__(self, status, dsn, text, mta, diagnostic, action):
        self.status, self.dsn, self.text = status, dsn.decode(), text.decode("utf-8", "replace")
        self.mta, self.diagnostic, self.action = mta.decode(), diagnostic.decode("utf-8", "replace"), action

    def __repr__(self):
        return f"<{['delivered', 'deferred', 'bounced'][self.status]} {self.dsn} {self.text}>"


class SmtpWorld:
    def __init__(self, test, main_cf="", dns=None, program="smtp", options=(), env=None, ipv4_only=True):
        self.test, self.dns, self.asked, self.dials, self.sockets = test, dns or {}, [], [], {}
        if ipv4_only:
            main_cf = "inet_protocols = ipv4\n" + main_cf
        self.m = FakeMaster(test, program, listen=(f"queue:{program}",), main_cf=main_cf, options=options, env=env)
        self.key, self.program = f"queue:{program}", program
        self.m.start()
        self.m.ready()
        self.lock, self.conn = threading.Lock(), None
        threading.Thread(target=self.master, daemon=True).start()

    # --- master: connects to dnsd and to sockets outside -------------------------------------------------
    def master(self):
        conn = self.m.control
        while True:
            try:
                f = conn.recv(3600)
            except OSError:
                return
            if f is None:
                return
            if f.type != DIAL:
                continue
            endpoint = f.fields[1].decode()
            self.dials.append(endpoint)
            if endpoint == "dns":
                ours, theirs = socket.socketpair()
                threading.Thread(target=self.dnsd, args=(Conn(ours),), daemon=True).start()
            elif endpoint in self.sockets:
                theirs = socket.socket(socket.AF_UNIX)
                theirs.connect(self.sockets[endpoint])
            else:
                conn.send(MASTER, DIALLED, f_bool(1, False) + f_str(2, "not allowed"), f.request)
                continue
            conn.send(MASTER, DIALLED, f_bool(1, True) + f_str(2, ""), f.request, [theirs.fileno()])
            theirs.close()

    def dnsd(self, conn):
        while True:
            try:
                f = conn.recv(3600)
            except OSError:
                return
            if f is None:
                return
            name, kind = f.fields[1].decode(), f.fields[2]
            with self.lock:
                self.asked.append((name, kind))
            got = self.dns.get((name, kind), NO_NAME)
            if isinstance(got, int):
                body = f_u32(1, got) + f_str(6, "no name server answered in time" if got == AGAIN else "")
            else:
                mx = [v if isinstance(v, tuple) else (0, v) for v in got]
                body = (f_u32(1, ANSWER) + f_u32s(2, [kind] * len(mx)) + f_u32s(3, [60] * len(mx)) +
                        f_u32s(4, [p for p, _ in mx]) + f_strs(5, [d for _, d in mx]) + f_str(7, name))
            conn.send(DNS, 2, body, f.request)

    # --- qmgr ---------------------------------------------------------------------------------------------
    def client(self):
        return self.m.client(self.key)

    def request(self, rcpts, nexthop, sender="from@here.test", content=b"Subject: test\n\nhello\n", flags=0,
                notify=None, orcpts=None, originals=None, envid="", ret=0, smtputf8=False, body_type="", conn=None,
                qid=QID, request=9, pad=0, arrival=0):
        """Send one; the file of the mail stays open until the daemon has it. The connection."""
        c = conn or self.client()
        n = len(rcpts)
        content_flags = (1 if any(b > 127 for b in content) else 0)
        with tempfile.TemporaryFile() as mail, tempfile.TemporaryFile() as log:
            mail.write(b"\0" * pad + content)
            mail.flush()
            self.log = os.dup(log.fileno())
            self.test.addCleanup(os.close, self.log)
            c.send(DELIVER, 1, f_str(1, qid) + f_str(2, "active") + f_u64(3, 7) + f_u32(4, flags) +
                   f_str(5, nexthop) + f_str(6, sender) + f_i64(7, int(arrival * 1e6)) + f_u64(8, pad) + f_u64(9, len(content)) +
                   f_u64(10, len(content) + content.count(b"\n")) + f_u32(11, content_flags) + f_str(12, envid) +
                   f_u32(13, ret) + f_str(14, body_type) + f_bool(15, smtputf8) +
                   f_u64s(16, [300 + i for i in range(n)]) + f_strs(17, rcpts) +
                   f_strs(18, originals or [""] * n) + f_strs(19, orcpts or [""] * n) +
                   f_u32s(20, notify or [0] * n) + f_str(27, self.program), request, [mail.fileno(), log.fileno()])
        return c

    def results(self, c, n, seconds=60):
        f = c.recv(seconds)
        if f is None:
            self.m.fail("no answer")
        self.test.assertEqual((f.protocol, f.type), (DELIVER, 2))
        x = f.fields
        self.test.assertEqual(x[1], [300 + i for i in range(n)])
        self.suspend = x.get(7, b"").decode()
        return [Result(*r) for r in zip(x[2], x[3], x[4], x[5], x[6], x[8])]

    def deliver(self, rcpts, nexthop="x.test", **kw):
        """A whole delivery, as the others by one connection of qmgr."""
        self.conn = self.request(rcpts, nexthop, conn=self.conn, **kw)
        return self.results(self.conn, len(rcpts))

    def records(self):
        """How many results stand in the done-log of the last request."""
        return os.pread(self.log, 1 << 20, 0).count(b"MDL1")

    def wait_log(self, text, seconds=15):
        return self.m.wait_log(text, seconds)


def one_host(server, name="x.test", host="mx.x.test"):
    """DNS of a domain with one server."""
    return {(name, MX): [(10, host)], (host, A): [server.ip]}


def hosts(servers, name="x.test"):
    """DNS of a domain with these servers, in this order of preference."""
    dns = {(name, MX): [(10 * (i + 1), f"mx{i + 1}.{name}") for i in range(len(servers))]}
    for i, s in enumerate(servers):
        dns[f"mx{i + 1}.{name}", A] = [s.ip]
    return dns
