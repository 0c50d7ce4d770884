"""Virtual mailboxes through the whole way in: SMTP -> cleanup -> qmgr -> virtual -> Maildir or mbox."""
import glob, os, pwd, re, sys, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import Instance, main, owner

TO = "@virtual.test"


class Virtual(unittest.TestCase):
    def instance(self, table, main_cf=None):
        m = self.m = Instance(self)
        self.base = os.path.join(m.conf, "vmail")
        self.uid = pwd.getpwnam(owner()).pw_uid
        self.gid = pwd.getpwnam(owner()).pw_gid
        os.mkdir(self.base)
        os.chown(self.base, self.uid, self.gid)
        self.table(table)
        settings = {"virtual_mailbox_domains": "virtual.test", "virtual_mailbox_base": self.base,
                    "virtual_mailbox_maps": f"texthash:{m.conf}/vmailbox",
                    "virtual_uid_maps": f"static:{self.uid}", "virtual_gid_maps": f"static:{self.gid}",
                    **(main_cf or {})}
        m.edit("main.cf", "".join(f"{k} = {v}\n" for k, v in settings.items()))
        m.user("anna")
        return m

    def table(self, text):
        with open(os.path.join(self.m.conf, "vmailbox"), "w") as f:
            f.write(text)

    def mails(self, *box):
        return glob.glob(os.path.join(self.base, *box, "new", "*"))

    def read(self, *path):
        with open(os.path.join(self.base, *path)) as f:
            return f.read()

    def sent(self, to, rest, **kw):
        self.m.wait_log(rf"to=<{re.escape(to + TO)}>, (orig_to=\S+, )?relay=virtual, delay=[^(]*, {rest}", **kw)

    def test_maildir(self):
        m = self.instance("a@virtual.test x/a/\nall@virtual.test deep/er/all/\n@virtual.test rest/\n").start()
        m.send("s@client.example", ["A" + TO, "a+ext" + TO, "all" + TO, "who" + TO],
               "Subject: one\r\n\r\nhello\r\n..dot\r\n")
        m.wait("the mails", lambda: len(self.mails("x", "a")) == 2 and self.mails("deep", "er", "all") and
               self.mails("rest"))
        m.wait_idle()
        path, = self.mails("rest")
        text = self.read(path)
        self.assertTrue(text.startswith("Return-Path: <s@client.example>\nX-Original-To: who@virtual.test\n"
                                        "Delivered-To: who@virtual.test\n"), text[:200])
        self.assertTrue(text.endswith("\nhello\n..dot\n"), text[-60:])
        self.assertRegex(os.path.basename(path), r"^\d+\.K[0-9a-f]{32}\.")
        self.assertEqual(os.stat(path).st_uid, self.uid)
        self.sent("who", r"dsn=2.0.0, status=sent \(delivered to maildir\)")

    def test_mbox(self):
        m = self.instance("a@virtual.test a\n").start()
        for text in ("one", "two"):
            m.send("s@client.example", ["a" + TO], f"Subject: {text}\r\n\r\nFrom here\r\n")
            m.wait_log(r"status=sent \(delivered to file: \S+/vmail/a\)", count=1 if text == "one" else 2)
        text = self.read("a")
        self.assertEqual(len(re.findall(r"(?m)^From s@client\.example ", text)), 2)
        self.assertEqual(text.count("\n>From here\n"), 2)
        self.assertEqual(re.findall(r"(?m)^Subject: (\w+)", text), ["one", "two"])
        self.assertIn("\nDelivered-To: a@virtual.test\n", text)

    def test_unknown(self):
        m = self.instance("a@virtual.test a/\nb@virtual.test b/\n",
                          {"smtpd_reject_unlisted_recipient": "yes"}).start()
        with m.smtp() as s:
            s.ehlo()
            s.mail("anna@example.test")
            self.assertEqual(s.rcpt("a+x" + TO)[0], 250)
            code, text = s.rcpt("nobody" + TO)
            self.assertEqual(code, 550)
            self.assertIn(b"virtual mailbox table", text)
        m.edit("main.cf", "smtpd_reject_unlisted_recipient = no\n")
        m.merpati("reload")
        m.send("anna@example.test", ["nobody" + TO])
        self.sent("nobody", r'dsn=5.1.1, status=bounced \(unknown user: "nobody@virtual.test"\)')
        m.wait_mails("anna", 1)

    def test_failing_tables(self):
        m = self.instance("a@virtual.test a/\n", {"virtual_mailbox_maps": "fail:out-of-order",
                                                  "smtpd_reject_unlisted_recipient": "no"}).start()
        m.send("s@client.example", ["a" + TO])
        self.sent("a", r"dsn=4.3.\d, status=deferred \(virtual mailbox: .*out-of-order")
        m.edit("main.cf", f"virtual_mailbox_maps = texthash:{m.conf}/vmailbox\nvirtual_uid_maps = fail:no-uids\n")
        m.merpati("reload")
        m.merpati("flush")
        self.sent("a", r"dsn=4.3.\d, status=deferred \(virtual mailbox: .*no-uids")
        m.edit("main.cf", f"virtual_uid_maps = static:{self.uid}\n")
        m.merpati("reload")
        m.merpati("flush")
        m.wait("the mail", lambda: self.mails("a"))

    def test_ids(self):
        m = self.instance("a@virtual.test a/\n", {"virtual_uid_maps": "inline:{ {a@virtual.test = 7}, "
                                                  "{b@virtual.test = 54321} }"})
        self.table("a@virtual.test a/\nb@virtual.test b/\nc@virtual.test c/\nd@virtual.test ../d/\n")
        m.start()
        m.send("s@client.example", [u + TO for u in "abcd"])
        for user, text in (("a", "virtual_uid_maps gives 7, the least one allowed is 100"),
                           ("b", f"virtual_uid_maps gives 54321 for b@virtual.test, this instance serves {self.uid} only"),
                           ("c", "c@virtual.test is not in virtual_uid_maps"), ("d", r'"\.\./d/", which has "\.\." in it')):
            self.sent(user, rf"dsn=4.3.5, status=deferred \(virtual mailbox: .*{text}")
        m.wait_log(r"warning: \w+: virtual mailbox: c@virtual.test is not in virtual_uid_maps")
        self.assertEqual(os.listdir(self.base), [])

    def test_limit(self):
        m = self.instance("a@virtual.test a\nb@virtual.test b/\n",
                          {"virtual_mailbox_limit": "4000", "message_size_limit": "4000"}).start()
        for i in range(2):
            m.send("anna@example.test", ["a" + TO], f"Subject: {i}\r\n\r\n" + "x" * 70 + "\r\n" + "y\r\n" * 1200)
            if i == 0:
                self.sent("a", r"dsn=2.0.0, status=sent")
        self.sent("a", r"dsn=5.2.2, status=bounced \(\S+/vmail/a would be larger than virtual_mailbox_limit\)")
        m.wait_mails("anna", 1)
        self.assertEqual(re.findall(r"(?m)^Subject: (\d)", self.read("a")), ["0"])
        # a limit below message_size_limit would return good mail: virtual does not start, the mail waits
        m.edit("main.cf", "message_size_limit = 5000\n")
        m.merpati("reload")
        m.send("anna@example.test", ["b" + TO])
        m.wait_log(r"virtual\[\d+\]: fatal: virtual_mailbox_limit = 4000 is less than message_size_limit")
        m.edit("main.cf", "virtual_mailbox_limit = 0\n")
        m.merpati("reload")

        def there():
            m.merpati("flush")
            return self.mails("b")
        m.wait("the mail", there, 60)

    def test_unwritable(self):
        m = self.instance("a@virtual.test a/\nb@virtual.test link\n")
        with open(os.path.join(self.base, "a"), "w"):
            pass                # no directory
        os.symlink("/etc/passwd", os.path.join(self.base, "link"))
        os.lchown(os.path.join(self.base, "link"), self.uid, self.gid)
        m.start()
        m.send("s@client.example", ["a" + TO, "b" + TO])
        self.sent("a", r"dsn=4\.\d\.\d, status=deferred")
        self.sent("b", r"dsn=4.2.0, status=deferred \(cannot append to file")
        m.wait_log(r"warning: \w+: virtual mailbox of b@virtual.test: cannot append to file")


if __name__ == "__main__":
    main()
