"""Master made of Python: starts one daemon as master does, and speaks frames with it and with its clients.

    with FakeMaster(test, "anvil", listen={"net:anvil"}) as m:
        m.ready()
        c = m.client("net:anvil")
        c.send(ANVIL, 1, field_u32(1, 1) + field_str(2, "smtp"))
        frame = c.recv()
"""
import array, os, select, shutil, signal, socket, struct, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from instance import program, owner, wait_for  # noqa: E402,F401

MASTER, CLEANUP, REWRITE, QMGR, DELIVER, BOUNCE, ANVIL, PROXYMAP, DNS, AUTH = range(1, 11)
READY, LOAD, DIAL, DIALLED, STOP = 1, 2, 3, 4, 5
U32, U64, I64, BOOL, STR, STRS, U32S, U64S = range(1, 9)


def sanitized(path):
    """The program was built with AddressSanitizer: its sandbox only logs."""
    if not os.path.exists(path):
        return False
    with open(path, "rb") as f:
        return b"__asan_init" in f.read()


def faults(path):
    """The program has fault hooks (lib/sys/fault.h): a test build."""
    with open(path, "rb") as f:
        return b"MERPATI_FAULT" in f.read()


def field(tag, kind, octets):
    return struct.pack("<HBBI", tag, kind, 0, len(octets)) + octets


def f_u32(tag, v):
    return field(tag, U32, struct.pack("<I", v))


def f_bool(tag, v):
    return field(tag, BOOL, b"\1" if v else b"\0")


def f_str(tag, v):
    return field(tag, STR, v.encode() if isinstance(v, str) else v)


def f_strs(tag, vs):
    vs = [v.encode() if isinstance(v, str) else v for v in vs]
    return field(tag, STRS, b"".join(struct.pack("<I", len(v)) + v for v in vs))


def decode(body):
    """{tag: value}; numbers as int, strings as bytes, lists as lists."""
    out, at = {}, 0
    while at < len(body):
        tag, kind, _, n = struct.unpack_from("<HBBI", body, at)
        v = body[at + 8:at + 8 + n]
        at += 8 + n
        if kind in (U32, BOOL, U64):
            v = int.from_bytes(v, "little")
        elif kind == I64:
            v = int.from_bytes(v, "little", signed=True)
        elif kind == U32S:
            v = list(struct.unpack(f"<{n // 4}I", v))
        elif kind == U64S:
            v = list(struct.unpack(f"<{n // 8}Q", v))
        elif kind == STRS:
            items, i = [], 0
            while i < n:
                (m,) = struct.unpack_from("<I", v, i)
                items.append(v[i + 4:i + 4 + m])
                i += 4 + m
            v = items
        out[tag] = v
    return out


class Frame:
    def __init__(self, protocol, type_, request, body, fds):
        self.protocol, self.type, self.request, self.fds = protocol, type_, request, fds
        self.fields = decode(body)

    def __repr__(self):
        return f"<frame {self.protocol}/{self.type} #{self.request} {self.fields}>"


class Conn:
    """One end of an ipc connection."""

    def __init__(self, sock):
        self.sock, self.buf, self.fds = sock, b"", []
        sock.settimeout(20)

    def send(self, protocol, type_, body=b"", request=0, fds=(), version=1):
        head = struct.pack("<IHBBHHI", 12 + len(body), protocol, version, len(fds), type_, 0, request)
        if fds:
            socket.send_fds(self.sock, [head + body], list(fds))
        else:
            self.sock.sendall(head + body)

    def _more(self):
        data, fds, _, _ = socket.recv_fds(self.sock, 65536, 8)
        self.fds += fds
        self.buf += data
        return bool(data)

    def recv(self, seconds=20):
        """The next frame; None at the end of the connection."""
        self.sock.settimeout(seconds)
        while len(self.buf) < 16 or len(self.buf) < 4 + struct.unpack_from("<I", self.buf)[0]:
            try:
                if not self._more():
                    return None
            except ConnectionResetError:
                return None
        n, protocol, _, nfds, type_, _, request = struct.unpack_from("<IHBBHHI", self.buf)
        body, self.buf = self.buf[16:4 + n], self.buf[4 + n:]
        fds, self.fds = self.fds[:nfds], self.fds[nfds:]
        return Frame(protocol, type_, request, body, fds)

    def call(self, protocol, type_, body=b"", request=1):
        self.send(protocol, type_, body, request)
        return self.recv()

    def close(self):
        self.sock.close()


class FakeMaster:
    def __init__(self, test, name, listen=(), options=(), main_cf="", path=None, dgram=(), args=(), env=None):
        self.test, self.name, self.proc = test, name, None
        self.dir = tempfile.mkdtemp(prefix="merpati-daemon-")
        test.addCleanup(self.close)
        for d in ("private/queue", "private/net", "private/out", "public", "pid"):
            os.makedirs(os.path.join(self.dir, d))
        with open(os.path.join(self.dir, "main.cf"), "w") as f:
            f.write(f"queue_directory = {self.dir}\ninstance_owner = {owner()}\n"
                    f"data_directory = {self.dir}\nmyhostname = mail.example.test\n{main_cf}\n")
        self.listeners = {}
        for key in listen:
            self.listeners[key] = self._listen(key, socket.SOCK_STREAM)
        for key in dgram:
            self.listeners[key] = self._listen(key, socket.SOCK_DGRAM)
        self.log, self._log_out = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.lines = []
        self.path = path or program(name)
        self.options, self.args, self.env = options, list(args), env or {}

    def _path(self, key):
        class_, service = key.split(":", 1)
        return os.path.join(self.dir, "public" if class_ == "public" else f"private/{class_}", service)

    def _listen(self, key, kind):
        s = socket.socket(socket.AF_UNIX, kind)
        s.bind(self._path(key))
        if kind == socket.SOCK_STREAM:
            s.listen(64)
        return s

    def start(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        high = [os.dup(theirs.fileno())] + [os.dup(s.fileno()) for s in self.listeners.values()]
        high.append(os.dup(self._log_out.fileno()))
        high = [self._above(fd, 40) for fd in high]
        listen = " ".join(f"{key}:{4 + i}" for i, key in enumerate(self.listeners))
        log_fd = 4 + len(self.listeners)
        env = {"PATH": os.environ["PATH"], "MERPATI_LISTEN": listen, "MERPATI_LOG_FD": str(log_fd)}
        for key, value in os.environ.items():
            if key.startswith(("ASAN_", "UBSAN_", "LSAN_", "MERPATI_FAULT", "MERPATI_CLOCK")):
                env[key] = value
        env.update(self.env)
        argv = [self.path, "-c", self.dir, "-n", self.name, "-g", "1"]
        for o in self.options:
            argv += ["-o", o]
        argv += self.args
        if os.getuid() == 0:
            self._chown()

        def child():
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
            os.closerange(3 + len(high), 100)
            os.chdir(self.dir)
            os.umask(0o077)

        import pwd
        user = pwd.getpwnam(owner())
        drop = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        self.stderr = tempfile.TemporaryFile()
        self.proc = subprocess.Popen(argv, env=env, close_fds=False, preexec_fn=child, stderr=self.stderr,
                                     stdin=subprocess.DEVNULL, **drop)
        for fd in high:
            os.close(fd)
        theirs.close()
        self.control = Conn(ours)
        return self

    def _above(self, fd, least):
        import fcntl
        n = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, least)
        os.close(fd)
        return n

    def _chown(self):
        import pwd
        user = pwd.getpwnam(owner())
        for top, dirs, files in os.walk(self.dir):
            for n in [top] + [os.path.join(top, f) for f in files]:
                os.lchown(n, user.pw_uid, user.pw_gid)

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.close()

    def ready(self):
        f = self.control.recv()
        if f is None or f.type != READY:
            self.fail(f"no ready but {f}")
        return f

    def client(self, key):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.connect(self._path(key))
        self.test.addCleanup(s.close)
        return Conn(s)

    def stop(self, why="stop"):
        self.control.send(MASTER, STOP, f_str(1, why))

    def wait(self, seconds=20):
        """The exit status; fails when the daemon does not end."""
        try:
            return self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail("the daemon did not end")

    def poll_log(self):
        while select.select([self.log], [], [], 0)[0]:
            self.lines.append(self.log.recv(65536).decode("utf-8", "replace"))
        return self.lines

    def wait_log(self, text, seconds=10):
        return wait_for(f"log line with {text!r}", lambda: [l for l in self.poll_log() if text in l], seconds)

    def fail(self, why):
        self.stderr.seek(0)
        err = self.stderr.read().decode("utf-8", "replace")
        self.test.fail(f"{why}\nlog: {''.join(self.poll_log())}\nstderr: {err}")

    def close(self):
        if self.proc and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        for s in list(self.listeners.values()) + [self.log, self._log_out]:
            s.close()
        if self.proc:
            self.control.close()
            self.stderr.close()
        shutil.rmtree(self.dir, ignore_errors=True)
