"""Local delivery through the whole way in: SMTP -> cleanup -> qmgr -> local -> Maildir."""
import os, re, stat, sys, time, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import Instance, main

AT = "@example.test"


def headers(path, name):
    with open(path, "rb") as f:
        head = f.read().split(b"\n\n", 1)[0].decode(errors="replace")
    return re.findall(rf"^{name}: (.*)$", head, re.M | re.I)


class Local(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self)
        for name in ("anna", "bob", "cora"):
            self.m.user(name)

    def aliases(self, text):
        with open(os.path.join(self.m.conf, "aliases"), "a") as f:
            f.write("\n" + text)
        self.m.run("postalias", "hash:" + os.path.join(self.m.conf, "aliases"))

    def home(self, user):
        return os.path.join(self.m.conf, "mail", "example.test", user)

    def forward(self, user, text, name=".forward", mode=0o600):
        home = self.home(user)
        owner = os.stat(os.path.join(self.m.conf, "mail"))
        made = not os.path.isdir(home)
        os.makedirs(home, exist_ok=True)
        path = os.path.join(home, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        if os.getuid() == 0:
            for p in (os.path.dirname(home), home, path) if made else (path,):
                os.chown(p, owner.st_uid, owner.st_gid)
        return path

    def test_plain(self):
        m = self.m.start()
        m.send("x@client.example", ["Anna" + AT, "bob" + AT], "Subject: one\r\n\r\nline\r\n..dot\r\n")
        path, = m.wait_mails("anna", 1)
        m.wait_mails("bob", 1)
        with open(path, "rb") as f:
            text = f.read()
        self.assertTrue(text.startswith(b"Return-Path: <x@client.example>\nX-Original-To: "), text[:200])
        self.assertEqual(headers(path, "Delivered-To")[0].lower(), "anna" + AT)
        self.assertTrue(text.endswith(b"\nline\n..dot\n"), text[-60:])
        name = os.path.basename(path)
        self.assertRegex(name, r"^\d+\.K[0-9a-f]{32}\.[^,]+,S=%d,W=\d+$" % len(text))
        self.assertEqual(int(re.search(r"W=(\d+)", name)[1]), len(text) + text.count(b"\n"))
        m.wait_log(r"merpati/local\[\d+\]: \w+: to=<[Aa]nna@example.test>, relay=local, delay=[\d.]+, "
                   r"delays=[\d./]+, dsn=2.0.0, status=sent \(delivered to maildir\)")
        m.wait_idle()
        self.assertEqual(os.listdir(os.path.join(os.path.dirname(os.path.dirname(path)), "tmp")), [])

    def test_extension_and_unknown(self):
        self.aliases("lists+special: bob\n")
        m = self.m.start()
        m.send("anna" + AT, ["anna+some.where" + AT])
        m.wait_mails("anna", 1)
        m.send("anna" + AT, ["lists+special" + AT])
        m.wait_mails("bob", 1)
        # smtpd refuses unknown users: a name that vanishes after it was accepted bounces
        m.send("bob" + AT, ["cora" + AT])
        m.wait_mails("cora", 1)
        m.wait_idle()

    def test_aliases(self):
        self.aliases("team: anna, bob, anna, Cora@example.test\n"
                     "Postmaster: anna\n"
                     "self: \\anna\n"
                     "chain: team2\nteam2: bob\n"
                     "list: anna, bob\nowner-list: cora\n")
        m = self.m.start()
        m.send("x@client.example", ["team" + AT])
        for u in ("anna", "bob", "cora"):
            m.wait_mails(u, 1)
        m.wait_idle()
        self.assertEqual([len(m.mails(u)) for u in ("anna", "bob", "cora")], [1, 1, 1])
        path, = m.mails("bob")
        self.assertEqual(headers(path, "X-Original-To"), ["team" + AT])
        self.assertEqual(headers(path, "Delivered-To"), ["team" + AT])
        self.assertEqual(headers(path, "Return-Path"), ["<x@client.example>"])
        m.wait_log(r"status=sent \(forwarded as \w+\)")
        m.send("x@client.example", ["POSTMASTER" + AT])
        m.wait_mails("anna", 2)
        m.send("x@client.example", ["chain" + AT])
        m.wait_mails("bob", 2)
        m.send("x@client.example", ["list" + AT])
        m.wait_mails("bob", 3)
        m.wait_idle()
        self.assertIn(["<owner-list" + AT + ">"], [headers(p, "Return-Path") for p in m.mails("bob")])

    def test_alias_forms(self):
        # the forms of aliases(5) in the wild that name addresses; commands: test_commands, lists: test_include
        self.aliases("nospace:anna\ncolon : anna\ntab\t:\tanna\nlist1: anna,bob,cora,\n"
                     "phrase: Anna A <anna@example.test>, bob (the Bob), \"C, Ora\" <cora@example.test>\n"
                     "contd: anna,\n# a comment line\n    bob\n\tcora\n"
                     "back: \\anna, bob\ngrp: people:anna,bob;\nhash: anna # trailing\n"
                     "\"quoted name\": anna\nMiXed: ANNA@Example.Test\ndup: anna\ndup: bob\n"
                     "odd1: error:5.1.1 no such user\nodd2: :fail:\nodd3: a b c\nuser@example.test: bob\n"
                     "NoColon value\nempty:\n")
        plain = os.path.join(self.m.conf, "plain")
        with open(plain, "w") as f:       # a table made for postmap
            f.write("tabled\tanna, bob\n")
        os.chmod(plain, 0o644)
        m = self.m
        m.edit("main.cf", "local_recipient_maps =\nalias_maps = hash:" + os.path.join(m.conf, "aliases") +
               ", texthash:" + plain + "\n")
        m.start()
        expected = {"nospace": "a", "colon": "a", "tab": "a", "list1": "abc", "phrase": "abc", "contd": "abc",
                    "back": "ab", "grp": "ab", "hash": "a", "MIXED": "a", "dup": "a", "tabled": "ab"}
        got = {"a": "anna", "b": "bob", "c": "cora"}
        counts = dict.fromkeys(got, 0)
        for name, users in expected.items():
            m.send("x@client.example", [name + AT])
            for u in users:
                counts[u] += 1
        for u, name in got.items():
            m.wait_mails(name, counts[u])
        # what no mail system can make sense of harms nobody: it bounces or waits, and the others go on
        for name in ("odd1", "odd2", "odd3", "user", "empty"):
            m.send("x@client.example", [name + AT])
            m.wait_log(rf"to=<[^>]*>,( orig_to=<{name}@example.test>,)?.*status=(bounced|deferred)|"
                       rf"to=<{name}@example.test>,.*status=")
        m.send("x@client.example", ["anna" + AT])
        m.wait_mails("anna", counts["a"] + 1)

    def test_alias_trouble(self):
        self.aliases("a: b\nb: a\n")
        m = self.m.start()
        # a loop ends with one report
        m.send("bob" + AT, ["a" + AT])
        m.wait_log(r"dsn=5.4.6, status=bounced \(mail forwarding loop for a@example.test\)")
        m.wait_mails("bob", 1)

    def test_member_nobody(self):
        # a name in its own alias is the mailbox; when there is none, the others still get the mail
        self.aliases("ghost: ghost, anna\n")
        m = self.m.start()
        m.send("bob" + AT, ["ghost" + AT])
        m.wait_mails("anna", 1)
        m.wait_log(r"to=<ghost@example.test>,.*dsn=5.1.1, status=bounced \(unknown user: \"ghost\"")
        m.wait_mails("bob", 1)

    def test_unknown(self):
        # smtpd lets unknown users through here: local has the last word
        m = self.m
        m.edit("main.cf", "local_recipient_maps =\n")
        m.start()
        m.send("bob" + AT, ["nobody.here+x" + AT])
        m.wait_log(r"to=<nobody.here\+x@example.test>,.*dsn=5.1.1, status=bounced \(unknown user: \"nobody.here\"\)")
        m.wait_mails("bob", 1)

    def test_luser_relay(self):
        m = self.m
        m.edit("main.cf", "local_recipient_maps =\nluser_relay = anna+$local\n")
        m.start()
        m.send("bob" + AT, ["nobody.here" + AT])
        path, = m.wait_mails("anna", 1)
        self.assertEqual(headers(path, "X-Original-To"), ["nobody.here" + AT])
        self.assertEqual(headers(path, "Delivered-To"), ["nobody.here" + AT])

    def test_frozen_delivered_to(self):
        """Without it a mail says of each address on its way that it came by; the list's members are its own."""
        self.aliases("chain: team\nteam: bob\nlist: team, anna\nowner-list: cora\n")
        m = self.m
        m.start()
        m.send("x@client.example", ["chain" + AT])
        self.assertEqual(headers(m.wait_mails("bob", 1)[0], "Delivered-To"), ["chain" + AT])
        m.send("x@client.example", ["list" + AT])
        m.wait_mails("anna", 1)
        m.wait_mails("bob", 2)
        self.assertEqual(headers(m.mails("anna")[0], "Delivered-To"), ["anna" + AT, "list" + AT])
        self.assertIn(["bob" + AT, "list" + AT], [headers(p, "Delivered-To") for p in m.mails("bob")])
        m.stop()
        m.edit("main.cf", "reset_owner_alias = yes\n")
        m.start()
        m.send("x@client.example", ["list" + AT])
        m.wait_mails("bob", 3)
        self.assertIn(["list" + AT], [headers(p, "Delivered-To") for p in m.mails("bob")])
        m.stop()
        m.edit("main.cf", "frozen_delivered_to = no\n")
        m.start()
        m.send("x@client.example", ["chain" + AT])
        m.wait_mails("bob", 4)
        self.assertIn(["bob" + AT, "chain" + AT], [headers(p, "Delivered-To") for p in m.mails("bob")])

    def test_directory_away(self):
        # the alias is known, the user cannot be asked for: wait, never "unknown user"
        self.aliases("later: anna\n")
        m = self.m.start()
        users = os.path.join(m.conf, "users")
        os.rename(users, users + ".away")
        os.mkdir(users)
        m.send("bob@elsewhere.example", ["later" + AT])
        m.wait_log(r"to=<anna@example.test>,.*dsn=4.3.0, status=deferred \(user directory: ")
        os.rmdir(users)
        os.rename(users + ".away", users)
        m.wait("a deferred mail", lambda: m.queue("deferred"))
        m.merpati("flush")
        m.wait_mails("anna", 1)

    def test_forward(self):
        self.forward("anna", "# comment\n\\anna, bob\ncora@example.test\n")
        self.forward("bob", "")
        self.forward("cora", "cora, cora@localhost\n")
        m = self.m.start()
        m.send("x@client.example", ["anna" + AT])
        for u in ("anna", "bob", "cora"):
            m.wait_mails(u, 1)
        m.wait_idle()
        self.assertEqual([len(m.mails(u)) for u in ("anna", "bob", "cora")], [1, 1, 1])
        m.wait_log(r"to=<anna@example.test>,.*status=sent \(delivered to maildir, forwarded as \w+\)")

    def test_forward_ext(self):
        self.forward("anna", "bob\n", ".forward+work")
        m = self.m.start()
        m.send("x@client.example", ["anna+work" + AT])
        m.wait_mails("bob", 1)
        m.send("x@client.example", ["anna+home" + AT])
        m.wait_mails("anna", 1)

    def test_forward_trouble(self):
        path = self.forward("anna", "bob\n", mode=0o666)
        self.forward("bob", "relative/file, :include:relative\n")
        m = self.m.start()
        m.send("x@client.example", ["anna" + AT])
        m.wait_log(r"to=<anna@example.test>,.*status=deferred \(mail forwarding: .*writable by group or others")
        m.wait_log(r"warning: .*chmod go-w " + re.escape(os.path.realpath(path)) + "|warning: .*chmod go-w")
        m.send("x@client.example", ["bob" + AT])
        m.wait_log(r"to=<bob@example.test>,.*status=deferred .*:include: needs an absolute path")
        os.chmod(path, 0o600)
        self.forward("bob", "")
        m.wait("two deferred mails", lambda: len(m.queue("deferred")) == 2)
        m.merpati("flush")
        m.wait_mails("bob", 2)
        m.wait_idle()
        self.assertEqual(m.mails("anna"), [])

    def test_H03_forward_extremes(self):
        # nothing of these is believed in part, nobody waits for a writer, and the mail waits until it is mended
        big = self.forward("anna", "bob\n")
        os.truncate(big, 1 << 30)
        self.forward("bob", "cora\0, anna\n")
        pipe = self.forward("cora", "bob\n")
        os.unlink(pipe)
        os.mkfifo(pipe, 0o600)
        owner = os.stat(big)
        os.chown(pipe, owner.st_uid, owner.st_gid)
        m = self.m.start()
        for user, why in (("anna", "larger than"), ("bob", "NUL"), ("cora", "not a regular file")):
            m.send("x@client.example", [user + AT])
            m.wait_log(rf"to=<{user}@example.test>,.*status=deferred \(.*{why}")
        for path in (big, pipe):
            os.unlink(path)
        self.forward("bob", "")
        m.wait("three deferred mails", lambda: len(m.queue("deferred")) == 3)
        m.merpati("flush")
        for user in ("anna", "bob", "cora"):
            m.wait_mails(user, 1)

    def test_mutual_forward(self):
        self.forward("anna", "bob\n")
        self.forward("bob", "anna\n")
        m = self.m.start()
        m.send("cora" + AT, ["anna" + AT])
        m.wait_log(r"dsn=5.4.6, status=bounced \(mail forwarding loop for anna@example.test\)")
        m.wait_mails("cora", 1)

    def test_disk_trouble(self):
        m = self.m.start()
        m.send("x@client.example", ["anna" + AT])
        m.wait_mails("anna", 1)
        box = self.m.maildir("anna")
        new = os.path.join(box, "new")
        os.rename(new, new + ".away")
        os.symlink("/tmp", new)      # a link is not followed
        m.send("x@client.example", ["anna" + AT])
        m.wait_log(r"to=<anna@example.test>,.*status=deferred ")
        os.unlink(new)
        os.rename(new + ".away", new)
        m.wait("a deferred mail", lambda: len(m.queue("deferred")) == 1)
        m.merpati("flush")
        m.wait_mails("anna", 2)


main()
