"""cleanup, the daemon alone: header, rewriting, aliases, BCC, limits, verdicts, and who is believed."""
import os, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402
from queue_peers import *  # noqa: E402,F403

EXPANDED = 0x66     # queue_cell
LOCAL = {"context": "local", "origin": "pickup"}


class Cleanup(unittest.TestCase):
    def start(self, main_cf="", files=None, rewrite=True, **kw):
        m = FakeMaster(self, "cleanup", listen=("queue:cleanup", "net:cleanup"), main_cf=main_cf, **kw)
        for name, text in (files or {}).items():
            with open(os.path.join(m.dir, name), "w") as f:
                f.write(text)
        if rewrite:
            self.rewrite = FakeRewrite(m)
        self.qmgr = FakeQmgr(m)
        m.start()
        m.ready()
        self.m = m
        return CleanupClient(m.client("queue:cleanup"))

    def commit(self, c, content, rcpts=("bob@example.test",), sender="anna@example.test", **f):
        r = c.mail(content, rcpts, sender, **f)
        self.assertEqual((r.get(1, 0), r[2]), (0, b"2.0.0"), r)
        return mails(self.m)[r[4].decode()]

    def test_commit(self):
        c = self.start()
        mail = self.commit(c, b"Subject: x\n\nbody\n", envid="e1", client_name="host", uid=1000, ret=1)
        self.assertEqual(mail.content, b"Subject: x\n\nbody\n")
        self.assertEqual((mail.sender, mail.rcpts), ("anna@example.test", ["bob@example.test"]))
        self.assertEqual((mail.facts["E"], mail.facts["n"]), (b"e1", b"host"))
        self.assertEqual(mail.crlf_size, len(mail.content) + 3)
        wait_for("qmgr is told", lambda: self.qmgr.arrived == [mail.id])
        self.m.wait_log(f"{mail.id}: message-id=<>")
        # a second one over the same connection
        again = self.commit(c, b"Subject: y\n\n")
        self.assertNotEqual(mail.id, again.id)
        self.assertNotEqual(mail.nonce, again.nonce)

    def test_missing_headers_local(self):
        c = self.start()
        mail = self.commit(c, b"Subject: x\n\nb\n", sender="root", full_name="Anna B.", **LOCAL)
        self.assertEqual(mail.header("From"), ['"Anna B." <root@example.test>'])
        self.assertEqual(mail.header("Message-Id"), [f"<{mail.id}@mail.example.test>"])
        self.assertEqual(len(mail.header("Date")), 1)
        self.assertEqual(mail.header("To"), [])
        self.assertEqual(mail.sender, "root@example.test")
        self.assertEqual(mail.facts["i"].decode(), f"<{mail.id}@mail.example.test>")

    def test_missing_headers_remote(self):
        c = self.start()
        mail = self.commit(c, b"Subject: x\nTo: bob\n\nb\n")
        self.assertEqual(mail.content, b"Subject: x\nTo: bob\n\nb\n")

    def test_always_add_and_undisclosed(self):
        c = self.start("always_add_missing_headers = yes\nundisclosed_recipients_header = To: undisclosed-recipients:;")
        mail = self.commit(c, b"Subject: x\n\nb\n")
        self.assertEqual(mail.header("To"), ["undisclosed-recipients:;"])
        self.assertEqual(mail.header("From"), ["anna@example.test"])
        self.assertEqual(self.commit(c, b"Cc: bob\n\nb\n").header("To"), [])

    def test_resent(self):
        c = self.start()
        mail = self.commit(c, b"From: a@b.test\nResent-To: bob\n\nb\n", **LOCAL)
        self.assertEqual(mail.header("Resent-From"), ["anna@example.test"])
        self.assertEqual(len(mail.header("Resent-Date")), 1)
        self.assertEqual(mail.header("Resent-Message-Id"), [f"<{mail.id}@mail.example.test>"])
        self.assertEqual((mail.header("Date"), mail.header("Message-Id")), ([], []))
        self.assertEqual(mail.header("Resent-To"), ["bob@example.test"])

    def test_dropped_headers(self):
        c = self.start()
        mail = self.commit(c, b"Return-Path: <x>\nBcc: secret@example.test,\n other\nContent-Length: 3\n"
                              b"RESENT-BCC: y\nX-Bcc: stays\n\nBcc: body\n")
        self.assertEqual(mail.content, b"X-Bcc: stays\n\nBcc: body\n")

    def test_header_rewriting(self):
        c = self.start()
        mail = self.commit(c, b"From: Anna <anna>\nTo: bob@host, \"x y\"@example.test (note),\n carol\n"
                              b"Subject: anna\nDate: x\nMessage-Id: <1@x>\n\nTo: bob\n", **LOCAL)
        self.assertEqual(mail.content,
                         b"From: Anna <anna@example.test>\nTo: bob@host.example.test, \"x y\"@example.test (note),\n"
                         b" carol@example.test\nSubject: anna\nDate: x\nMessage-Id: <1@x>\n\nTo: bob\n")
        self.m.wait_log(f"{mail.id}: message-id=<1@x>")

    def test_masquerade(self):
        c = self.start("masquerade_domains = !keep.example.test, example.test other.test\nmasquerade_exceptions = root\n"
                       "canonical_maps = inline:{carl@a.example.test=carla@b.example.test}\n")
        head = (b"From: Anna <anna@a.example.test>\nTo: bob@deep.down.other.test, x@y.keep.example.test,\n root@a.example.test, "
                b"carl@a.example.test\nReply-To: z@notexample.test\nSubject: anna@a.example.test\n\nb\n")
        want = (b"From: Anna <anna@example.test>\nTo: bob@other.test, x@y.keep.example.test,\n root@a.example.test, "
                b"carla@example.test\nReply-To: z@notexample.test\nSubject: anna@a.example.test\n\nb\n")
        mail = self.commit(c, head, ["u@a.example.test"], "anna@A.Example.test", **{**LOCAL, "context": "local"})
        self.assertTrue(mail.content.startswith(want[:-3]), mail.content)
        self.assertEqual((mail.sender, mail.rcpts), ("anna@Example.test", ["u@a.example.test"]), "recipients are not a class of it")
        self.assertEqual(self.commit(c, b"\nb\n", sender="root@a.example.test").sender, "root@a.example.test")
        c = self.start("masquerade_domains = example.test\nmasquerade_classes = envelope_recipient\n")
        mail = self.commit(c, b"From: anna@a.example.test\n\nb\n", ["u@a.example.test"], "anna@a.example.test", context="local")
        self.assertEqual((mail.sender, mail.rcpts), ("anna@a.example.test", ["u@example.test"]))
        self.assertIn(b"From: anna@a.example.test", mail.content)

    def test_header_ends_at_text(self):
        c = self.start()
        self.assertEqual(self.commit(c, b"Subject: x\nno header\nBcc: y\n").content,
                         b"Subject: x\n\nno header\nBcc: y\n")
        self.assertEqual(self.commit(c, b"\nBcc: body\n").content, b"\nBcc: body\n")
        self.assertEqual(self.commit(c, b"Subject: x").content, b"Subject: x\n")
        self.assertEqual(self.commit(c, b"").content, b"")

    def test_pieces_of_any_size(self):
        c = self.start()
        text = b"Subject: a\n b\nBcc: x,\n y\nX: " + b"z" * 300 + b"\n\nbody\n\n.\nend"
        want = b"Subject: a\n b\nX: " + b"z" * 300 + b"\n\nbody\n\n.\nend\n"
        for step in (1, 2, 7, 100):
            c.open()
            c.rcpt("bob@example.test")
            for i in range(0, len(text), step):
                c.data(text[i:i + step])
            r = c.end()
            self.assertEqual(mails(self.m)[r[4].decode()].content, want)

    def test_header_size_limit(self):
        c = self.start("header_size_limit = 1000\n")
        mail = self.commit(c, b"X: " + b"a" * 5000 + b"\nSubject: y\n\nb\n")
        self.assertTrue(mail.content.startswith(b"X: aaa"))
        self.assertLess(len(mail.content), 1100)
        self.assertTrue(mail.content.endswith(b"\nSubject: y\n\nb\n"))
        mail = self.commit(c, b"X: " + b"a\n " * 5000 + b"\nSubject: y\n\nb\n")
        self.assertLess(len(mail.content), 1100)
        text = b"no header " * 1000 + b"\nrest\n"
        self.assertEqual(self.commit(c, text).content, b"\n" + text)
        c.open()
        c.rcpt("bob@example.test")
        for i in range(0, len(text), 77):
            c.data(text[i:i + 77])
        r = c.end()
        self.assertEqual(mails(self.m)[r[4].decode()].content, b"\n" + text)

    def refused(self, r, status, code, dsn):
        self.assertEqual((r.get(1, 0), r[5], r[2].decode()), (status, code, dsn), r)
        wait_for("nothing is left", lambda: not mails(self.m))

    def test_limits(self):
        c = self.start("hopcount_limit = 3\nheader_count_limit = 20\nmessage_size_limit = 200000\n")
        self.refused(c.mail(b"Received: x\n" * 3 + b"\n"), 2, 554, "5.4.0")
        self.refused(c.mail(b"X: x\n" * 21 + b"\n"), 2, 554, "5.6.0")
        self.refused(c.mail(b"\n" + b"x" * 200001), 2, 552, "5.3.4")
        self.refused(c.mail(b"\n", rcpts=()), 2, 550, "5.1.0")
        # mail that was here before is not measured again
        self.assertEqual(c.mail(b"\n" + b"x" * 200001, flags=16).get(1, 0), 0)

    def test_abort_leaves_nothing(self):
        c = self.start()
        c.open()
        c.rcpt("bob@example.test")
        c.data(b"\n" + b"x" * 200000)
        wait_for("it is written to", lambda: any(files for _, _, files in os.walk(os.path.join(self.m.dir, "incoming"))))
        c.conn.close()
        wait_for("it is gone", lambda: not any(f for _, _, f in os.walk(os.path.join(self.m.dir, "incoming"))))

    def test_large(self):
        c = self.start("message_size_limit = 0\n")
        body = bytes(range(1, 256)) * 4000
        mail = self.commit(c, b"Subject: x\n\n" + body)
        self.assertEqual(mail.content, b"Subject: x\n\n" + body + b"\n")
        self.assertEqual(mail.content_flags & 1, 1)

    def test_canonical(self):
        c = self.start("canonical_maps = inline:{bob@example.test=robert@example.test}\n"
                       "sender_canonical_maps = inline:{anna@example.test=Anna.B@example.test}\n"
                       "recipient_canonical_maps = inline:{@old.test=@new.test}\n"
                       "recipient_delimiter = +\n")
        mail = self.commit(c, b"From: anna@example.test\nTo: bob@example.test, x@old.test\n\n",
                           rcpts=("bob+ext@example.test", "x@old.test"), **LOCAL)
        self.assertEqual(mail.sender, "Anna.B@example.test")
        self.assertEqual(mail.rcpts, ["robert+ext@example.test", "x@new.test"])
        self.assertEqual([r["original"] for r in mail.records], ["bob+ext@example.test", "x@old.test"])
        self.assertEqual(mail.header("From"), ["Anna.B@example.test"])
        self.assertEqual(mail.header("To"), ["robert@example.test, x@new.test"])

    def test_canonical_loop(self):
        c = self.start("canonical_maps = inline:{{a@x.test=b@x.test},{b@x.test=a@x.test}}\n")
        self.refused(c.mail(b"\n", rcpts=("a@x.test",)), 1, 451, "4.3.0")

    def test_virtual(self):
        c = self.start("virtual_alias_maps = inline:{ {list@v.test = one@v.test, two@v.test, carol},"
                       " {two@v.test = three@v.test}, {self@v.test = self@v.test, x@v.test}, {@cat.test = all@v.test},"
                       " {loop@v.test = loop2@v.test}, {loop2@v.test = loop@v.test} }\n")
        mail = self.commit(c, b"\n", rcpts=("list@v.test",))
        self.assertEqual(mail.rcpts, ["one@v.test", "three@v.test", "carol@example.test"])
        self.assertEqual(mail.records[0]["original"], "list@v.test")
        self.assertEqual(self.commit(c, b"\n", rcpts=("self@v.test",)).rcpts, ["self@v.test", "x@v.test"])
        self.assertEqual(self.commit(c, b"\n", rcpts=("y@cat.test",)).rcpts, ["all@v.test"])
        self.assertEqual(len(self.commit(c, b"\n", rcpts=("loop@v.test",)).rcpts), 1)

    def test_empty_address(self):
        c = self.start("empty_address_recipient = nil\n")
        self.assertEqual(self.commit(c, b"\n", rcpts=("", "bob@example.test")).rcpts,
                         ["nil@example.test", "bob@example.test"])

    def test_virtual_and_reports_of_success(self):
        NEVER, SUCCESS, FAILURE = 1, 2, 4
        c = self.start("virtual_alias_maps = inline:{ {list@v.test = one@v.test, list@v.test}, {one@v.test = two@v.test},"
                       " {bare@v.test = x@v.test, y@v.test} }\n")

        def records(*rcpts):
            return [(r["cell"], r["address"], r["notify"], r["orcpt"]) for r in self.commit(c, b"\n", rcpts).records]
        orcpt = "rfc822;list@v.test"
        # several: "expanded" is told for the alias, once; its members report the rest
        self.assertEqual(records(("list@v.test", "", orcpt, SUCCESS | FAILURE)),
                         [(EXPANDED, "list@v.test", SUCCESS | FAILURE, orcpt), (0, "two@v.test", FAILURE, orcpt),
                          (0, "list@v.test", FAILURE, orcpt)])
        self.assertEqual(records(*[("bare@v.test", "", "", SUCCESS)] * 2),
                         [(EXPANDED, "bare@v.test", SUCCESS, ""), (0, "x@v.test", NEVER, ""), (0, "y@v.test", NEVER, "")])
        # one: the request goes with the mail
        self.assertEqual(records(("one@v.test", "", "", SUCCESS)), [(0, "two@v.test", SUCCESS, "")])
        # nobody asked
        self.assertEqual(records(("bare@v.test", "", "", FAILURE)),
                         [(0, "x@v.test", FAILURE, ""), (0, "y@v.test", FAILURE, "")])
        # a requeued mail brings them along, and only our own programs may
        self.assertEqual(records(("bare@v.test", "", "", SUCCESS, True), "z@v.test"),
                         [(EXPANDED, "bare@v.test", SUCCESS, ""), (0, "z@v.test", 0, "")])
        net = CleanupClient(self.m.client("net:cleanup"))
        self.assertEqual([r["cell"] for r in self.commit(net, b"\n", [("bare@v.test", "", "", 0, True)]).records], [0, 0])

    def test_virtual_limits(self):
        c = self.start("virtual_alias_maps = regexp:VDIR/v\nvirtual_alias_expansion_limit = 10\n"
                       "virtual_alias_address_length_limit = 40\n".replace("VDIR", "/dev/null/nothing"))
        # a table that cannot be opened is trouble of ours: later, never "not found"
        self.refused(c.mail(b"\n", rcpts=("a@v.test",)), 1, 451, "4.3.0")

    def test_virtual_expansion_limit(self):
        many = ", ".join(f"u{i}@v.test" for i in range(11))
        c = self.start("virtual_alias_maps = inline:{ {many@v.test = %s}, {long@v.test = %s@v.test} }\n"
                       "virtual_alias_expansion_limit = 10\nvirtual_alias_address_length_limit = 40\n"
                       % (many, "l" * 50))
        self.refused(c.mail(b"\n", rcpts=("many@v.test",)), 1, 451, "4.6.0")
        self.refused(c.mail(b"\n", rcpts=("long@v.test",)), 1, 451, "4.6.0")

    def test_bcc_and_duplicates(self):
        c = self.start("always_bcc = archive\nsender_bcc_maps = inline:{anna@example.test=boss@example.test}\n"
                       "recipient_bcc_maps = inline:{bob@example.test=copy@example.test}\n")
        mail = self.commit(c, b"\n", rcpts=("bob@example.test", "BOB@example.test", "carol@example.test"))
        self.assertEqual(mail.rcpts, ["bob@example.test", "copy@example.test", "carol@example.test",
                                      "boss@example.test", "archive@example.test"])
        self.assertEqual([r["notify"] for r in mail.records if r["address"].startswith(("archive", "boss", "copy"))],
                         [1, 1, 1])
        same = self.commit(c, b"\n", rcpts=("bob@example.test", "bob@example.test"), flags=4)
        self.assertEqual(same.rcpts, ["bob@example.test"])

    def test_privileged_fields(self):
        c = self.start()
        a = self.commit(c, b"\n", parent_nonce=7, parent_offset=300, expansion="x, y", arrival_us=1795420800000000)
        b = self.commit(c, b"\n", parent_nonce=7, parent_offset=300, expansion="x, y")
        self.assertEqual((a.nonce, a.flags & 2, a.arrival_us), (b.nonce, 2, 1795420800000000))
        self.assertNotEqual(a.id, b.id)
        net = CleanupClient(self.m.client("net:cleanup"))
        n = self.commit(net, b"\n", parent_nonce=7, parent_offset=300, expansion="x, y", flags=1 | 4 | 8, uid=0,
                        arrival_us=1795420800000000)
        self.assertNotEqual(n.nonce, a.nonce)
        self.assertEqual((n.flags & 2, "U" in n.facts), (0, False))
        self.assertNotEqual(n.arrival_us, 1795420800000000)

    def test_rewrite_trouble_is_temporary(self):
        c = self.start()
        self.rewrite.fail = True
        self.refused(c.mail(b"\n"), 1, 451, "4.3.0")
        self.m.wait_log("message not accepted, try again later")
        self.rewrite.fail = False
        self.assertEqual(c.mail(b"\n").get(1, 0), 0)

    def test_no_rewrite_is_temporary(self):
        c = self.start(rewrite=False)
        self.refused(c.mail(b"\n"), 1, 451, "4.3.0")

    def test_bad_frames_end_only_the_connection(self):
        self.start()
        for first in (3, 4, 5, 99):
            c = self.m.client("queue:cleanup")
            c.send(CLEANUP, first)
            self.assertIsNone(c.recv())
        c = self.m.client("queue:cleanup")
        c.send(REWRITE, 1)
        self.assertIsNone(c.recv())
        c = CleanupClient(self.m.client("queue:cleanup"))
        self.assertTrue(c.open()[1])
        c.conn.send(CLEANUP, 1)
        self.assertIsNone(c.conn.recv())
        self.commit(CleanupClient(self.m.client("queue:cleanup")), b"\n")

    def test_many_at_once(self):
        self.start()
        clients = [CleanupClient(self.m.client("net:cleanup")) for _ in range(40)]
        for c in clients:
            c.open()
            c.rcpt("bob@example.test")
            c.data(b"Subject: x\n\n")
        for c in clients:
            c.conn.send(CLEANUP, 5)
        ids = {c.conn.recv().fields[4].decode() for c in clients}
        self.assertEqual(ids, set(mails(self.m)))
        self.assertEqual(len(ids), 40)


main()
