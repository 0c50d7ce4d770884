"""virtual and pipe in a system instance: mailboxes and programs belong to whom main.cf and master.cf name, and
neither agent names a uid itself."""
import glob, os, pwd, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from system_instance import System, enter, main, sh  # noqa: E402

enter()

BASE, OUT = "/home/vmail", "/home/out"


class Agents(unittest.TestCase):
    def setUp(self):
        self.m = System(self)
        for d in (BASE, OUT):
            sh("rm", "-rf", d)
            os.mkdir(d)
        os.chown(BASE, 5001, 6001)
        os.chmod(OUT, 0o777)
        with open("/etc/merpati/vuids", "w") as f:
            f.write("dir@virtual.test 5001\nmbox@virtual.test 5001\nroot@virtual.test 0\n"
                    f"own@virtual.test {pwd.getpwnam('merpati').pw_uid}\n")
        self.m.edit("main.cf", f"virtual_mailbox_domains = virtual.test\nvirtual_mailbox_base = {BASE}\n"
                    "virtual_mailbox_maps = inline:{ {dir@virtual.test = x/dir/}, {mbox@virtual.test = mbox}, "
                    "{root@virtual.test = root/}, {own@virtual.test = own/} }\n"
                    "virtual_uid_maps = texthash:/etc/merpati/vuids\nvirtual_gid_maps = static:6001\n"
                    "virtual_mailbox_limit = 0\nvirtual_minimum_uid = 1\nrelay_domains = run.test, rooted.test\n"
                    "transport_maps = inline:{ {run.test = run:}, {rooted.test = rooted:} }\n")
        self.m.edit("master.cf", f"run unix - n n - - pipe\n  user=daemon:bin argv=/bin/sh -c {{id -u >{OUT}/id; "
                    f"id -g >>{OUT}/id; id -G >>{OUT}/id; cat >{OUT}/mail}}\n"
                    f"rooted unix - n n - - pipe\n  user=root argv=/usr/bin/touch {OUT}/rooted\n")
        self.m.start()

    def send(self, *to):
        with self.m.smtp() as s:
            s.sendmail("x@far.example", list(to), "Subject: x\r\n\r\nhello\r\n")

    def test_virtual(self):
        self.send("dir@virtual.test", "mbox@virtual.test", "root@virtual.test", "own@virtual.test")
        self.m.wait("both mails", lambda: glob.glob(f"{BASE}/x/dir/new/*") and os.path.exists(f"{BASE}/mbox") and
                    os.path.getsize(f"{BASE}/mbox"), 60)
        for path in (glob.glob(f"{BASE}/x/dir/new/*")[0], f"{BASE}/mbox"):
            st = os.stat(path)
            self.assertEqual((st.st_uid, st.st_gid), (5001, 6001), path)
        self.m.wait_log(r"to=<root@virtual.test>, relay=virtual, .*status=deferred .*less than 1")
        self.m.wait_log(r"to=<own@virtual.test>, relay=virtual, .*status=deferred .*nothing is done as")
        self.assertFalse(os.path.exists(f"{BASE}/root") or os.path.exists(f"{BASE}/own"))

    def test_pipe(self):
        self.send("a@run.test", "b@rooted.test")
        self.m.wait_log(r"to=<a@run.test>, relay=run, .*status=sent \(delivered via run service\)", 60)
        daemon = pwd.getpwnam("daemon").pw_uid
        with open(f"{OUT}/id") as f:
            self.assertEqual(f.read().split(), [str(daemon), "2", "2"])
        with open(f"{OUT}/mail") as f:
            self.assertTrue(f.read().endswith("\nhello\n"))
        self.m.wait_log(r"to=<b@rooted.test>, relay=rooted, .*status=deferred .*nothing is done as root", 60)
        self.assertFalse(os.path.exists(f"{OUT}/rooted"))


if __name__ == "__main__":
    main()
