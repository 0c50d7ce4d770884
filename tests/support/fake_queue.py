"""qmgr on its own, between peers made of Python: trivial-rewrite, bounce, and delivery agents.

    with QueueWorld(test) as w:
        w.agent("local")
        qid = w.mail("from@example.test", ["ok@local.test"])
        w.start()
        w.arrived(qid)
        w.wait_log(f"{qid}: removed")

Recipients go to the transport that the domain's first label names ("x@local.test" -> local). What becomes of
one is in its local part: ok, bounce, defer, crash (the agent breaks off), done (writes the done-log, then
breaks off), once (breaks off at the first request only), expanded, passed and
relayed (delivered with that action), slow (w.most is how many ran at once), hang (until
w.release is set), late and cut (hang, then break off the first time, with and without a line in the
done-log), dead (the whole destination fails).
"""
import os, socket, stat, struct, subprocess, threading, time

from fake_master import *  # noqa: F401,F403
from instance import owner, prefix

MKMAIL = os.path.join(os.environ.get("MERPATI_BUILD", ""), "tests/daemon/mkmail")
DELIVERED, DEFERRED, BOUNCED = 0, 1, 2
ACTIONS = {"relayed": 1, "expanded": 2, "passed": 3}


def f_u64s(tag, vs):
    return field(tag, U64S, struct.pack(f"<{len(vs)}Q", *vs))


def f_u32s(tag, vs):
    return field(tag, U32S, struct.pack(f"<{len(vs)}I", *vs))


def crc32c(data):
    crc = 0xffffffff
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def done_record(qid, nonce, offset, result, dsn=b"2.0.0", text=b"done", action=0):
    qid = qid.encode()
    n = 40 + len(qid) + len(dsn) + len(text) + 4
    r = b"MDL1" + struct.pack("<IQQQBBBBHH", n, nonce, offset, int(time.time() * 1e6), result, len(qid), len(dsn), action,
                              len(text), 0) + qid + dsn + text
    return r + struct.pack("<I", crc32c(r))


class Service(threading.Thread):
    """A unix socket in private/queue/, one thread a connection."""

    def __init__(self, world, name, handler):
        super().__init__(daemon=True)
        self.world, self.name_, self.handler, self.conns = world, name, handler, []
        path = os.path.join(world.m.dir, "private/queue", name)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.bind(path)
        os.chmod(path, 0o777)
        self.sock.listen(200)
        self.start()

    def run(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            self.conns.append(s)
            threading.Thread(target=self.serve, args=(Conn(s),), daemon=True).start()

    def serve(self, conn):
        conn.done_log = None
        try:
            while True:
                f = conn.recv(3600)
                if f is None or not self.handler(conn, f):
                    break
        except OSError:
            pass
        finally:
            if conn.done_log is not None:
                os.close(conn.done_log)
            conn.close()

    def close(self):
        self.sock.close()
        for s in self.conns:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class QueueWorld:
    def __init__(self, test, main_cf="", env=None, services=("rewrite", "bounce")):
        self.test = test
        self.m = FakeMaster(test, "qmgr", listen=("queue:qmgr", "public:qmgr"), main_cf=main_cf, env=env)
        self.services, self.requests, self.seen = {}, [], {}
        self.times = []  # of .requests, monotonic
        self.appends, self.actions, self.flushes, self.forgets = [], [], [], []
        self.running = self.most = 0
        self.bounce_ok, self.release, self.lock = True, threading.Event(), threading.Lock()
        test.addCleanup(self.close)
        for name in services:
            self.services[name] = Service(self, name, getattr(self, "_" + name))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.release.set()
        for s in self.services.values():
            s.close()
        self.m.close()

    # --- peers --------------------------------------------------------------------------------------
    def _rewrite(self, conn, f):
        addrs = f.fields.get(2, [])
        hops = [a.rsplit(b"@", 1)[-1] for a in addrs]
        conn.send(REWRITE, 4, f_strs(1, [h.split(b".")[0] for h in hops]) + f_strs(2, hops) + f_strs(3, addrs) +
                  f_u32s(4, [0] * len(addrs)) + f_u32s(5, [16] * len(addrs)), f.request)
        return True

    def _bounce(self, conn, f):
        with self.lock:
            x = f.fields
            if f.type == 1 and self.bounce_ok:
                self.appends.append((x[1].decode(), x[2].decode(), [r.decode() for r in x[5]], x[11]))
                self.actions += [(x[2].decode(), r.decode(), a.decode()) for r, a in zip(x[5], x[9])]
            elif f.type == 2 and self.bounce_ok:
                self.flushes.append((x[1].decode(), x[2].decode()))
            elif f.type == 3:
                self.forgets.append((x[1].decode(), x[2].decode()))
        for fd in f.fds:
            os.close(fd)
        conn.send(BOUNCE, 4, f_bool(1, self.bounce_ok) + f_str(2, "" if self.bounce_ok else "disk full"), f.request)
        return True

    def agent(self, name):
        self.services[name] = Service(self, name, lambda conn, f: self._agent(name, conn, f))

    def _agent(self, name, conn, f):
        x = f.fields
        if len(f.fds) > 1:
            conn.done_log = f.fds[1]
        os.close(f.fds[0])
        qid, rcpts = x[1].decode(), [r.decode() for r in x[17]]
        with self.lock:
            self.requests.append((name, qid, rcpts, x.get(4, 0), x[5].decode()))
            self.times.append(time.monotonic())
            first = [self.seen.setdefault((qid, r), 0) == 0 for r in rcpts]
            for r in rcpts:
                self.seen[qid, r] += 1
        statuses, actions, suspend = [], [], b""
        for r, offset, fresh in zip(rcpts, x[16], first):
            what = r.split("@")[0].split("-")[0]
            if what == "slow":  # each takes a while: how many run at once?
                with self.lock:
                    self.running += 1
                    self.most = max(self.most, self.running)
                self.release.wait(0.05)
                with self.lock:
                    self.running -= 1
            if what in ("hang", "late", "cut"):
                self.release.wait(60)
            if what == "late" and fresh:
                os.write(conn.done_log, done_record(qid, x[3], offset, DELIVERED))
            if what == "done" and fresh:
                os.write(conn.done_log, done_record(qid, x[3], offset, DELIVERED))
            if what == "crash" or (what in ("once", "done", "late", "cut") and fresh):
                return False
            if what == "dead":
                suspend = b"4.4.1 connect to it: timed out"
            statuses.append({"bounce": BOUNCED, "defer": DEFERRED, "dead": DEFERRED}.get(what, DELIVERED))
            actions.append(ACTIONS.get(what, 0))
            if statuses[-1] != DEFERRED:
                os.write(conn.done_log, done_record(qid, x[3], offset, statuses[-1], b"5.1.1", b"unknown", actions[-1]))
        dsns = [{DELIVERED: "2.0.0", DEFERRED: "4.2.0", BOUNCED: "5.1.1"}[s] for s in statuses]
        conn.send(DELIVER, 2, f_u64s(1, x[16]) + f_u32s(2, statuses) + f_strs(3, dsns) +
                  f_strs(4, ["because"] * len(statuses)) + f_strs(5, [""] * len(statuses)) +
                  f_strs(6, [""] * len(statuses)) + f_str(7, suspend) + f_u32s(8, actions), f.request)
        return True

    # --- qmgr ---------------------------------------------------------------------------------------
    def mail(self, sender, rcpts, age=0, content=b"Subject: test\n\nhello\n"):
        import pwd
        user = pwd.getpwnam(owner())
        drop = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        if os.getuid() == 0:
            os.chown(self.m.dir, user.pw_uid, user.pw_gid)
        r = subprocess.run([MKMAIL, self.m.dir, str(age), sender, *rcpts], input=content, stdout=subprocess.PIPE,
                           check=True, **drop)
        return r.stdout.decode().strip()

    def start(self):
        self.m.start()
        self.m.ready()
        return self

    def restart(self, how):
        """Stop or kill qmgr, and start it again."""
        if how == "kill":
            self.m.proc.kill()
            self.m.proc.wait()
        else:
            self.m.stop()
            self.m.wait()
        self.m.control.close()
        self.m.stderr.close()
        self.start()

    def call(self, type_, body=b"", request=1):
        c = self.m.client("queue:qmgr")
        return c.call(QMGR, type_, body, request)

    def arrived(self, *ids):
        c = self.m.client("queue:qmgr")
        for i in ids:
            c.send(QMGR, 3, f_str(1, i))

    def flush(self, sites=(), ids=()):
        f = self.call(4, f_strs(1, sites) + f_strs(2, ids))
        self.test.assertTrue(f.fields.get(1))

    def wait_log(self, text, seconds=15):
        return self.m.wait_log(text, seconds)

    def where(self, qid):
        """The queue directories that hold the mail."""
        return [d for d in ("incoming", "active", "deferred", "hold", "corrupt")
                for _, _, files in os.walk(os.path.join(self.m.dir, d)) if qid in files]

    def path(self, qid, queue):
        for top, _, files in os.walk(os.path.join(self.m.dir, queue)):
            if qid in files:
                return os.path.join(top, qid)
        return None

    def asked(self, qid):
        """Requests to agents about a mail: (transport, recipients, flags)."""
        with self.lock:
            return [(t, r, fl) for t, q, r, fl, _ in self.requests if q == qid]
