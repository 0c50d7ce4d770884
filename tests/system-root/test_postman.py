"""Whose rights commands, files and :include: files have in a system instance, and what a killed postman leaves."""
import os, pwd, re, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from system_instance import System, enter, main, sh  # noqa: E402

enter()

AT = "@example.test"
ALIASES = "/etc/merpati/aliases"
OUT = "/home/out"


def status(pid):
    """What /proc says of a process; "" when it has ended."""
    try:
        with open(f"/proc/{pid}/status") as f:
            text = f.read()
    except OSError:
        return ""
    return "" if "State:\tZ" in text else text


class Postman(unittest.TestCase):
    def setUp(self):
        self.m = System(self)
        for u in ("anna", "ben"):
            self.m.unix_user(u, groups=("audio",) if u == "anna" else ())
            sh("rm", "-rf", f"/home/{u}/Maildir", f"/home/{u}/.forward")
        sh("rm", "-rf", OUT)
        os.mkdir(OUT)
        os.chmod(OUT, 0o1777)

    def aliases(self, text, owner="root"):
        with open(ALIASES, "a") as f:
            f.write(text)
        sh("chown", f"{owner}:", ALIASES)
        self.m.run("newaliases")     # the table gets the owner of its source

    def file(self, path, text, owner, mode=0o644):
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        sh("chown", f"{owner}:", path)
        return path

    def send(self, *rcpts, body="Subject: x\r\n\r\nx\r\n"):
        with self.m.smtp() as s:
            s.sendmail("ben" + AT, [r + AT for r in rcpts], body)

    def sent(self, to, status, seconds=30):
        self.m.wait_log(rf"to=<{re.escape(to + AT)}>,.* relay=local,.*{status}", seconds)

    def read(self, name):
        with open(os.path.join(OUT, name)) as f:
            return f.read()

    def who(self, name):
        """User, group and groups as `id` told them."""
        m = re.fullmatch(r"uid=\d+\((\S+)\) gid=\d+\((\S+)\) groups=(\S+)\n", self.read(name))
        return m[1], m[2], set(re.findall(r"\((.*?)\)", m[3]))

    def test_alias_of_root(self):
        # default_privs, without root's or anybody's groups, and no way back
        self.aliases(f'cmd: "|id >{OUT}/id; grep -E ^Cap /proc/self/status >{OUT}/caps; cat >{OUT}/mail"\n'
                     f'file: {OUT}/file\n')
        self.m.start()
        self.send("cmd", "file")
        self.sent("cmd", "status=sent")
        self.sent("file", "status=sent")
        nobody = pwd.getpwnam("nobody")
        self.assertEqual(self.who("id"), ("nobody", "nogroup", {"nogroup"}))
        for cap in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertRegex(self.read("caps"), rf"(?m)^{cap}:\t0+$")
        for name in ("mail", "file"):
            st = os.stat(os.path.join(OUT, name))
            self.assertEqual((st.st_uid, st.st_mode & 0o777), (nobody.pw_uid, 0o600), name)

    def test_alias_of_a_user(self):
        self.aliases(f'cmd: "|id >{OUT}/id; env >{OUT}/env"\nfile: {OUT}/file\ndir: {OUT}/dir/\n', owner="anna")
        self.m.start()
        self.send("cmd", "file", "dir")
        for name in ("cmd", "file", "dir"):
            self.sent(name, "status=sent")
        self.assertEqual(self.who("id"), ("anna", "anna", {"anna", "audio"}))
        self.assertIn("USER=cmd\n", self.read("env"))
        anna = pwd.getpwnam("anna").pw_uid
        self.assertEqual({os.stat(os.path.join(OUT, n)).st_uid for n in ("file", "dir", "dir/new")}, {anna})

    def test_alias_of_our_own_accounts(self):
        # nothing is done as merpati, whoever wrote that into the table
        self.aliases(f'cmd: "|id >{OUT}/id"\n', owner="merpati-map")
        self.m.start()
        self.send("cmd")
        self.sent("cmd", "status=deferred .*merpati-map")
        self.assertFalse(os.path.exists(f"{OUT}/id"))

    def test_include(self):
        # read with the rights of the alias file's owner; what is in it has the rights of its own
        self.m.edit("main.cf", "allow_mail_to_commands = alias, forward, include\n")
        self.file(f"{OUT}/list", f'ben, "|id >{OUT}/id"\n:include:{OUT}/inner\n', "anna")
        self.file(f"{OUT}/inner", "anna\n", "anna", 0o600)
        self.file(f"{OUT}/secret", "ben\n", "anna", 0o600)
        self.aliases(f"list: :include:{OUT}/list\nsecret: :include:{OUT}/secret\n")
        self.m.start()
        self.send("list", "secret")
        self.m.wait_mails("ben", 1)
        self.m.wait_mails("anna", 1)
        self.sent("list", "status=sent")
        self.assertEqual(self.who("id"), ("anna", "anna", {"anna", "audio"}))
        self.sent("secret", "dsn=4.3.5, status=deferred .*Permission denied")
        self.assertEqual(len(self.m.mails("ben")), 1)

    def test_forward(self):
        # of a home that only its owner can enter; root's file counts too, another user's does not
        self.file("/home/anna/.forward", f'\\anna, {OUT}/hers, "|id >{OUT}/id"\n', "anna", 0o600)
        self.file("/home/ben/.forward", "anna\n", "anna", 0o600)
        for user in ("anna", "ben"):
            self.assertEqual(os.stat(f"/home/{user}").st_mode & 0o777, 0o700)
        self.m.start()
        self.send("anna", "ben")
        self.m.wait_mails("anna", 1)
        self.sent("anna", "status=sent")
        self.assertEqual(self.who("id"), ("anna", "anna", {"anna", "audio"}))
        self.assertEqual(os.stat(f"{OUT}/hers").st_uid, pwd.getpwnam("anna").pw_uid)
        self.sent("ben", rf"status=deferred \(mail forwarding: .*(owned by uid|Permission denied)")

    def test_files_of_others(self):
        # nobody's file is not anna's to write, and a link does not lead there
        self.file(f"{OUT}/bens", "old\n\n", "ben", 0o666)
        os.symlink(f"{OUT}/bens", f"{OUT}/link")
        sh("chown", "-h", "anna:", f"{OUT}/link")
        self.aliases(f"bens: {OUT}/bens\nlink: {OUT}/link\nshadow: /etc/shadow\n", owner="anna")
        self.m.start()
        self.send("bens", "link", "shadow")
        self.sent("bens", "status=deferred .*belongs to uid")
        self.sent("link", "status=deferred .*symbolic link")
        self.sent("shadow", "status=deferred .*Permission denied")
        self.assertEqual(self.read("bens"), "old\n\n")

    def test_set_gid_below(self):
        # a command may start set-gid programs: sendmail's postdrop is one
        sh("cp", "/usr/bin/id", f"{OUT}/id.bin")
        sh("chgrp", "audio", f"{OUT}/id.bin")
        sh("chmod", "2755", f"{OUT}/id.bin")
        if "nosuid" in subprocess.run(["findmnt", "-no", "OPTIONS", "-T", OUT], stdout=subprocess.PIPE).stdout.decode():
            sh("mount", "-o", "remount,suid", "/home")
        self.aliases(f'cmd: "|{OUT}/id.bin >{OUT}/id"\n', owner="ben")
        self.m.start()
        self.send("cmd")
        self.sent("cmd", "status=sent")
        self.assertRegex(self.read("id"), r"egid=\d+\(audio\)")

    def test_one_process_one_user(self):
        # postmen of both users and of nobody at once, each for its own; they leave when there is nothing more
        self.m.edit("main.cf", "assigned_max_idle = 2s\n")
        self.aliases(f'cmd: "|id -un >{OUT}/id"\n')
        self.m.start()
        for _ in range(3):
            self.send("anna", "ben", "cmd")
        self.m.wait_mails("anna", 3)
        self.m.wait_mails("ben", 3)

        def uids():
            found = []
            for pid in self.m.pids("postman"):
                try:
                    found.append(os.stat(f"/proc/{pid}").st_uid and open(f"/proc/{pid}/status").read())
                except OSError:
                    pass
            return sorted(re.search(r"Uid:\t(\d+)", s)[1] for s in found if s)
        self.m.wait("the end of those that nobody needs",
                    lambda: len(self.m.pids("postman")) == 1 and not uids(), 60)

    def test_H08_becoming_a_user_fails(self):
        # a postman that cannot become the user ends as nobody's, before anything is done for the mail, which waits
        self.m.edit("main.cf", "assigned_max_idle = 1s\n")
        self.m.start()
        for call in ("setgroups", "setresgid", "setresuid"):
            with self.subTest(call=call):
                sh("rm", "-rf", "/home/anna/Maildir")
                ready = self.m.wait("one that is nobody's, and no other", self.unassigned)
                t = subprocess.Popen(["strace", "-f", "-qq", "-o", f"{OUT}/trace", "-e", f"trace={call}", "-e",
                                      f"inject={call}:error=EAGAIN", "-p", str(ready)])
                try:
                    self.m.wait("strace", lambda: not re.search(r"TracerPid:\t0\n", status(ready)))
                    self.send("anna")
                    self.m.wait("its end", lambda: not status(ready))
                finally:
                    t.terminate()
                    t.wait()
                self.assertRegex(self.read("trace"), rf"{call}.*EAGAIN .*\(INJECTED\)")
                self.m.wait("a mail that waits", lambda: self.m.queue("deferred"))
                self.m.merpati("flush")
                (path,) = self.m.wait_mails("anna", 1)
                self.assertEqual(os.stat(path).st_uid, pwd.getpwnam("anna").pw_uid)
        self.m.wait_log(r"error: not started for anna: sandbox: become uid \d+ gid \d+: .*unavailable", count=3)

    def unassigned(self):
        """The postman that waits to become somebody, when there is no other one."""
        pids = self.m.pids("postman")
        return pids[0] if len(pids) == 1 and re.search(r"^Uid:\t0\t0\t0\t0$", status(pids[0]), re.M) else None

    def test_killed_postman(self):
        # whatever it was at: no mail is lost, none is there twice
        self.m.start()
        for i in range(40):
            self.send("anna", body=f"Subject: {i}\r\n\r\n" + "x" * 5000 + "\r\n")
            if i % 4 == 0:
                self.m.kill("postman")

        def subjects():
            out = []
            for path in self.m.mails("anna"):
                with open(path, errors="replace") as f:
                    out.append(int(re.search(r"^Subject: (\d+)$", f.read(), re.M)[1]))
            return sorted(out)

        def all_there():
            self.m.merpati("flush")
            return len(set(subjects())) == 40 and not self.m.queue()
        self.m.wait("forty mails", all_there, 90)
        self.assertEqual(subjects(), list(range(40)))


main()
