"""dnsd against a name server made of Python: answers, aliases, failures, time-outs, hostile octets, the cache."""
import os, socket, struct, sys, threading, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402

A, CNAME, SOA, PTR, MX, TXT, AAAA = 1, 5, 6, 12, 15, 16, 28
ANSWER, NO_NAME, NO_DATA, AGAIN, BAD_NAME = range(5)
KEY = "queue:dns"


def wire_name(name):
    return b"".join(bytes([len(l)]) + l.encode("latin-1") for l in name.split(".") if l) + b"\0"


def rr(name, kind, data, ttl=100):
    return wire_name(name) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def soa(zone, ttl=60):
    return rr(zone, SOA, wire_name("ns." + zone) + wire_name("root." + zone) + struct.pack(">5I", 1, 2, 3, 4, ttl), ttl)


class NameServer:
    """ANSWERS: (name, type) -> (rcode, [answer records], [authority records]) or a function of the query
    that returns octets, or None (silence). Counts the questions."""

    def __init__(self, test, answers):
        self.answers, self.asked, self.tcp_asked = answers, [], 0
        self.udp, self.tcp = self.one_port()
        self.port = self.udp.getsockname()[1]
        self.tcp.listen(5)
        test.addCleanup(self.close)
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    @staticmethod
    def one_port():
        """A port that is free for both: another test may hold the TCP port of the number that UDP got."""
        for _ in range(50):
            udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(("127.0.0.1", udp.getsockname()[1]))
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

    @staticmethod
    def question(q):
        labels, at = [], 12
        while q[at]:
            labels.append(q[at + 1:at + 1 + q[at]].decode("latin-1"))
            at += 1 + q[at]
        return ".".join(labels), struct.unpack(">H", q[at + 1:at + 3])[0], at + 5

    def reply(self, q, tcp=False):
        name, kind, end = self.question(q)
        self.asked.append((name.lower(), kind))
        entry = self.answers.get((name.lower(), kind), (3, [], [soa("test")]))
        if entry is None:
            return None
        if callable(entry):
            return entry(q, tcp)
        rcode, answer, authority = entry
        return message(q, end, rcode, answer, authority)

    def serve_udp(self):
        while True:
            try:
                q, peer = self.udp.recvfrom(2000)
                if not q:
                    return
                r = self.reply(q)
                if r:
                    self.udp.sendto(r, peer)
            except OSError:
                return

    def serve_tcp(self):
        while True:
            try:
                c = self.tcp.accept()[0]
                n = struct.unpack(">H", c.recv(2))[0]
                self.tcp_asked += 1
                r = self.reply(c.recv(n), True)
                c.sendall(struct.pack(">H", len(r)) + r)
                c.close()
            except OSError:
                return


def message(q, end, rcode, answer, authority, flags=0x8180):
    return (q[:2] + struct.pack(">HHHHH", flags | rcode, 1, len(answer), len(authority), 0) + q[12:end] +
            b"".join(answer) + b"".join(authority))


def ip(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


class Dnsd(unittest.TestCase):
    def dnsd(self, answers, timeout="20s", more=""):
        self.ns = NameServer(self, answers)
        m = FakeMaster(self, "dnsd", listen=[KEY],
                       main_cf=f"dnsd_servers = 127.0.0.1:{self.ns.port}\ndnsd_timeout = {timeout}\n{more}")
        m.start()
        m.ready()
        self.m = m
        return m.client(KEY)

    def ask(self, c, name, kind):
        f = c.call(DNS, 1, f_str(1, name) + f_u32(2, kind))
        self.assertIsNotNone(f, f"no answer: {self.m.poll_log()}")
        v = f.fields
        return v.get(1, 0), [d.decode("latin-1") for d in v.get(5, [])], v

    def test_every_type(self):
        c = self.dnsd({
            ("a.test", A): (0, [rr("a.test", A, ip("192.0.2.1")), rr("a.test", A, ip("192.0.2.2"))], []),
            ("a.test", AAAA): (0, [rr("a.test", AAAA, ip("2001:db8::1"))], []),
            ("a.test", MX): (0, [rr("a.test", MX, b"\0\x14" + wire_name("b.test")),
                                 rr("a.test", MX, b"\0\x0a" + wire_name("c.test"))], []),
            ("null.test", MX): (0, [rr("null.test", MX, b"\0\0\0")], []),
            ("a.test", TXT): (0, [rr("a.test", TXT, b"\5v=one\4 two")], []),
            ("7.2.0.192.in-addr.arpa", PTR): (0, [rr("7.2.0.192.in-addr.arpa", PTR, wire_name("host.test"))], []),
            ("1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa", PTR):
                (0, [rr("1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa", PTR, wire_name("six.test"))], []),
        })
        self.assertEqual(self.ask(c, "A.Test.", A)[:2], (ANSWER, ["192.0.2.1", "192.0.2.2"]))
        self.assertEqual(self.ask(c, "a.test", AAAA)[:2], (ANSWER, ["2001:db8::1"]))
        status, data, v = self.ask(c, "a.test", MX)
        self.assertEqual((status, data, v[4]), (ANSWER, ["c.test", "b.test"], [10, 20]))
        self.assertEqual(self.ask(c, "null.test", MX)[:2], (ANSWER, [""]))
        self.assertEqual(self.ask(c, "a.test", TXT)[:2], (ANSWER, ["v=one two"]))
        self.assertEqual(self.ask(c, "192.0.2.7", PTR)[:2], (ANSWER, ["host.test"]))
        self.assertEqual(self.ask(c, "2001:db8::1", PTR)[:2], (ANSWER, ["six.test"]))

    def test_absence_and_failure_are_not_the_same(self):
        c = self.dnsd({("none.test", A): (0, [], [soa("test")]), ("fail.test", A): (2, [], []),
                       ("refused.test", A): (5, [], []), ("silent.test", A): None}, timeout="2s")
        self.assertEqual(self.ask(c, "missing.test", A)[0], NO_NAME)
        self.assertEqual(self.ask(c, "none.test", A)[0], NO_DATA)
        for name in ("fail.test", "refused.test", "silent.test"):
            status, data, v = self.ask(c, name, A)
            self.assertEqual((status, data), (AGAIN, []))
            self.assertIn(name.encode(), v[6], "the reason names the question")
        self.ns.answers[("silent.test", A)] = (0, [rr("silent.test", A, ip("192.0.2.9"))], [])
        wait_for("the answer: a failure is not kept",
                 lambda: self.ask(c, "silent.test", A)[:2] == (ANSWER, ["192.0.2.9"]))

    def test_bad_names(self):
        c = self.dnsd({})
        for name, kind in (("", A), ("a..test", A), ("x" * 64 + ".test", A), ("a b.test", A), ("a\nb.test", MX),
                           ("a" * 300, A), ("not-an-address", PTR), ("a.test", 99), ("b\xfccher.test", A)):
            self.assertEqual(self.ask(c, name, kind)[0], BAD_NAME, name)
        self.assertEqual(self.ns.asked, [])

    def test_hosts_and_localhost_stay_here(self):
        c = self.dnsd({})
        self.assertEqual(self.ask(c, "localhost", A)[:2], (ANSWER, ["127.0.0.1"]))
        self.assertEqual(self.ask(c, "127.0.0.1", PTR)[0], ANSWER)
        self.assertEqual(self.ns.asked, [])

    def test_aliases(self):
        c = self.dnsd({
            ("w.test", A): (0, [rr("w.test", CNAME, wire_name("x.test")), rr("x.test", A, ip("192.0.2.1"))], []),
            ("far.test", A): (0, [rr("far.test", CNAME, wire_name("w.test"))], []),
            ("circle.test", A): (0, [rr("circle.test", CNAME, wire_name("elcric.test")),
                                     rr("elcric.test", CNAME, wire_name("circle.test"))], []),
            **{(f"n{i}.test", A): (0, [rr(f"n{i}.test", CNAME, wire_name(f"n{i + 1}.test"))], []) for i in range(40)},
        })
        status, data, v = self.ask(c, "w.test", A)
        self.assertEqual((status, data, v[7]), (ANSWER, ["192.0.2.1"], b"x.test"))
        status, data, v = self.ask(c, "far.test", A)
        self.assertEqual((status, data, v[7]), (ANSWER, ["192.0.2.1"], b"x.test"))
        self.assertEqual(self.ask(c, "circle.test", A)[0], AGAIN)
        self.assertEqual(self.ask(c, "n0.test", A)[0], AGAIN, "an endless chain ends")
        self.assertLess(len(self.ns.asked), 40)

    def test_cache(self):
        c = self.dnsd({("a.test", A): (0, [rr("a.test", A, ip("192.0.2.1"), 1000)], []),
                       ("zero.test", A): (0, [rr("zero.test", A, ip("192.0.2.1"), 0)], []),
                       ("long.test", A): (0, [rr("long.test", A, ip("192.0.2.1"), 10 ** 9)], [])},
                      more="dnsd_max_ttl = 50s\n")
        for _ in range(3):
            status, data, v = self.ask(c, "a.test", A)
            self.assertEqual((status, data), (ANSWER, ["192.0.2.1"]))
            self.assertLessEqual(v[3][0], 50)
            self.ask(c, "gone.test", A)
            self.ask(c, "zero.test", A)
            self.ask(c, "long.test", A)
        self.assertEqual(self.ns.asked.count(("a.test", A)), 1)
        self.assertEqual(self.ns.asked.count(("gone.test", A)), 1, "absence is kept too")
        self.assertEqual(self.ns.asked.count(("zero.test", A)), 3)
        self.assertEqual(self.ns.asked.count(("long.test", A)), 1)

    def test_one_question_for_many(self):
        event = threading.Event()

        def slow(q, tcp):
            event.wait(10)
            return message(q, NameServer.question(q)[2], 0, [rr("slow.test", A, ip("192.0.2.1"))], [])

        c = self.dnsd({("slow.test", A): slow}, timeout="20s")
        others = [self.m.client(KEY) for _ in range(20)]
        for i, o in enumerate(others):
            o.send(DNS, 1, f_str(1, "slow.test") + f_u32(2, A), i)
        wait_for("the question", lambda: self.ns.asked)
        event.set()
        for o in others:
            self.assertEqual(o.recv().fields[5], [b"192.0.2.1"])
        self.assertEqual(len(self.ns.asked), 1)
        c.close()

    def test_truncated_goes_to_tcp(self):
        many = [rr("big.test", A, ip(f"192.0.2.{i}")) for i in range(60)]

        def big(q, tcp):
            end = NameServer.question(q)[2]
            return message(q, end, 0, many, []) if tcp else message(q, end, 0, [], [], 0x8380)

        c = self.dnsd({("big.test", A): big})
        self.assertEqual(len(self.ask(c, "big.test", A)[1]), 60)
        self.assertGreaterEqual(self.ns.tcp_asked, 1)

    def test_hostile_octets(self):
        good = [rr("x.test", A, ip("192.0.2.1"))]

        def make(change):
            return lambda q, tcp: change(q, NameServer.question(q)[2])

        bad = {
            "loop": lambda q, end: q[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + q[12:end] + b"\xc0" + bytes([end]) + b"\0\1\0\1\0\0\0\1\0\4abcd",
            "short": lambda q, end: message(q, end, 0, good, [])[:-3],
            "counts": lambda q, end: q[:2] + struct.pack(">HHHHH", 0x8180, 1, 65535, 65535, 65535) + q[12:end],
            "longip": lambda q, end: message(q, end, 0, [rr("longip.test", A, b"12345")], []),
            "other": lambda q, end: q[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + wire_name("evil.test") + b"\0\1\0\1" + good[0],
            "header": lambda q, end: q[:6],
            "noise": lambda q, end: q[:2] + os.urandom(400),
        }
        c = self.dnsd({(f"{k}.test", A): make(v) for k, v in bad.items()}, timeout="1s")
        for name in bad:
            status, data, _ = self.ask(c, f"{name}.test", A)
            self.assertEqual((status, data), (AGAIN, []), name)
        self.ns.answers[("x.test", A)] = (0, good, [])
        wait_for("an answer: dnsd still serves", lambda: self.ask(c, "x.test", A)[0] == ANSWER)

    def test_records_of_strangers_are_dropped(self):
        c = self.dnsd({
            ("a.test", A): (0, [rr("a.test", A, ip("192.0.2.1")), rr("bank.test", A, ip("203.0.113.66"))], []),
            ("1.2.0.192.in-addr.arpa", PTR): (0, [rr("1.2.0.192.in-addr.arpa", PTR, wire_name("evil\nlog line.test"))], []),
            ("a.test", MX): (0, [rr("a.test", MX, b"\0\1" + wire_name("bad name.test")),
                                 rr("a.test", MX, b"\0\2" + wire_name("good.test"))], []),
        })
        self.assertEqual(self.ask(c, "a.test", A)[1], ["192.0.2.1"])
        self.ns.answers[("bank.test", A)] = (0, [rr("bank.test", A, ip("192.0.2.5"))], [])
        self.assertEqual(self.ask(c, "bank.test", A)[1], ["192.0.2.5"], "nobody else's answer was kept")
        self.assertEqual(self.ask(c, "192.0.2.1", PTR)[:2], (NO_DATA, []))
        self.assertEqual(self.ask(c, "a.test", MX)[1], ["good.test"])

    def test_broken_client_is_dropped_alone(self):
        c = self.dnsd({("a.test", A): (0, [rr("a.test", A, ip("192.0.2.1"))], [])})
        bad = self.m.client(KEY)
        bad.sock.sendall(b"\xff" * 64)
        self.assertIsNone(bad.recv())
        self.assertEqual(self.ask(c, "a.test", A)[1], ["192.0.2.1"])
        self.m.stop()
        status = self.m.wait()
        if status:
            self.m.fail(f"exit status {status}")

    def test_bad_configuration_is_said(self):
        m = FakeMaster(self, "dnsd", listen=[KEY], main_cf="dnsd_servers = nonsense:xyz\n").start()
        self.assertEqual(m.wait(), 78)
        m.wait_log("dnsd_servers = nonsense:xyz")


if __name__ == "__main__":
    main()
