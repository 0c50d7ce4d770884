"""SMTP and LMTP servers made of Python, whose dialogues are data.

    s = SmtpServer(test, {"RCPT": ["250 ok", "450 4.2.0 later"]})          on 127.0.0.1 and a port of its own
    s.mails      what it took: objects with .sender .rcpts .content (octets without dots, CRLF as it came) .mail_args
    s.commands   every command line of every session, in order
    s.sessions   how many connections there were

A reply is a line or lines ("250-a\\n250 b"), bytes (sent as they are), or one of:
    None    close the connection                HANG    never answer
    a function of (session, line)               a list: the next one each time, the last one again and again
A function for "." may session.keep(session.last) and return None: the mail is taken, its answer is lost.
Keys: "connect" (the greeting), the verbs, "." (the end of data; LMTP: one for each recipient that was taken).
"""
import socket, threading

HANG = object()
EHLO = "250-mx.test\n250-PIPELINING\n250-SIZE 10000000\n250-8BITMIME\n250-DSN\n250-ENHANCEDSTATUSCODES\n250 SMTPUTF8"


class Mail:
    def __init__(self, sender, args):
        self.sender, self.mail_args, self.rcpts, self.rcpt_args, self.content = sender, args, [], [], b""


class Closed(Exception):
    pass


class Session:
    """One connection; runs in a thread of its own."""

    def __init__(self, server, sock):
        self.server, self.sock, self.buf, self.mail, self.sent = server, sock, b"", None, 0

    # --- octets ---------------------------------------------------------------------------------------
    def read(self):
        more = self.sock.recv(65536)
        if not more:
            raise Closed
        self.buf += more

    def line(self):
        while b"\r\n" not in self.buf:
            self.read()
        line, self.buf = self.buf.split(b"\r\n", 1)
        return line

    def write(self, octets):
        limit = self.server.drop_after
        if limit is not None and self.sent + len(octets) > limit:
            self.sock.sendall(octets[:limit - self.sent])
            raise Closed
        self.sock.sendall(octets)
        self.sent += len(octets)

    def answer(self, key, line=b"", good=None):
        """Say what the script has for KEY; the reply's first digit as text. GOOD is called before a 2xx is said."""
        reply = self.server.reply(key)
        if callable(reply):
            reply = reply(self, line.decode("utf-8", "replace"))
        if reply is None:
            raise Closed
        if reply is HANG:
            self.server.hung.set()
            while True:
                self.read()
        if good and reply[:1] in ("2", b"2"):
            good()
        if isinstance(reply, bytes):
            self.write(reply)
            return reply[:1].decode("latin-1")
        self.write("".join(l + "\r\n" for l in reply.split("\n")).encode())
        return reply[:1]

    # --- the dialogue ---------------------------------------------------------------------------------
    def content(self):
        """Lines up to the dot, dots undone; the octets behind stay."""
        while not (self.buf.startswith(b".\r\n") or b"\r\n.\r\n" in self.buf):
            self.read()
        if self.buf.startswith(b".\r\n"):
            self.buf = self.buf[3:]
            return b""
        octets, self.buf = self.buf.split(b"\r\n.\r\n", 1)
        octets += b"\r\n"
        return b"\r\n".join(l[1:] if l.startswith(b".") else l for l in octets.split(b"\r\n"))

    def path(self, line):
        path, _, args = line.partition(b":")[2].partition(b">")
        return path.lstrip(b" <").decode("utf-8", "replace"), args.decode("utf-8", "replace").strip()

    def data(self):
        if self.answer("DATA") != "3":
            return
        mail, self.mail = self.mail or Mail("", ""), None
        mail.content = self.content()
        self.last = mail
        if not self.server.lmtp:
            self.answer(".", good=lambda: self.keep(mail))
            return
        for rcpt, args in zip(mail.rcpts, mail.rcpt_args):
            one = Mail(mail.sender, mail.mail_args)
            one.rcpts, one.rcpt_args, one.content = [rcpt], [args], mail.content
            self.answer(".", rcpt.encode(), good=lambda: self.keep(one))

    def keep(self, mail):
        if mail.rcpts:
            with self.server.lock:
                self.server.mails.append(mail)

    def command(self, line):
        verb = line.split(b" ")[0].split(b":")[0].upper().decode("latin-1")
        with self.server.lock:
            self.server.commands.append(line.decode("utf-8", "replace"))
        if verb == "DATA":
            return self.data()
        good = self.answer(verb, line) == "2"
        if verb == "MAIL" and good:
            self.mail = Mail(*self.path(line))
        elif verb == "RCPT" and good and self.mail:
            address, args = self.path(line)
            self.mail.rcpts.append(address)
            self.mail.rcpt_args.append(args)
        elif verb == "RSET":
            self.mail = None
        elif verb == "QUIT":
            raise Closed

    def run(self):
        try:
            if self.answer("connect") == "2":
                while True:
                    self.command(self.line())
            else:
                while True:
                    self.line()
        except (Closed, OSError):
            pass
        finally:
            self.sock.close()


DEFAULTS = {"connect": "220 mx.test ESMTP", "EHLO": EHLO, "LHLO": EHLO, "HELO": "250 mx.test", "MAIL": "250 2.1.0 ok",
            "RCPT": "250 2.1.5 ok", "DATA": "354 go on", ".": "250 2.0.0 Ok: queued as TEST", "RSET": "250 2.0.0 ok",
            "QUIT": "221 2.0.0 bye", "NOOP": "250 ok"}


class SmtpServer:
    def __init__(self, test, script=None, ip="127.0.0.1", port=0, path=None, lmtp=False, drop_after=None):
        self.script, self.lmtp, self.drop_after = {**DEFAULTS, **(script or {})}, lmtp, drop_after
        self.mails, self.commands, self.sessions, self.at = [], [], 0, {}
        self.lock, self.hung, self.open = threading.Lock(), threading.Event(), []
        if path:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.bind(path)
        else:
            self.sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind((ip, port))
            self.port = self.sock.getsockname()[1]
        self.ip = ip
        self.sock.listen(200)
        test.addCleanup(self.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def reply(self, key):
        with self.lock:
            r = self.script.get(key, "502 5.5.2 what?")
            if isinstance(r, list):
                n = self.at.get(key, 0)
                self.at[key] = n + 1
                r = r[min(n, len(r) - 1)]
            return r

    def accept(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            with self.lock:
                self.sessions += 1
                self.open.append(s)
            threading.Thread(target=Session(self, s).run, daemon=True).start()

    def verbs(self):
        """The commands without their arguments."""
        with self.lock:
            return [c.split(" ")[0].split(":")[0].upper() for c in self.commands]

    def taken(self):
        """(sender, [recipients]) of each mail."""
        with self.lock:
            return [(m.sender, m.rcpts) for m in self.mails]

    def close(self):
        for s in [self.sock] + self.open:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


def servers(test, scripts, **kw):
    """Several on one port, at 127.0.0.2, 127.0.0.3, ...: the hosts of one destination."""
    for _ in range(50):
        first = SmtpServer(test, scripts[0], ip="127.0.0.2", **kw)
        try:
            rest = [SmtpServer(test, s, ip=f"127.0.0.{3 + i}", port=first.port, **kw) for i, s in enumerate(scripts[1:])]
            return [first] + rest
        except OSError:
            first.close()
    raise OSError("no port that is free on all addresses")
