"""The disk of the mailboxes is full, over its quota or read-only: Maildir, mbox, a directory, a command and virtual
mailboxes wait, nothing is cut or left behind, and each mail comes once when the trouble is over."""
import mailbox, os, re, sys, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from disks import Full, Quota, ReadOnly, own_mounts
from fast import FAST
from instance import Instance, main

AT = "@example.test"
OLD = "From x  Sun Nov 22 08:05:00 2026\nSubject: old\n\nold\n\n"
BIG = "Subject: big\r\n\r\n" + ("x" * 70 + "\r\n") * 6000
PLACES = ("anna", "file", "dir", "command", "box", "virtual")


class Disks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        own_mounts()

    def places(self, kind):
        """An instance with mailboxes of each kind below one directory, which is a disk of KIND."""
        m = self.m = Instance(self, main_cf={**FAST, "virtual_mailbox_limit": "0", "message_size_limit": "1000000",
                                             "virtual_mailbox_domains": "virtual.test"})
        m.user("anna")
        self.mail = os.path.join(m.conf, "mail")
        owner = os.stat(self.mail)
        self.out = os.path.join(self.mail, "out")
        m.edit("main.cf", f"virtual_mailbox_base = {self.out}\n"
                          "virtual_mailbox_maps = inline:{ {box@virtual.test = box}, {virtual@virtual.test = v/} }\n")
        with open(os.path.join(m.conf, "aliases"), "a") as f:
            f.write(f"\nfile: {self.out}/file\ndir: {self.out}/dir/\n"
                    f'command: "|cat >{self.out}/tmp.$$ && mv {self.out}/tmp.$$ {self.out}/run.$$ || '
                    f'{{ rm -f {self.out}/tmp.$$; echo no room; exit 75; }}"\n')
        m.run("postalias", "hash:" + os.path.join(m.conf, "aliases"))
        os.mkdir(self.out)
        for name in ("file", "box"):
            with open(os.path.join(self.out, name), "w") as f:
                f.write(OLD)
        for path in (self.out, os.path.join(self.out, "file"), os.path.join(self.out, "box")):
            os.chown(path, owner.st_uid, owner.st_gid)
        return kind(self, self.mail, owner.st_uid, owner.st_gid)

    def send(self, body):
        for to in PLACES:
            self.m.send("x@client.example", [to + ("@virtual.test" if to in ("box", "virtual") else AT)], body)

    def files(self):
        """Every file below the mailboxes with its size, but what stands in no mailbox."""
        found = {}
        for top, _, names in os.walk(self.mail):
            found.update({os.path.join(top, n): os.stat(os.path.join(top, n)).st_size for n in names})
        return {p: n for p, n in found.items() if not re.search(r"/(\.merpati|index|filler)", p)}

    def mails(self):
        """{place: subjects}"""
        def directory(path):
            return [self.subject(p) for p in (self.listed(path, "new") + self.listed(path, "cur"))]
        return {"anna": directory(self.m.maildir("anna")), "dir": directory(os.path.join(self.out, "dir")),
                "virtual": directory(os.path.join(self.out, "v")),
                "command": [self.subject(os.path.join(self.out, n)) for n in os.listdir(self.out) if n.startswith("run.")],
                "file": [x["Subject"] for x in mailbox.mbox(os.path.join(self.out, "file"), create=False)][1:],
                "box": [x["Subject"] for x in mailbox.mbox(os.path.join(self.out, "box"), create=False)][1:]}

    @staticmethod
    def listed(path, sub):
        top = os.path.join(path, sub)
        return [os.path.join(top, n) for n in os.listdir(top)] if os.path.isdir(top) else []

    def subject(self, path):
        with open(path) as f:
            text = f.read()
        self.assertTrue(text.endswith("x\n"), f"{path} is cut")
        return re.search(r"^Subject: (\S+)", text, re.M)[1]

    def trouble(self, kind):
        disk = self.places(kind)
        m = self.m.start()
        self.send("Subject: small\r\n\r\nx\r\n")
        m.wait("the small mails", lambda: all(v == ["small"] for v in self.mails().values()))
        m.wait_idle()
        before = self.files()
        disk.hurt()
        self.send(BIG)
        for to in PLACES:
            why = r"dsn=4\.3\.0, .*no room" if to == "command" else rf"dsn={re.escape(disk.dsn)}, .*{disk.error}"
            m.wait_log(rf"to=<{to}@.*{why}", 30)
        self.assertEqual(len(re.findall("status=bounced", m.log())), 0, m.log_tail())
        self.assertEqual(len(m.queue("deferred", "active", "incoming")), len(PLACES))
        if disk.removes:    # what was begun is gone again; an mbox has its old length
            m.wait("the files as they were", lambda: self.files() == before, 30)
        disk.heal()
        m.merpati("flush")
        m.wait("the big mails", lambda: all(sorted(v) == ["big", "small"] for v in self.mails().values()), 60)
        m.wait("an empty queue", lambda: not m.queue())
        self.assertEqual({k: sorted(v) for k, v in self.mails().items()}, {k: ["big", "small"] for k in PLACES})
        for name in ("file", "box"):
            with open(os.path.join(self.out, name)) as f:
                self.assertTrue(f.read().startswith(OLD))
        left = [p for p in self.files() if re.search(r"/tmp[./]|\.append$|\.lock$", p.removeprefix(self.mail))]
        self.assertEqual(left, [])

    def test_full(self):
        self.trouble(Full)

    def test_quota(self):
        self.trouble(Quota)

    def test_read_only(self):
        self.trouble(ReadOnly)


main()
