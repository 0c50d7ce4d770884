"""dnsd against a name server made of Python: answers, aliases, failures, time-outs, hostile octets, the cache; rows K01, K02, K03,
K05, K06, K07, K08 of the attack catalogue."""
import os, sys, threading, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402
from name_server import *  # noqa: E402,F403

A, CNAME, SOA, PTR, MX, TXT, AAAA, TLSA = 1, 5, 6, 12, 15, 16, 28, 52
ANSWER, NO_NAME, NO_DATA, AGAIN, BAD_NAME, INVALID = range(6)
KEY = "queue:dns"


class Dnsd(unittest.TestCase):
    def dnsd(self, zones="", timeout="20s", more="", servers=None):
        self.ns = NameServer(self, zones)
        m = FakeMaster(self, "dnsd", listen=[KEY],
                       main_cf=f"dnsd_servers = {servers or self.ns.address}\ndnsd_timeout = {timeout}\n{more}")
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
        c = self.dnsd("""
            a.test A 192.0.2.1
            a.test A 192.0.2.2
            a.test AAAA 2001:db8::1
            a.test 77 MX 20 b.test
            a.test 99 MX 10 c.test
            null.test MX .
            both.test MX 0 .
            both.test MX 9 c.test
            a.test TXT "v=one" " two"
            _25._tcp.a.test TLSA 3 1 1 abcdef00
            7.2.0.192.in-addr.arpa PTR host.test
            """ + reverse("2001:db8::1") + " PTR six.test")
        self.assertEqual(self.ask(c, "A.Test.", A)[:2], (ANSWER, ["192.0.2.1", "192.0.2.2"]))
        self.assertEqual(self.ask(c, "a.test", AAAA)[:2], (ANSWER, ["2001:db8::1"]))
        status, data, v = self.ask(c, "a.test", MX)
        self.assertEqual((status, data, v[4], v[3]), (ANSWER, ["c.test", "b.test"], [10, 20], [99, 77]))
        self.assertEqual(self.ask(c, "null.test", MX)[:2], (ANSWER, [""]))
        self.assertEqual(self.ask(c, "both.test", MX)[:2], (ANSWER, ["c.test"]), "RFC 7505 3")
        self.assertEqual(self.ask(c, "a.test", TXT)[:2], (ANSWER, ["v=one two"]))
        self.assertEqual(self.ask(c, "_25._tcp.a.test", TLSA)[:2], (ANSWER, ["\3\1\1\xab\xcd\xef\0"]))
        self.assertEqual(self.ask(c, "192.0.2.7", PTR)[:2], (ANSWER, ["host.test"]))
        self.assertEqual(self.ask(c, "2001:db8::1", PTR)[:2], (ANSWER, ["six.test"]))

    def test_absence_and_failure_are_not_the_same(self):
        c = self.dnsd("none.test MX 1 x.test", timeout="2s")
        for name, what in (("fail", "servfail!"), ("refused", "refused!"), ("form", "formerr!"), ("notimp", "notimp!"),
                           ("silent", "timeout!"), ("tcp", "dead-tcp!")):
            self.ns.script(f"{name}.test", "A", what)
        self.assertEqual(self.ask(c, "missing.test", A)[0], NO_NAME)
        self.assertEqual(self.ask(c, "none.test", A)[0], NO_DATA)
        for name in ("fail.test", "refused.test", "form.test", "notimp.test", "silent.test", "tcp.test"):
            status, data, v = self.ask(c, name, A)
            self.assertEqual((status, data), (AGAIN, []), name)
            self.assertIn(name.encode(), v[6], "the reason names the question")
        self.ns.add("silent.test A 192.0.2.9")
        self.ns.script("silent.test", "A")
        wait_for("the answer: a failure is not kept",
                 lambda: self.ask(c, "silent.test", A)[:2] == (ANSWER, ["192.0.2.9"]))

    def test_lost_questions_are_asked_again(self):
        c = self.dnsd("a.test A 192.0.2.1\nb.test A 192.0.2.2", timeout="8s")
        self.ns.script("a.test", "A", "timeout")
        self.ns.script("b.test", "A", "servfail")
        self.assertEqual(self.ask(c, "a.test", A)[:2], (ANSWER, ["192.0.2.1"]))
        self.assertEqual(self.ns.count("a.test", "A"), 2)
        self.assertEqual(self.ask(c, "b.test", A)[:2], (ANSWER, ["192.0.2.2"]))
        self.assertEqual(self.ns.count("b.test", "A"), 2)

    def test_another_server_is_asked(self):
        """K06, K08: one that is dead, one that sends nonsense, one that fails; the other one knows."""
        good = NameServer(self, "a.test A 192.0.2.1\nb.test A 192.0.2.2\nc.test A 192.0.2.3")
        ns = NameServer(self)
        c = self.dnsd(servers=f"{ns.address}, {good.address}", timeout="8s")
        ns.script("a.test", "A", "timeout!")
        ns.script("b.test", "A", "short!")
        ns.script("c.test", "A", "servfail!")
        for i, name in enumerate(("a.test", "b.test", "c.test")):
            self.assertEqual(self.ask(c, name, A)[:2], (ANSWER, [f"192.0.2.{i + 1}"]), name)
            self.assertGreaterEqual(ns.count(name, "A"), 1, "the first one first")
            self.assertEqual(good.count(name, "A"), 1)

    def test_bad_names(self):
        c = self.dnsd()
        for name, kind in (("", A), ("a..test", A), ("x" * 64 + ".test", A), ("a b.test", A), ("a\nb.test", MX),
                           ("a" * 300, A), ("not-an-address", PTR), ("a.test", 99), ("b\xfccher.test", A), ("", TLSA)):
            self.assertEqual(self.ask(c, name, kind)[0], BAD_NAME, name)
        self.assertEqual(self.ns.asked, [])

    def test_hosts_and_localhost_stay_here(self):
        c = self.dnsd()
        self.assertEqual(self.ask(c, "localhost", A)[:2], (ANSWER, ["127.0.0.1"]))
        self.assertEqual(self.ask(c, "127.0.0.1", PTR)[0], ANSWER)
        self.assertEqual(self.ns.asked, [])

    def test_aliases(self):
        c = self.dnsd("w.test CNAME x.test\nx.test A 192.0.2.1\n" +
                      "\n".join(f"p{i}.test CNAME p{i + 1}.test" for i in range(8)) + "\np8.test A 192.0.2.8")
        self.ns.script("far.test", "A",
                       lambda q, name, kind, tcp: message(q, NOERROR, [rr(name, "CNAME", wire_name("w.test"))]))
        self.ns.script("circle.test", "A", "cname-loop!")
        self.ns.script("*", "AAAA", "cname-chain!")
        for name, end, address in (("w.test", b"x.test", "192.0.2.1"), ("far.test", b"x.test", "192.0.2.1"),
                                   ("p0.test", b"p8.test", "192.0.2.8")):
            status, data, v = self.ask(c, name, A)
            self.assertEqual((status, data, v[7]), (ANSWER, [address], end))
        self.assertEqual(self.ask(c, "circle.test", A)[0], AGAIN)
        before = len(self.ns.asked)
        self.assertEqual(self.ask(c, "n0.chain.test", AAAA)[0], AGAIN, "an endless chain ends")
        self.assertLess(len(self.ns.asked) - before, 20)

    def test_who_has_checked_signatures(self):
        c = self.dnsd("""
            @ zone=plain.test
            to-signed CNAME host.signed.test
            @ zone=signed.test signed
            signed.test A 192.0.2.1
            _25._tcp.host TLSA 3 1 1 00
            host A 192.0.2.2
            out CNAME host.plain2.test
            @ zone=plain2.test
            host A 192.0.2.3""")

        def split(q, name, kind, tcp):
            return message(q, NOERROR, [rr(name, "CNAME", wire_name("host.signed.test"))])

        self.ns.script("split.plain.test", "A", split)
        for name, kind, status, checked in (
                ("signed.test", A, ANSWER, 1), ("_25._tcp.host.signed.test", TLSA, ANSWER, 1),
                ("none.signed.test", A, NO_NAME, 1), ("signed.test", MX, NO_DATA, 1),
                ("none.plain.test", A, NO_NAME, 0), ("to-signed.plain.test", A, ANSWER, 0),
                ("out.signed.test", A, ANSWER, 0), ("split.plain.test", A, ANSWER, 0)):
            for _ in range(2):  # from the name server, from the cache
                got, _, v = self.ask(c, name, kind)
                self.assertEqual((got, v.get(8, 0)), (status, checked), name)

    def test_cache(self):
        c = self.dnsd("a.test 1000 A 192.0.2.1\nzero.test 0 A 192.0.2.1\nlong.test 1000000000 A 192.0.2.1",
                      more="dnsd_max_ttl = 50s\n")
        for _ in range(3):
            status, data, v = self.ask(c, "a.test", A)
            self.assertEqual((status, data), (ANSWER, ["192.0.2.1"]))
            self.assertLessEqual(v[3][0], 50)
            self.ask(c, "gone.test", A)
            self.ask(c, "zero.test", A)
            self.ask(c, "long.test", A)
        self.assertEqual(self.ns.count("a.test", "A"), 1)
        self.assertEqual(self.ns.count("gone.test", "A"), 1, "absence is kept too")
        self.assertEqual(self.ns.count("zero.test", "A"), 3)
        self.assertEqual(self.ns.count("long.test", "A"), 1)

    def test_one_question_for_many(self):
        event = threading.Event()

        def slow(q, name, kind, tcp):
            event.wait(10)
            return message(q, NOERROR, [rr(name, "A", ip("192.0.2.1"))])

        c = self.dnsd()
        self.ns.script("slow.test", "A", slow)
        others = [self.m.client(KEY) for _ in range(20)]
        for i, o in enumerate(others):
            o.send(DNS, 1, f_str(1, "slow.test") + f_u32(2, A), i)
        wait_for("the question", lambda: self.ns.asked)
        event.set()
        for o in others:
            self.assertEqual(o.recv().fields[5], [b"192.0.2.1"])
        self.assertEqual(len(self.ns.asked), 1)
        c.close()

    def test_many_questions_at_once(self):
        """400 names at once, one in eight of them silent: nobody waits for somebody else's."""
        n = 400
        c = self.dnsd("\n".join(f"h{i}.test A 10.0.{i // 250}.{i % 250 + 1}" for i in range(n)), timeout="20s")
        silent = [i for i in range(n) if i % 8 == 0]
        for i in silent:
            self.ns.script(f"h{i}.test", "A", "timeout!")
        clients = [self.m.client(KEY) for _ in range(n)]
        began = time.monotonic()
        for i, o in enumerate(clients):
            o.send(DNS, 1, f_str(1, f"h{i}.test") + f_u32(2, A), i)
        for i, o in enumerate(clients):
            if i not in silent:
                self.assertEqual(o.recv().fields.get(5), [f"10.0.{i // 250}.{i % 250 + 1}".encode()], i)
        self.assertLess(time.monotonic() - began, 18)
        for i in silent:
            self.ns.script(f"h{i}.test", "A")
        for i in silent:
            self.assertEqual(clients[i].recv().fields.get(1, 0), ANSWER, "a repetition came through")
        c.close()

    def test_truncated_goes_to_tcp(self):
        c = self.dnsd("\n".join(f"big.test A 192.0.2.{i}" for i in range(60)))
        self.ns.script("big.test", "A", "truncated!")
        self.assertEqual(len(self.ask(c, "big.test", A)[1]), 60)
        self.assertGreaterEqual(self.ns.tcp_asked, 1)

    def test_hundreds_of_mail_exchangers(self):
        """K05: what is kept is what is preferred."""
        c = self.dnsd("\n".join(f"many.test MX {1000 - i} mx{i}.test" for i in range(900)))
        self.ns.script("many.test", "MX", "truncated!")
        status, data, v = self.ask(c, "many.test", MX)
        self.assertEqual((status, data), (ANSWER, [f"mx{899 - i}.test" for i in range(200)]))
        self.assertEqual(v[4], [101 + i for i in range(200)])

    def test_hostile_octets(self):
        good = [rr("x.test", A, ip("192.0.2.1"))]

        def make(change):
            return lambda q, name, kind, tcp: change(q, question(q)[2])

        head = lambda q, end, n=1: q[:2] + struct.pack(">HHHHH", 0x8180, 1, n, 0, 0) + q[12:end]  # noqa: E731
        bad = {
            "loop": lambda q, end: head(q, end) + b"\xc0" + bytes([end]) + b"\0\1\0\1\0\0\0\1\0\4abcd",
            "counts": lambda q, end: q[:2] + struct.pack(">HHHHH", 0x8180, 1, 65535, 65535, 65535) + q[12:end],
            "longip": lambda q, end: message(q, 0, [rr("longip.test", A, b"12345")]),
            "other": lambda q, end: q[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + wire_name("evil.test") + b"\0\1\0\1" + good[0],
            "header": lambda q, end: q[:6],
            "label": lambda q, end: head(q, end) + b"\x40" + b"a" * 64 + b"\0" + b"\0\1\0\1\0\0\0\1\0\4abcd",
        }
        c = self.dnsd(timeout="1s")
        for k, v in bad.items():
            self.ns.script(f"{k}.test", "A", *[make(v)] * 1)
        for k in ("short", "cut", "long", "noise", "empty", "wrong-id", "wrong-question"):
            self.ns.add(f"{k}.test A 192.0.2.1")
            self.ns.script(f"{k}.test", "A", k + "!")
        for kind, octets in ((MX, b""), (MX, b"\0"), (MX, b"\0\1"), (TXT, b""), (TXT, b"\5ab"), (TLSA, b""), (TLSA, b"\3\1\1"),
                             (AAAA, bytes(15)), (AAAA, bytes(17)), (A, bytes(3))):
            self.ns.script("rdata.test", NAMES[kind],
                           *[lambda q, name, kind, tcp, o=octets: message(q, 0, [rr(name, kind, o)])])
            self.assertEqual(self.ask(c, "rdata.test", kind)[:2], (AGAIN, []), (kind, octets))
        for name in list(bad) + ["short", "cut", "long", "noise", "empty", "wrong-id", "wrong-question"]:
            status, data, _ = self.ask(c, f"{name}.test", A)
            self.assertEqual((status, data), (AGAIN, []), name)
        self.ns.add("x.test A 192.0.2.1")
        wait_for("an answer: dnsd still serves", lambda: self.ask(c, "x.test", A)[0] == ANSWER)

    def test_a_spoofed_reply_is_not_waited_for_in_vain(self):
        """K06: a reply with another id is passed over, the true one that comes behind it counts."""
        c = self.dnsd("a.test A 192.0.2.1", timeout="8s")
        self.ns.script("a.test", "A", "wrong-id")
        self.assertEqual(self.ask(c, "a.test", A)[:2], (ANSWER, ["192.0.2.1"]))

    def test_records_of_strangers_are_dropped(self):
        c = self.dnsd("a.test A 192.0.2.1\na.test MX 2 good.test")
        self.ns.script("a.test", "A", "stranger")

        def hosts(*names):
            return lambda q, name, kind, tcp: message(
                q, 0, [rr(name, kind, (b"\0\1" if kind == MX else b"") + wire_name(n)) for n in names])

        self.ns.script(reverse("192.0.2.1"), "PTR", hosts("evil\nlog line.test"))
        self.ns.script(reverse("192.0.2.2"), "PTR", hosts("%n$(id)\x1b.test", "\0.test", "caf\xc3\xa9.test", "fine.test"))
        self.ns.script("b.test", "MX", hosts("bad name.test", "good.test"))
        self.ns.script("c.test", "MX", hosts("bad name.test", "-x.test"))
        self.assertEqual(self.ask(c, "a.test", A)[1], ["192.0.2.1"])
        self.ns.add("bank.test A 192.0.2.5")
        self.assertEqual(self.ask(c, "bank.test", A)[1], ["192.0.2.5"], "nobody else's answer was kept")
        self.assertEqual(self.ask(c, "192.0.2.1", PTR)[:2], (INVALID, []))
        self.assertEqual(self.ask(c, "192.0.2.2", PTR)[:2], (ANSWER, ["fine.test"]))
        self.assertEqual(self.ask(c, "b.test", MX)[1], ["good.test"])
        self.assertEqual(self.ask(c, "c.test", MX)[:2], (INVALID, []), "not as if there were no MX")

    def test_broken_client_is_dropped_alone(self):
        c = self.dnsd("a.test A 192.0.2.1")
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
