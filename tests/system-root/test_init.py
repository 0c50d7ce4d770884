"""`merpati init --system` makes what is missing and nothing else; `merpati check` finds every wrong owner and mode,
and the command that it names mends it (ATTACKS X17)."""
import grp, os, pwd, re, shutil, stat, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from system_instance import ACCOUNTS, CONF, PREFIX, System, enter, main  # noqa: E402

enter()

SPOOL = "/var/spool/merpati"
# ARCHITECTURE section 2, said once more
LAYOUT = {
    CONF: ("root", "root", 0o755),
    f"{CONF}/main.cf": ("root", "root", 0o644),
    f"{CONF}/master.cf": ("root", "root", 0o644),
    f"{CONF}/aliases": ("root", "root", 0o644),
    f"{CONF}/aliases.db": ("root", "root", 0o644),
    f"{CONF}/users": ("root", "merpati-auth", 0o640),
    SPOOL: ("root", "root", 0o755),
    f"{SPOOL}/empty": ("root", "root", 0o555),
    f"{SPOOL}/pid": ("root", "root", 0o755),
    f"{SPOOL}/public": ("root", "root", 0o755),
    f"{SPOOL}/private": ("root", "root", 0o711),
    f"{SPOOL}/private/queue": ("root", "merpati", 0o710),
    f"{SPOOL}/private/net": ("root", "root", 0o700),
    f"{SPOOL}/private/out": ("root", "root", 0o700),
    f"{SPOOL}/private/auth": ("root", "root", 0o700),
    f"{SPOOL}/maildrop": ("merpati", "merpati-drop", 0o1730),
    f"{SPOOL}/incoming/A": ("merpati", "merpati", 0o700),
    "/var/lib/merpati": ("merpati", "merpati", 0o700),
    f"{PREFIX}/sbin/postdrop": ("root", "merpati-drop", 0o2755),
}
for queue in ("incoming", "active", "deferred", "hold", "corrupt", "bounce", "defer", "trace", "done", "partial"):
    LAYOUT[f"{SPOOL}/{queue}"] = ("merpati", "merpati", 0o700)


def tree(top):
    """Everything below TOP: owner, mode, and octets of files."""
    out = {}
    for root, dirs, files in os.walk(top):
        for name in dirs + files + [""]:
            path = os.path.join(root, name)
            st = os.lstat(path)
            octets = open(path, "rb").read() if stat.S_ISREG(st.st_mode) else b""
            out[path] = (st.st_uid, st.st_gid, st.st_mode, octets)
    return out


def findings(m):
    r = m.merpati("check", check=False)
    return r.returncode, [l for l in r.stderr.decode().splitlines() if l.startswith("error: ")]


class Init(unittest.TestCase):
    def test_makes_everything(self):
        m = System(self, init=False)
        for suffix in ACCOUNTS:                                   # of an earlier test
            subprocess.run(["userdel", "merpati" + suffix], stderr=subprocess.DEVNULL)
        subprocess.run(["groupdel", "merpati-drop"], stderr=subprocess.DEVNULL)
        said = m.init().stdout.decode()
        self.assertIn("made the group merpati-drop\n", said)
        for suffix in ACCOUNTS:
            pw = pwd.getpwnam("merpati" + suffix)
            self.assertIn(f"merpati{suffix}\n", said)
            self.assertNotEqual(pw.pw_uid, 0)
            self.assertEqual(grp.getgrgid(pw.pw_gid).gr_name, "merpati" + suffix)
            self.assertEqual(grp.getgrgid(pw.pw_gid).gr_mem, [])
            self.assertEqual((pw.pw_dir, pw.pw_shell), ("/nonexistent", "/usr/sbin/nologin"))
        self.assertEqual(len({pwd.getpwnam("merpati" + s).pw_uid for s in ACCOUNTS}), len(ACCOUNTS))
        for path, (user, group, mode) in LAYOUT.items():
            st = os.lstat(path)
            self.assertEqual((pwd.getpwuid(st.st_uid).pw_name, grp.getgrgid(st.st_gid).gr_name,
                              oct(stat.S_IMODE(st.st_mode))), (user, group, oct(mode)), path)
        self.assertEqual(os.listdir(f"{SPOOL}/empty"), [])
        self.assertEqual(m.run("postconf", "-h", "mydomain").stdout, b"example.test\n")
        self.assertTrue(os.path.exists("/etc/pam.d/merpati"))
        self.assertEqual(findings(m), (0, []))

    def test_host_with_names_and_aliases(self):
        m = System(self, init=False)
        with open("/etc/mailname", "w") as f:
            f.write("mail-domain.example\n")
        with open("/etc/aliases", "w") as f:
            f.write("root: anna\n")
        said = m.merpati("init", "--system", c=False).stdout.decode()
        self.assertIn("made the table /etc/aliases.db\n", said)
        self.assertIn("a reader in /etc/aliases;", said)
        self.assertFalse(os.path.exists(f"{CONF}/aliases"))
        self.assertEqual(m.run("postconf", "-h", "myhostname", "myorigin", "alias_maps").stdout,
                         b"host.example.test\n/etc/mailname\nhash:/etc/aliases\n")
        self.assertEqual(findings(m), (0, []))
        m.unix_user("anna")
        m.start()
        m.run("sendmail", "root", input=b"Subject: to root\n\n")
        (mail,) = m.wait_mails("anna", 1)
        with open(mail) as f:
            text = f.read()
        self.assertTrue(text.startswith("Return-Path: <root@mail-domain.example>\n"), text)
        self.assertIn("\nDelivered-To: root@mail-domain.example\n", text)  # whom the alias was for
        with m.smtp() as s:
            self.assertEqual(s.docmd("EHLO x")[1].split(b"\n")[0], b"host.example.test")
        nobody = pwd.getpwnam("nobody")
        r = subprocess.run([f"{PREFIX}/sbin/merpati", "status"], env=m.env, user=nobody.pw_uid, group=nobody.pw_gid,
                           extra_groups=[], stderr=subprocess.PIPE, cwd="/")
        self.assertEqual((r.returncode, r.stderr), (77, b"merpati: /etc/merpati is the system's: only root may do that\n"))
        m.close()
        # a name that the host does not know
        m2 = System(self, init=False)
        with open("/etc/hosts", "w") as f:
            f.write("127.0.0.1 localhost\n")
        m2.merpati("init", "--system", c=False)
        with open(f"{CONF}/main.cf") as f:
            self.assertIn("\n# myhostname = mail.example.org\n", f.read())
        self.assertTrue(os.path.exists(f"{CONF}/aliases"))

    def test_second_run_makes_what_is_missing(self):
        m = System(self)
        m.edit("main.cf", "# the admin's own words\nmessage_size_limit = 12345\n")
        before = tree(CONF), tree(SPOOL)
        self.assertEqual(m.init().stdout, b"nothing was missing\n")
        self.assertEqual((tree(CONF), tree(SPOOL)), before)
        shutil.rmtree(f"{SPOOL}/deferred")
        os.unlink(f"{CONF}/aliases.db")
        said = m.init("--domain", "other.example").stdout.decode()
        self.assertEqual(re.findall("^made .*", said, re.M),
                         [f"made the directory {SPOOL}/deferred", f"made the table {CONF}/aliases.db"])
        after = tree(CONF), tree(SPOOL)
        self.assertEqual(after[0][f"{CONF}/main.cf"], before[0][f"{CONF}/main.cf"])
        self.assertEqual(set(after[1]), set(before[1]))
        self.assertEqual(findings(m), (0, []))

    def test_never_changes_what_is_there(self):
        m = System(self)
        os.chmod(f"{SPOOL}/private", 0o755)
        os.chown(f"{SPOOL}/active", 0, 0)
        r = m.init(check=False)
        self.assertEqual(r.returncode, 78)
        self.assertIn(f"error: {SPOOL}/private ", r.stderr.decode())
        self.assertIn(f"error: {SPOOL}/active ", r.stderr.decode())
        self.assertIn("mend these first (2)", r.stderr.decode())
        self.assertEqual(stat.S_IMODE(os.stat(f"{SPOOL}/private").st_mode), 0o755)
        self.assertEqual(os.stat(f"{SPOOL}/active").st_uid, 0)

    def test_refusals(self):
        m = System(self, init=False)
        nobody = pwd.getpwnam("nobody")

        def drop():
            os.setgroups([]), os.setgid(nobody.pw_gid), os.setuid(nobody.pw_uid)
        r = subprocess.run([f"{PREFIX}/sbin/merpati", "init", "--system"], preexec_fn=drop, env=m.env,
                           stderr=subprocess.PIPE, cwd="/")
        self.assertEqual(r.returncode, 78)
        self.assertIn(b"only root", r.stderr)
        self.assertEqual(m.init("--domain", "No_Domain", check=False).returncode, 78)
        self.assertFalse(os.path.exists(CONF))
        os.makedirs(CONF)
        with open(f"{CONF}/main.cf", "w") as f:
            f.write("instance_owner = nobody\n")
        r = m.init(check=False)
        self.assertEqual((r.returncode, os.listdir(CONF)), (78, ["main.cf"]))
        self.assertIn(b"private instance of nobody", r.stderr)

    def test_check_names_what_is_wrong_and_how_to_mend_it(self):
        m = System(self)
        nobody = pwd.getpwnam("nobody")
        for path in LAYOUT:
            want = os.lstat(path)
            spoils = [("mode", lambda: os.chmod(path, stat.S_IMODE(want.st_mode) ^ 0o022)),
                      ("owner", lambda: os.chown(path, nobody.pw_uid, want.st_gid))]
            if not path.endswith("/A"):                     # closed to groups: it does not matter which
                spoils.append(("group", lambda: os.chown(path, want.st_uid, nobody.pw_gid)))
            for what, spoil in spoils:
                with self.subTest(path=path, what=what):
                    spoil()
                    code, lines = findings(m)
                    self.assertEqual((code, len(lines)), (78, 1), lines)
                    self.assertIn(f" {path} ", lines[0] + " ")
                    command = lines[0].rsplit(": ", 1)[1]
                    self.assertRegex(command, "^(chown|chmod) ")
                    subprocess.run(command, shell=True, check=True)
                    self.assertEqual(findings(m), (0, []), command)

    def test_check_names_what_is_missing(self):
        m = System(self)
        for path in LAYOUT:
            if os.path.isdir(path) and path not in (CONF, SPOOL) and not path.endswith("/A"):
                with self.subTest(path=path):
                    shutil.rmtree(path)
                    code, lines = findings(m)
                    self.assertEqual(code, 78)
                    self.assertIn(f"error: {path} is missing: run `merpati init --system`", lines)
                    m.init()
                    self.assertEqual(findings(m), (0, []))

    def test_check_finds_mail_that_nobody_can_read(self):
        m = System(self)
        path = f"{SPOOL}/active/A/4B3xYz123456789a"
        with open(path, "w"):
            pass
        code, lines = findings(m)
        self.assertEqual((code, len(lines)), (78, 2), lines)       # root's, and open to others
        for line in lines:
            self.assertIn(path, line)
            subprocess.run(line.rsplit(": ", 1)[1], shell=True, check=True)
        self.assertEqual(findings(m), (0, []))

    def test_accounts_that_are_missing(self):
        m = System(self)
        subprocess.run(["userdel", "merpati-tls"], check=True)
        code, lines = findings(m)
        self.assertEqual(code, 78)
        self.assertIn("no account merpati-tls: run `merpati init --system`", lines[0])
        self.assertIn(b"made the user merpati-tls", m.init().stdout)
        self.assertEqual(findings(m), (0, []))


main()
