"""":include:" files, owners of lists, large and looping expansions."""
import os, re, sys, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import Instance, main

AT = "@example.test"


def headers(path, name):
    with open(path, errors="replace") as f:
        return re.findall(rf"^{name}: (.*)$", f.read().split("\n\n", 1)[0], re.M | re.I)


class Include(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self)
        for name in ("anna", "bob", "cora"):
            self.m.user(name)
        self.owner = os.stat(os.path.join(self.m.conf, "mail"))
        self.lists = os.path.join(self.m.dir, "lists")
        os.mkdir(self.lists)
        os.chmod(self.lists, 0o777)

    def file(self, name, text, mode=0o644, uid=None):
        path = os.path.join(self.lists, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        if os.getuid() == 0:
            os.chown(path, self.owner.st_uid if uid is None else uid, self.owner.st_gid)
        return path

    def aliases(self, text):
        path = os.path.join(self.m.conf, "aliases")
        with open(path, "a") as f:
            f.write("\n" + text)
        self.m.run("postalias", "hash:" + path)

    def sent(self, to, status, seconds=30, count=1):
        self.m.wait_log(rf"to=<{re.escape(to + AT)}>,.* relay=local,.*{status}", seconds, count)

    def flush(self):
        self.m.wait("a deferred mail", lambda: self.m.queue("deferred") and not self.m.queue("active"))
        self.m.merpati("flush")

    def test_forms(self):
        # the grammar of aliases(5): comments, continuation by comma and line, phrases, doubles, nesting, cycles
        self.file("inner", "cora, Bob <bob@example.test>\n:include:" + os.path.join(self.lists, "outer") + "\n")
        self.file("outer", "# a comment\nanna,\n  bob (the builder)\n\n\\anna\n"
                           f":include:{self.lists}/inner\n:include:{self.lists}/inner, anna@example.test\n")
        self.file("with space", "cora\n")
        self.aliases(f':include::  anna\nlist: :include:{self.lists}/outer\n'
                     f'space: :include:{self.lists}/with space\nspace2: ":include:{self.lists}/with space", anna\n'
                     f'empty: :include:{self.file("empty", "# nobody yet" + chr(10))}\n')
        m = self.m.start()
        m.send("x@client.example", ["list" + AT])
        for user in ("anna", "bob", "cora"):
            m.wait_mails(user, 1)
        m.wait_idle()
        # "\anna" and "anna" are two names of one mailbox
        self.assertEqual([len(m.mails(u)) for u in ("bob", "cora")], [1, 1])
        self.assertEqual(headers(m.mails("bob")[0], "Delivered-To"), ["bob" + AT, "list" + AT])
        m.send("x@client.example", ["space" + AT, "space2" + AT])
        m.wait_mails("cora", 3)
        m.send("bob" + AT, ["empty" + AT])
        self.sent("empty", r'dsn=5.1.1, status=bounced \("empty" expands to nobody\)')

    def test_trouble(self):
        # unreadable, for everybody to write, not there, relative, no file, too deep: the mail waits, the admin hears
        self.file("world", "anna\n", 0o666)
        self.file("syntax", '"anna\n')
        os.mkdir(os.path.join(self.lists, "dir"))
        for i in range(25):
            self.file(f"deep{i}", f":include:{self.lists}/deep{i + 1}\n")
        names = {"world": "writable by everybody.*chmod o-w", "missing": "does not exist", "dir": "not a regular file",
                 "syntax": "quoted string without end", "deep0": "nested more than 20 deep"}
        if os.getuid() == 0:
            self.file("secret", "anna\n", 0o600, uid=self.owner.st_uid + 1)
            names["secret"] = "Permission denied"
        self.aliases("".join(f"{n.lower()}: :include:{self.lists}/{n}\n" for n in names) + "relative: :include:lists/x\n")
        m = self.m.start()
        m.send("bob" + AT, [n + AT for n in [*names, "relative"]])
        for n, why in {**names, "relative": "needs an absolute path"}.items():
            self.sent(n, rf"dsn=4.3.5, status=deferred \(alias expansion: .*{why}")
            if n != "secret":
                m.wait_log(rf"warning: \w+: alias expansion: .*{why}")
        self.assertEqual(m.mails("anna"), [])
        os.chmod(os.path.join(self.lists, "world"), 0o644)
        self.flush()
        m.wait_mails("anna", 1)

    def test_commands_and_files(self):
        # not from :include: unless main.cf says so
        out = self.file("out", "", 0o600)
        self.file("list", f"anna\n\"|cat >{self.lists}/mail\"\n{out}\n")
        self.aliases(f"list: :include:{self.lists}/list\n")
        m = self.m.start()
        m.send("bob" + AT, ["list" + AT])
        self.sent("list", r"dsn=5.7.1, status=bounced \(mail to command is restricted \(others: forwarded as \w+\)\)")
        m.wait_mails("anna", 1)
        m.stop()
        m.edit("main.cf", "allow_mail_to_commands = alias, forward, include\nallow_mail_to_files = include\n")
        m.start()
        m.send("x@client.example", ["list" + AT])
        self.sent("list", r"status=sent \(delivered to command: cat .*, delivered to file: .*, forwarded as \w+\)")
        with open(os.path.join(self.lists, "mail")) as f:
            self.assertIn("Delivered-To: list@example.test\n", f.read())
        with open(out) as f:
            self.assertTrue(f.read().startswith("From x@client.example"))

    def test_foreign_owner(self):
        # a private instance has one uid: what another one's file asks for is refused, its addresses are not
        if os.getuid() != 0:
            self.skipTest("needs root to give a file away")
        self.m.edit("main.cf", "allow_mail_to_commands = alias, forward, include\n")
        self.file("good", "anna\n", uid=self.owner.st_uid + 1)
        self.file("bad", "\"|/bin/true\"\n", uid=self.owner.st_uid + 1)
        self.file("roots", f"\"|id -u >{self.lists}/uid\"\n", uid=0)
        self.aliases("".join(f"{n}: :include:{self.lists}/{n}\n" for n in ("good", "bad", "roots")))
        m = self.m.start()
        m.send("bob" + AT, ["good" + AT, "bad" + AT, "roots" + AT])
        m.wait_mails("anna", 1)
        self.sent("bad", rf"dsn=4.3.0, status=deferred .*belongs to uid {self.owner.st_uid + 1}, this instance serves")
        self.sent("roots", "status=sent")
        with open(os.path.join(self.lists, "uid")) as f:
            self.assertEqual(int(f.read()), self.owner.st_uid)

    def test_forward(self):
        home = os.path.join(self.m.conf, "mail", "example.test", "anna")
        os.makedirs(home, exist_ok=True)
        path = os.path.join(home, ".forward")
        with open(path, "w") as f:
            f.write(f":include:{self.file('mine', 'bob' + chr(10))}\n\\anna\n")
        for p in (os.path.dirname(home), home, path):
            os.chown(p, self.owner.st_uid, self.owner.st_gid)
        m = self.m.start()
        m.send("x@client.example", ["anna" + AT])
        m.wait_mails("anna", 1)
        m.wait_mails("bob", 1)

    def test_owner(self):
        self.file("list", "anna\nbob\n")
        self.aliases(f"list: :include:{self.lists}/list\nowner-list: cora\n"
                     f"broken: nobody.here\nowner-broken: cora\n"
                     f"two: anna\nowner-two: cora, bob\nlist-request: cora\nowner-list-request: bob\n")
        m = self.m
        m.edit("main.cf", "local_recipient_maps =\n")
        m.start()
        m.send("x@client.example", ["list" + AT])
        path, = m.wait_mails("anna", 1)
        self.assertEqual(headers(path, "Return-Path"), ["<owner-list@example.test>"])
        # the owner hears of what its list cannot deliver, the author does not
        m.send("x@client.example", ["broken" + AT])
        path, = m.wait_mails("cora", 1)
        with open(path) as f:
            self.assertIn("unknown user", f.read())
        # a companion is an alias as others are
        m.send("x@client.example", ["list-request" + AT])
        m.wait_mails("cora", 2)
        self.assertIn(["<owner-list-request@example.test>"], [headers(p, "Return-Path") for p in m.mails("cora")])
        m.stop()
        m.edit("main.cf", "expand_owner_alias = yes\n")
        m.start()
        m.send("x@client.example", ["list" + AT, "two" + AT])
        m.wait_mails("anna", 3)
        # the address that the owner alias names; one that names two stays itself
        self.assertEqual(sorted(headers(p, "Return-Path")[0] for p in m.mails("anna")),
                         ["<cora@example.test>", "<owner-list@example.test>", "<owner-two@example.test>"])

    def test_delimiters(self):
        # several characters: the first that stands in the name counts
        self.m.edit("main.cf", "recipient_delimiter = +-\n")
        self.aliases(f'sales-team: bob\nprog: "|echo $EXTENSION >{self.lists}/ext; cat >/dev/null"\n')
        m = self.m.start()
        for name in ("anna-x", "anna+y-z", "sales-team"):
            m.send("x@client.example", [name + AT])
        m.wait_mails("anna", 2)
        m.wait_mails("bob", 1)
        m.send("x@client.example", ["prog-a+b" + AT])
        self.sent("prog-a+b", "status=sent")
        with open(os.path.join(self.lists, "ext")) as f:
            self.assertEqual(f.read(), "a+b\n")

    def test_large(self):
        # ten thousand members are one more mail in the queue, and each gets it once
        self.m.edit("main.cf", "transport_maps = inline:{discard.example=discard:}\n"
                               "discard_destination_concurrency_limit = 50\n")
        n = 10000
        self.file("big", "".join(f"u{i}@discard.example\n" for i in range(n)) + "u1@Discard.Example, U2@discard.example\n")
        self.aliases(f"big: :include:{self.lists}/big\nowner-big: cora\n")
        m = self.m.start()
        m.send("x@client.example", ["big" + AT])
        self.sent("big", r"status=sent \(forwarded as \w+\)", 60)
        child = re.search(r"forwarded as (\w+)\)", m.log())[1]
        m.wait_log(rf"{child}: from=<owner-big@example.test>, size=\d+, nrcpt={n} ")
        m.wait("the end of the queue", lambda: not m.queue(), 200)
        m.wait_log(rf"{child}: removed")
        def logged():
            return re.findall(rf"{child}: to=<(\S+)@discard.example>, .*status=sent", m.log())

        def lost():     # a log that is written faster than it is read leaves lines out, and says how many
            return sum(int(x) for x in re.findall(r"discard\[\d+\]: warning: (\d+) log lines lost", m.log()))
        m.wait("every delivery in the log", lambda: len(logged()) + lost() >= n)
        self.assertEqual((len(logged()) + lost(), len(set(logged()))), (n, len(logged())))
        self.assertEqual(len(re.findall(r"qmgr\[\d+\]: \w+: from=<", m.log())), 2)

    def test_loops(self):
        # whatever goes round ends with one report
        self.file("a", "loop-b\n")
        self.file("b", "loop-a\n")
        self.aliases(f"loop-a: :include:{self.lists}/a\nloop-b: :include:{self.lists}/b\n"
                     "ring1: ring2\nring2: ring3\nring3: ring1\n")
        m = self.m.start()
        m.send("bob" + AT, ["loop-a" + AT])
        self.sent("loop-a", r"dsn=5.4.6, status=bounced \(mail forwarding loop")
        m.wait_mails("bob", 1)
        m.send("anna" + AT, ["ring1" + AT])
        self.sent("ring1", r"dsn=5.4.6, status=bounced \(mail forwarding loop")
        m.wait_mails("anna", 1)
        m.wait("the end of the queue", lambda: not m.queue())
        self.assertEqual((len(m.mails("bob")), len(m.mails("anna"))), (1, 1))


main()
