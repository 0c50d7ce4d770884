"""Look-up tables in a running system: every type that can be built, changes that are seen without a reload, what
happens while a table is broken, and who may ask proxymap for what."""
import os, re, shutil, unittest

from instance import Instance, main


class Maps(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self)
        for user in ("anna", "bob"):
            self.m.user(user)
        self.table = os.path.join(self.m.conf, "table")

    def write(self, text, path=None):
        tmp = (path or self.table) + ".tmp"
        with open(tmp, "w") as f:
            f.write(text)
        os.chmod(tmp, 0o644)
        os.rename(tmp, path or self.table)

    def rcpt(self, to, sender="x@client.example"):
        with self.m.raw() as c:
            c.reply()
            c.cmd("HELO client.example")
            c.cmd(f"MAIL FROM:<{sender}>")
            return c.cmd(f"RCPT TO:<{to}>")

    def deliver(self, to, user, text="Subject: t\r\n\r\nhello\r\n"):
        n = len(self.m.mails(user))
        self.m.send("x@client.example", [to], text)
        mails = self.m.wait_mails(user, n + 1)
        return open(max(mails, key=os.path.getmtime), errors="replace").read()

    def use(self, lines):
        self.m.edit("main.cf", lines)
        self.m.start()

    def test_hash_rebuilt_while_running(self):
        self.write("alias@example.test anna@example.test\n@other.test bob@example.test\n")
        self.m.run("postmap", f"hash:{self.table}")
        self.use(f"virtual_alias_maps = hash:{self.table}\nvirtual_alias_domains = other.test\n")
        self.deliver("alias@example.test", "anna")
        self.deliver("Anyone@OTHER.test", "bob")
        self.assertEqual(self.rcpt("new@example.test")[0], 550)
        self.write("new@example.test bob@example.test\n")
        self.m.run("postmap", f"hash:{self.table}")
        self.m.wait("the new table", lambda: self.rcpt("new@example.test")[0] == 250)
        self.deliver("new@example.test", "bob")
        self.assertEqual(self.rcpt("alias@example.test")[0], 550)

    def test_one_entry_added_and_removed(self):
        self.write("a@example.test anna@example.test\n")
        self.m.run("postmap", f"btree:{self.table}")
        self.use(f"virtual_alias_maps = btree:{self.table}\n")
        self.assertEqual(self.rcpt("b@example.test")[0], 550)
        self.m.run("postmap", "-i", f"btree:{self.table}", input=b"b@example.test bob@example.test\n")
        self.m.wait("the new entry", lambda: self.rcpt("b@example.test")[0] == 250)
        self.m.run("postmap", "-d", "a@example.test", f"btree:{self.table}")
        self.m.wait("its end", lambda: self.rcpt("a@example.test")[0] == 550)

    def test_a_broken_database_puts_mail_off(self):
        self.write("a@example.test anna@example.test\n")
        self.m.run("postmap", f"hash:{self.table}")
        self.use(f"virtual_alias_maps = hash:{self.table}\n")
        self.assertEqual(self.rcpt("a@example.test")[0], 250)
        good = self.table + ".good"
        shutil.copyfile(self.table + ".db", good)
        os.chmod(good, 0o644)
        self.write("this is no database", self.table + ".db")
        self.m.wait("a temporary reply", lambda: self.rcpt("a@example.test")[0] in (450, 451))
        self.m.wait_log(re.escape(self.table))
        os.rename(good, self.table + ".db")
        self.m.wait("the table is back", lambda: self.rcpt("a@example.test")[0] == 250)

    def test_inline_regexp_and_order(self):
        # the whole address of the second table comes before "@domain" of the first
        self.use("virtual_alias_domains = v.test\n"
                 "virtual_alias_maps = inline:{ @v.test=bob@example.test }, inline:{ x@v.test=anna@example.test },\n"
                 "  regexp:{ {/^(anna|bob)-list@v\\.test$$/ $$1@example.test} }\n")
        self.deliver("x@v.test", "anna")
        self.deliver("y@v.test", "bob")
        self.deliver("anna-list@v.test", "anna")

    def test_extension_is_kept(self):
        self.use("recipient_delimiter = +\nvirtual_alias_maps = inline:{ list@example.test=anna@example.test }\n")
        text = self.deliver("list+x@example.test", "anna")
        self.assertIn("Delivered-To: anna+x@example.test", text)

    def test_aliases_by_newaliases(self):
        self.use("")
        self.assertEqual(self.rcpt("office@example.test")[0], 550)
        with open(os.path.join(self.m.conf, "aliases"), "a") as f:
            f.write("office: bob\n")
        self.m.run("newaliases")
        self.m.wait("the alias", lambda: self.rcpt("office@example.test")[0] == 250)
        self.deliver("office@example.test", "bob")

    def test_networks_in_a_file(self):
        self.write("# ours\n!127.0.0.1\n127.0.0.0/8\n")
        self.use(f"mynetworks = {self.table}\n")
        self.assertEqual(self.rcpt("someone@elsewhere.test")[0] // 100, 4)
        self.write("127.0.0.0/8\n")
        self.m.merpati("reload")
        self.m.wait("relaying", lambda: self.rcpt("someone@elsewhere.test")[0] == 250)

    def test_a_missing_file_of_networks_puts_mail_off(self):
        self.use(f"mynetworks = {self.table}\n")
        self.assertEqual(self.rcpt("someone@elsewhere.test")[0] // 10, 45)
        self.m.wait_log(r"mynetworks: open .*: No such file")
        self.write("127.0.0.0/8\n")
        self.m.merpati("reload")
        self.m.wait("relaying", lambda: self.rcpt("someone@elsewhere.test")[0] == 250)

    def test_a_mistyped_network_is_refused(self):
        self.m.edit("main.cf", "mynetworks = 127.0.0.1/8\n")
        self.m.merpati("start", check=False)
        self.m.wait_log(r"mynetworks.*127\.0\.0\.1/8.*host bits")


if __name__ == "__main__":
    main()
