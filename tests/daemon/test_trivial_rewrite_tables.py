"""trivial-rewrite with a real main.cf and tables: classes, transport_maps, failing tables, hostile addresses."""
import os, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_queue import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402

MAIN = """
mydomain = here.test
myorigin = $mydomain
mydestination = $myhostname, $mydomain, localhost
inet_interfaces = 127.0.0.1, [::1]
relay_domains = backup.test
virtual_alias_domains = alias.test
virtual_mailbox_domains = texthash:%(dir)s/boxes
local_transport = local:here
transport_maps = texthash:%(dir)s/transport
recipient_delimiter = +
compatibility_level = 3.6
"""
TRANSPORT = """
one@far.test      slow:gate.test
two@here.test     discard:
sub.far.test      smtp:[192.0.2.7]
.deep.test        deep:
closed.test       error:5.7.1 closed for ever
"""
BY_SENDER = """
anna@here.test    [isp-a.test]:587
@sales.test       [isp-s.test]
dunno@sales.test  DUNNO
<>                [isp-null.test]
"""
MOVED = """
old@far.test      new@newer.test
gone              gone@newer.test
@closed.test      somewhere else
"""
TEMP, LOCAL, ROUTED, MALFORMED = 1, 2, 4, 8


class Tables(unittest.TestCase):
    def world(self, more=""):
        m = FakeMaster(self, "trivial-rewrite", listen=("queue:rewrite",))
        for name, text in (("boxes", "boxes.test x\n"), ("transport", TRANSPORT), ("by-sender", BY_SENDER), ("moved", MOVED)):
            with open(os.path.join(m.dir, name), "w") as f:
                f.write(text)
        with open(os.path.join(m.dir, "main.cf"), "a") as f:
            f.write((MAIN + more) % {"dir": m.dir})
        m.start()
        m.ready()
        return m, m.client("queue:rewrite")

    def resolve(self, conn, *addrs, sender=""):
        f = conn.call(REWRITE, 3, f_str(1, sender) + f_strs(2, addrs)).fields
        return [(t.decode(), n.decode(), r.decode("utf-8", "replace"), fl)
                for t, n, r, fl in zip(f[1], f[2], f[3], f[4])]

    def rewrite(self, conn, context, *addrs):
        return [a.decode() for a in conn.call(REWRITE, 1, f_str(1, context) + f_strs(2, addrs)).fields[2]]

    def test_classes(self):
        m, c = self.world()
        got = self.resolve(c, "a@here.test", "a@mail.example.test", "a@[127.0.0.1]", "a@[192.0.2.9]", "a@backup.test",
                           "a@x.backup.test", "a@alias.test", "a@boxes.test", "a@far.test")
        self.assertEqual([(t, n) for t, n, _, _ in got],
                         [("local", "here"), ("local", "here"), ("local", "here"), ("smtp", "[192.0.2.9]"),
                          ("relay", "backup.test"), ("relay", "x.backup.test"),
                          ("error", "5.1.1 User unknown in virtual alias table"), ("virtual", "boxes.test"),
                          ("smtp", "far.test")])

    def test_transport_maps(self):
        m, c = self.world()
        got = self.resolve(c, "one@far.test", "one+ext@FAR.test", "two@here.test", "x@sub.far.test", "x@deep.test",
                           "x@a.deep.test", "x@closed.test")
        self.assertEqual([(t, n) for t, n, _, _ in got],
                         [("slow", "gate.test"), ("slow", "gate.test"), ("discard", "here.test"),
                          ("smtp", "[192.0.2.7]"), ("smtp", "deep.test"), ("deep", "a.deep.test"),
                          ("error", "5.7.1 closed for ever")])

    def test_no_way_around_the_relay_rules(self):
        m, c = self.world()
        for a in ("u%far.test@here.test", "far.test!u@here.test", "u@far.test@here.test", "@here.test:u@far.test",
                  "u@far.test@[127.0.0.1]", "u%far.test%here.test@here.test", "here.test!far.test!u"):
            t, n, r, fl = self.resolve(c, a)[0]
            self.assertEqual((t, n, fl & LOCAL), ("smtp", "far.test", 0), a)
        for a in ("!", "u@", "@far.test", "u@.", "u@d..e", "u@[x]", "-rf@here.test", "\x00@far.test", "a\r\nb@far.test\r\n"):
            t, n, r, fl = self.resolve(c, a)[0]
            self.assertTrue(fl & MALFORMED or (t, n) == ("smtp", "far.test"), (a, t, n, fl))

    def test_relayhost_by_sender(self):
        m, c = self.world("sender_dependent_relayhost_maps = texthash:%(dir)s/by-sender\nrelayhost = [all.test]\n")
        for sender, hop in (("anna@here.test", "[isp-a.test]:587"), ("ANNA+list@Here.test", "[isp-a.test]:587"),
                            ("x@sales.test", "[isp-s.test]"), ("dunno@sales.test", "[all.test]"), ("", "[isp-null.test]"),
                            ("x@y.test", "[all.test]"), ("anna@here.test", "[isp-a.test]:587")):
            got = self.resolve(c, "u@far.test", "u@backup.test", "u@here.test", "one@far.test", sender=sender)
            self.assertEqual([(t, n) for t, n, _, _ in got],
                             [("smtp", hop), ("relay", hop), ("local", "here"), ("slow", "gate.test")], sender)

    def test_transport_by_sender(self):
        m, c = self.world("sender_dependent_default_transport_maps = inline:{anna@here.test=slow:, @sales.test=slow:[hop.test]:99, "
                          "none=slow:}\nempty_address_default_transport_maps_lookup_key = none\n")
        for sender, want in (("anna@here.test", ("slow", "far.test")), ("x@sales.test", ("slow", "[hop.test]:99")),
                             ("", ("slow", "far.test")), ("x@y.test", ("smtp", "far.test"))):
            self.assertEqual(self.resolve(c, "u@far.test", sender=sender)[0][:2], want)
            self.assertEqual(self.resolve(c, "u@backup.test", sender=sender)[0][:2], ("relay", "backup.test"))
        m, c = self.world("sender_dependent_relayhost_maps = texthash:/nonexistent/by-sender\n")
        self.assertEqual(self.resolve(c, "u@far.test")[0][3] & TEMP, TEMP)
        self.assertEqual(self.resolve(c, "u@here.test")[0][3] & TEMP, 0, "our own mail does not need it")

    def test_relocated(self):
        m, c = self.world("relocated_maps = texthash:%(dir)s/moved\n")
        got = self.resolve(c, "old@far.test", "gone@here.test", "gone+x@here.test", "gone@far.test", "any@closed.test")
        self.assertEqual([(t, n) for t, n, _, _ in got],
                         [("error", "5.1.6 User has moved to new@newer.test"), ("error", "5.1.6 User has moved to gone@newer.test"),
                          ("error", "5.1.6 User has moved to gone@newer.test"), ("smtp", "far.test"),
                          ("error", "5.7.1 closed for ever")])

    def test_rewrite(self):
        m, c = self.world("append_dot_mydomain = yes\nremote_header_rewrite_domain = domain.invalid\n")
        self.assertEqual(self.rewrite(c, "local", "u", "u@h", "@r:u@h.test", "a!b", ""),
                         ["u@here.test", "u@h.here.test", "u@h.test", "b@a.here.test", ""])
        self.assertEqual(self.rewrite(c, "remote", "u", "u@h", "u@h.test"),
                         ["u@domain.invalid", "u@h.domain.invalid", "u@h.test"])

    def test_table_that_fails(self):
        m, c = self.world("transport_maps = texthash:/nonexistent/transport\n")
        self.assertEqual(self.resolve(c, "a@far.test")[0][3], TEMP)
        m.wait_log("cannot resolve <a@far.test>")
        m, c = self.world("mydestination = texthash:/nonexistent/here\ntransport_maps =\n")
        self.assertEqual(self.resolve(c, "a@far.test")[0][3], TEMP)

    def test_bad_list_in_main_cf(self):
        m, c = self.world("relay_domains = nosuchtype:/x\n")
        self.assertEqual(self.resolve(c, "a@far.test")[0][3], TEMP)
        self.assertEqual(self.resolve(c, "a@here.test")[0][0], "local")

    def test_many_and_too_many(self):
        m, c = self.world()
        got = self.resolve(c, *[f"u{i}@far.test" for i in range(1000)])
        self.assertEqual(len(got), 1000)
        self.assertIsNone(c.call(REWRITE, 3, f_strs(2, ["x@y"] * 1001)))
        c = m.client("queue:rewrite")
        self.assertEqual(len(self.resolve(c, "x@here.test")), 1)

    def test_hostile_frames(self):
        m, c = self.world()
        for octets in (b"W", b"\xff" * 64, b"\x10\0\0\0\x03\0\x01\0\x03\0\0\0\1\0\0\0\xff\xff\xff\xff"):
            x = m.client("queue:rewrite")
            x.sock.sendall(octets)
            x.close()
        self.assertEqual(self.resolve(c, "x@here.test")[0][0], "local")


if __name__ == "__main__":
    main()
