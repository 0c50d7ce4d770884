"""A name server made of Python for tests: UDP and TCP at one loopback port, zones as text, misbehaviour by script.

    ns = NameServer(test, '''
        @            zone=example.org signed     ; AD is set in answers of this zone
        example.org  MX 10 mx.example.org
        example.org  MX 20 mx2.example.org
        mx           60 A 127.0.0.1              ; names without a dot are below the zone; 60: time to live
        www          CNAME mx
        _25._tcp.mx  TLSA 3 1 1 abcdef
        quiet        MX .                        ; RFC 7505
    ''')
    ns.script("mx.example.org", "A", "timeout", "servfail", "ok")   # the next two questions, then as the zone says
    ns.script("*", "MX", "servfail!")                               # every question from now on
    Instance(test, main_cf={"dnsd_servers": ns.address})            # no resolv.conf is read then

A name that no line has is NXDOMAIN, one that has other types only is NODATA, both with a SOA of NEGATIVE_TTL. Questions are
listed in ns.asked as (name, type). ns.add(text), ns.remove(name, type) change zones while it runs.

Misbehaviour ("!" behind it: for ever): timeout (silence), servfail, refused, formerr, notimp, nxdomain, nodata, truncated (TC in
UDP, whole in TCP), dead-tcp (TC in UDP, TCP closes), short (the last octets of RDATA are missing, lengths say so), cut (the
message ends early), long (an address of 17 octets), noise, empty (a datagram without octets), wrong-id, wrong-question, stranger
(records of another name are added), cname-loop, cname-chain (an endless one), slow:SECONDS, ok. A function (query, name, type, tcp)
-> octets or None is a script, too.
"""
import os, socket, struct, threading, time

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "TLSA": 52}
NAMES = {v: k for k, v in TYPES.items()}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
NEGATIVE_TTL = 60
TTL = 100


def wire_name(name):
    return b"".join(bytes([len(l)]) + l.encode("latin-1") for l in name.split(".") if l) + b"\0"


def ip(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def rr(name, kind, data, ttl=TTL):
    return wire_name(name) + struct.pack(">HHIH", TYPES.get(kind, kind), 1, ttl, len(data)) + data


def soa(zone, ttl=NEGATIVE_TTL):
    return rr(zone, "SOA", wire_name("ns." + zone) + wire_name("root." + zone) + struct.pack(">5I", 1, 2, 3, 4, ttl), ttl)


def question(q):
    """(name, type, where the question ends) of a query."""
    labels, at = [], 12
    while q[at]:
        labels.append(q[at + 1:at + 1 + q[at]].decode("latin-1"))
        at += 1 + q[at]
    return ".".join(labels), struct.unpack(">H", q[at + 1:at + 3])[0], at + 5


def message(q, rcode=NOERROR, answer=(), authority=(), tc=False, ad=False):
    """The reply to query Q."""
    end = question(q)[2]
    flags = 0x8180 | rcode | (0x0200 if tc else 0) | (0x0020 if ad else 0)
    return (q[:2] + struct.pack(">HHHHH", flags, 1, len(answer), len(authority), 0) + q[12:end] +
            b"".join(answer) + b"".join(authority))


def reverse(address):
    b = ip(address)
    if len(b) == 4:
        return ".".join(str(o) for o in reversed(b)) + ".in-addr.arpa"
    return ".".join(f"{o & 15:x}.{o >> 4:x}" for o in reversed(b)) + ".ip6.arpa"


class Zone:
    """Lines of text -> {(name, type): [(ttl, rdata, target)]}."""

    def __init__(self):
        self.records, self.signed, self.origin = {}, set(), ""

    def full(self, name):
        name = name.rstrip(".") if name != "." else ""
        return name.lower() if "." in name or not name or not self.origin else f"{name.lower()}.{self.origin}"

    def add(self, text):
        for line in text.splitlines():
            words = line.split(";")[0].split()
            if not words:
                continue
            if words[0] == "@":
                for w in words[1:]:
                    if w.startswith("zone="):
                        self.origin = w[5:].lower()
                    elif w == "signed":
                        self.signed.add(self.origin)
                    else:
                        raise ValueError(f"zone option {w}")
                continue
            self.line(words, line)

    def line(self, words, line):
        name, rest = self.full(words[0]), words[1:]
        if name.startswith("_") and self.origin and not name.endswith("." + self.origin):
            name = f"{name}.{self.origin}"
        ttl = int(rest.pop(0)) if rest[0].isdigit() else TTL
        kind, args = rest[0].upper(), rest[1:]
        target = None
        if kind in ("A", "AAAA"):
            data = ip(args[0])
        elif kind == "MX":
            if args == ["."]:
                args = ["0", "."]
            data = struct.pack(">H", int(args[0])) + wire_name(self.full(args[1]))
        elif kind in ("CNAME", "PTR", "NS"):
            target = self.full(args[0])
            data = wire_name(target)
        elif kind == "TXT":
            data = b"".join(bytes([len(s)]) + s for s in (p.encode() for p in line.split('"')[1::2] or args))
        elif kind == "TLSA":
            data = bytes(int(a) for a in args[:3]) + bytes.fromhex(args[3])
        elif kind == "SRV":
            data = struct.pack(">3H", *map(int, args[:3])) + wire_name(self.full(args[3]))
        else:
            raise ValueError(f"no such type: {line}")
        self.records.setdefault((name, TYPES[kind]), []).append((ttl, data, target))

    def is_signed(self, name):
        return any(name == z or name.endswith("." + z) or z == "" for z in self.signed)

    def answer(self, q, name, kind):
        """The reply of a server that does what it should."""
        records, signed, seen = [], self.is_signed(name), set()
        while (name, kind) not in self.records and (name, TYPES["CNAME"]) in self.records and name not in seen:
            seen.add(name)
            ttl, data, target = self.records[(name, TYPES["CNAME"])][0]
            records.append(rr(name, "CNAME", data, ttl))
            name = target
            signed = signed and self.is_signed(name)
        if (name, kind) in self.records:
            records += [rr(name, kind, d, ttl) for ttl, d, _ in self.records[(name, kind)]]
            return message(q, NOERROR, records, ad=signed)
        exists = any(n == name or n.endswith("." + name) for n, _ in self.records)
        zone = name.split(".", 1)[-1] if "." in name else name
        return message(q, NOERROR if exists else NXDOMAIN, records, [soa(zone)], ad=signed)


class NameServer:
    def __init__(self, test=None, zones="", address="127.0.0.1"):
        self.zone, self.scripts, self.asked, self.tcp_asked = Zone(), {}, [], 0
        self.lock = threading.Lock()
        self.zone.add(zones)
        self.udp, self.tcp = self.one_port(address)
        self.port = self.udp.getsockname()[1]
        self.address = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        self.tcp.listen(100)
        if test:
            test.addCleanup(self.close)
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    @staticmethod
    def one_port(address):
        """A port that is free for both: another test may hold the TCP port of the number that UDP got."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for _ in range(50):
            udp, tcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family)
            udp.bind((address, 0))
            try:
                tcp.bind((address, udp.getsockname()[1]))
                udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                return udp, tcp
            except OSError:
                udp.close()
                tcp.close()
        raise OSError("no port that is free for UDP and TCP")

    def close(self):
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    # --- what it says -----------------------------------------------------------------------------
    def add(self, text):
        with self.lock:
            self.zone.add(text)

    def remove(self, name, kind):
        with self.lock:
            self.zone.records.pop((name.lower(), TYPES[kind]), None)

    def script(self, name, kind, *what):
        """WHAT for the next questions of (NAME, KIND), one each; NAME "*": of every name. Replaces what was left."""
        with self.lock:
            self.scripts[(name.lower(), TYPES[kind])] = list(what)

    def count(self, name, kind):
        return self.asked.count((name.lower(), kind))

    def next_of_script(self, name, kind):
        for key in ((name, kind), ("*", kind)):
            todo = self.scripts.get(key)
            if todo:
                if callable(todo[0]) or todo[0].endswith("!"):
                    return todo[0]
                return todo.pop(0)
        return "ok"

    def reply(self, q, tcp):
        name, kind, _ = question(q)
        name = name.lower()
        with self.lock:
            self.asked.append((name, NAMES.get(kind, str(kind))))
            what = self.next_of_script(name, kind)
            good = self.zone.answer(q, name, kind)
        return what(q, name, kind, tcp) if callable(what) else self.misbehave(what.rstrip("!"), q, name, kind, tcp, good)

    @staticmethod
    def misbehave(what, q, name, kind, tcp, good):
        codes = {"servfail": SERVFAIL, "refused": REFUSED, "formerr": FORMERR, "notimp": NOTIMP}
        end = question(q)[2]
        if what == "ok":
            return good
        if what == "timeout":
            return None
        if what in codes:
            return message(q, codes[what])
        if what in ("nxdomain", "nodata"):
            return message(q, NXDOMAIN if what == "nxdomain" else NOERROR, [], [soa("test")])
        if what == "truncated":
            return good if tcp else message(q, tc=True)
        if what == "dead-tcp":
            return b"" if tcp else message(q, tc=True)
        if what == "short":
            return message(q, NOERROR, [rr(name, kind, b"\0" if kind == TYPES["MX"] else b"\1\2\3")])
        if what == "long":
            return message(q, NOERROR, [rr(name, kind, bytes(17))])
        if what == "cut":
            return good[:-3]
        if what == "noise":
            return q[:2] + os.urandom(400)
        if what == "empty":
            return b""
        if what == "wrong-id":
            return bytes([q[0] ^ 0xff]) + good[1:]
        if what == "wrong-question":
            return q[:2] + good[2:12] + wire_name("evil.test") + q[end - 4:end] + good[end:]
        if what == "stranger":
            n = struct.unpack(">H", good[6:8])[0]
            extra = rr("bank.test", "A", ip("203.0.113.66"))
            at = len(good) if good[8:10] == b"\0\0" else end
            return good[:6] + struct.pack(">H", n + 1) + good[8:at] + extra + good[at:]
        if what == "cname-loop":
            return message(q, NOERROR, [rr(name, "CNAME", wire_name("loop." + name[:200])),
                                        rr("loop." + name[:200], "CNAME", wire_name(name))])
        if what == "cname-chain":
            n = int(name.split(".")[0][1:] or 0) if name[0] == "n" and name.split(".")[0][1:].isdigit() else 0
            return message(q, NOERROR, [rr(name, "CNAME", wire_name(f"n{n + 1}.chain.test"))])
        if what.startswith("slow:"):
            time.sleep(float(what[5:]))
            return good
        raise ValueError(f"no such misbehaviour: {what}")

    # --- sockets ----------------------------------------------------------------------------------
    def serve_udp(self):
        while True:
            try:
                q, peer = self.udp.recvfrom(2000)
            except OSError:
                return
            if not q:  # shut down
                return
            threading.Thread(target=self.answer_udp, args=(q, peer), daemon=True).start()

    def answer_udp(self, q, peer):
        r = self.reply(q, False)
        try:
            if r is not None:
                self.udp.sendto(r, peer)
        except OSError:
            pass

    def serve_tcp(self):
        while True:
            try:
                c = self.tcp.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.answer_tcp, args=(c,), daemon=True).start()

    def answer_tcp(self, c):
        with c:
            c.settimeout(30)
            try:
                stream = c.makefile("rb")
                while True:
                    head = stream.read(2)
                    if len(head) < 2:
                        return
                    q = stream.read(struct.unpack(">H", head)[0])
                    self.tcp_asked += 1
                    r = self.reply(q, True)
                    if not r:
                        return
                    c.sendall(struct.pack(">H", len(r)) + r)
            except OSError:
                return
