"""Trouble of ours is a temporary error for the mail, a clear line for the admin, and nothing lost; when it is
over the system recovers by itself: full disk, no inodes, read-only spool, missing map, bad main.cf, permissions."""
import os, shutil, smtplib, subprocess, unittest
from disks import Quota, own_mounts
from fast import FAST
from instance import Instance, main, owner


def reply_of(m, rcpt="anna@example.test", body="Subject: t\r\n\r\nx\r\n"):
    """(code, text) that ends the transaction."""
    with m.raw() as c:
        c.reply()
        c.cmd("EHLO c.example")
        for cmd in ("MAIL FROM:<a@c.example>", f"RCPT TO:<{rcpt}>", "DATA"):
            code, text = c.cmd(cmd)
            if code >= 400:
                return code, text
        c.send(body + ".\r\n")
        return c.reply()


class Disk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        own_mounts()

    def instance(self, options, name):
        m = Instance(self, main_cf=FAST)
        for u in ("anna",):
            m.user(u)
        spool = m.spool
        st = os.stat(spool)
        shutil.rmtree(spool)
        os.mkdir(spool)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"{options},uid={st.st_uid},gid={st.st_gid},mode=0711", name, spool], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", spool], stderr=subprocess.DEVNULL)
        m.start()
        self.assertEqual(reply_of(m)[0], 250)
        m.wait_mails("anna", 1)
        return m

    def fill(self, m):
        path = os.path.join(m.spool, "filler")
        with open(path, "wb", 0) as f:
            try:
                while True:
                    f.write(b"x" * 65536)
            except OSError:
                pass
        return path

    def recovers(self, m, n):
        self.assertEqual(reply_of(m)[0], 250)
        m.wait_mails("anna", n)
        m.wait_idle()

    def test_full_disk(self):
        m = self.instance("size=16m", "full")
        filler = self.fill(m)
        for body in ("Subject: small\r\n\r\nx\r\n", "Subject: big\r\n\r\n" + "y" * 70000 + "\r\n"):
            code, text = reply_of(m, body=body)
            self.assertIn(code, (451, 452), text)
        m.wait_log(r"(No space left on device|not enough free space)")
        os.unlink(filler)
        self.recovers(m, 2)
        self.assertEqual(len(m.mails("anna")), 2)

    def test_quota(self):
        m = Instance(self, main_cf={**FAST, "notify_classes": ""})     # anna is postmaster
        m.user("anna")
        owner = os.stat(m.spool)
        disk = Quota(self, m.spool, owner.st_uid, owner.st_gid)
        m.start()
        self.assertEqual(reply_of(m)[0], 250)
        m.wait_mails("anna", 1)
        disk.hurt()
        body = "Subject: t\r\n\r\n" + ("x" * 70 + "\r\n") * 6000
        code, text = reply_of(m, body=body)
        self.assertIn(code, (451, 452), text)
        m.wait_log(r"Disk quota exceeded")
        # the same by sendmail: no exit 0 without a mail
        r = m.run("sendmail", "-f", "a@c.example", "anna@example.test", input=body.replace("\r", "").encode(), check=False)
        self.assertNotEqual(r.returncode, 0)
        self.assertEqual(len(m.mails("anna")), 1)
        m.wait("nothing half in the queue", lambda: not m.queue())
        disk.heal()
        self.assertEqual(reply_of(m, body=body)[0], 250)
        m.wait_mails("anna", 2)
        m.wait_idle()
        self.assertEqual(len(m.mails("anna")), 2)

    def test_no_inodes(self):
        m = self.instance("size=64m,nr_inodes=1200", "inodes")
        made = []
        try:
            while True:
                path = os.path.join(m.spool, f"filler{len(made)}")
                open(path, "w").close()
                made.append(path)
        except OSError:
            pass
        code, text = reply_of(m)
        self.assertIn(code, (451, 452), text)
        m.wait_log(r"(No space left on device|not enough free space)")
        for path in made:
            os.unlink(path)
        self.recovers(m, 2)

    def test_read_only_spool(self):
        m = self.instance("size=64m", "ro")
        m.wait_idle()
        incoming = os.path.join(m.spool, "incoming")
        subprocess.run(["mount", "--bind", incoming, incoming], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", incoming], check=True)
        code, text = reply_of(m)
        self.assertIn(code, (451, 452), text)
        m.wait_log(r"Read-only file system")
        # cleanup keeps the directories open that it syncs
        subprocess.run(["umount", "--lazy", incoming], check=True)
        self.recovers(m, 2)


class Configuration(unittest.TestCase):
    def test_missing_map(self):
        m = Instance(self)
        table = os.path.join(m.conf, "virtual")
        m.edit("main.cf", f"virtual_alias_maps = texthash:{table}\n")
        m.user("anna")
        m.start()
        code, text = reply_of(m, "alias@example.test")
        self.assertEqual(code, 451, text)
        m.wait_log(r"texthash:" + table)
        with open(table, "w") as f:
            f.write("alias@example.test anna@example.test\n")
        m.wait("the map is seen", lambda: reply_of(m, "alias@example.test")[0] == 250)
        m.wait_mails("anna", 1)

    def test_bad_main_cf(self):
        m = Instance(self)
        m.user("anna")
        m.edit("main.cf", "message_size_limit = lots\n")
        line = len(open(os.path.join(m.conf, "main.cf")).read().splitlines())
        r = m.merpati("start", check=False)
        self.assertEqual(r.returncode, 78)
        said = (r.stdout + r.stderr).decode()
        self.assertIn(f"main.cf, line {line}", said)
        self.assertIn("message_size_limit", said)

    def test_bad_main_cf_at_reload(self):
        m = Instance(self)
        m.user("anna")
        m.start()
        good = open(os.path.join(m.conf, "main.cf")).read()
        m.edit("main.cf", "smtpd_recipient_limit = many\n")
        r = m.merpati("reload", check=False)
        self.assertEqual(r.returncode, 78)
        self.assertIn("smtpd_recipient_limit", (r.stdout + r.stderr).decode())
        self.assertEqual(reply_of(m)[0], 250)                # the old generation goes on
        with open(os.path.join(m.conf, "main.cf"), "w") as f:
            f.write(good + "\nsmtpd_recipient_limit = 3\n")
        m.merpati("reload")
        def limited():
            with m.raw() as c:
                c.reply()
                c.cmd("EHLO c.example")
                c.cmd("MAIL FROM:<>")
                return [c.cmd("RCPT TO:<anna@example.test>")[0] for _ in range(4)] == [250, 250, 250, 452]
        m.wait("the new generation serves", limited)

    def test_wrong_permissions(self):
        m = Instance(self, main_cf=FAST)
        m.user("anna")
        m.start()
        incoming = os.path.join(m.spool, "incoming")
        mode = os.stat(incoming).st_mode & 0o777
        os.chmod(incoming, 0)
        code, text = reply_of(m)
        self.assertEqual(code, 451, text)
        m.wait_log(r"incoming.*Permission denied")
        r = m.merpati("check", check=False)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("incoming", (r.stdout + r.stderr).decode())
        os.chmod(incoming, mode)
        self.assertEqual(reply_of(m)[0], 250)
        m.wait_mails("anna", 1)

    def test_mailbox_that_cannot_be_written(self):
        m = Instance(self, main_cf=FAST)
        m.user("anna")
        m.start()
        self.assertEqual(reply_of(m)[0], 250)
        m.wait_mails("anna", 1)
        new = m.maildir("anna", "new")
        os.chmod(new, 0o500)
        self.assertEqual(reply_of(m)[0], 250)
        m.wait_log(r"status=deferred .*Permission denied")
        os.chmod(new, 0o700)
        m.merpati("flush")
        m.wait_mails("anna", 2)
        self.assertEqual(len(m.mails("anna")), 2)

    def test_damaged_users_file_bounces_nothing(self):
        """A line without a name may be anybody's; a file that an editor just emptied is not whole."""
        m = Instance(self, main_cf=FAST)
        m.user("anna")
        m.start()
        self.assertEqual(reply_of(m)[0], 250)
        m.wait_mails("anna", 1)
        users = os.path.join(m.conf, "users")
        good = open(users).read()
        for damaged in ("", good.replace("anna@", "anna")):
            with open(users, "w") as f:
                f.write(damaged)
            code, text = reply_of(m)
            self.assertEqual(code, 451, text)
            m.run("sendmail", "-f", "", "anna@example.test", input=b"Subject: waits\n\nx\n")
            with open(users, "w") as f:
                f.write(good)
        m.wait_log(r"users: until line [0-9]+ is repaired")
        m.merpati("flush")
        m.wait_mails("anna", 3)
        self.assertNotIn("status=bounced", m.log())


main()
