"""postmap, postalias, newaliases: output, warnings and exit codes as observed from Postfix 3.7."""
import os, shutil, signal, subprocess, tempfile, unittest

from instance import main, program


class Tables(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="merpati-postmap.")
        self.addCleanup(shutil.rmtree, self.dir)
        self.write("main.cf", f"myhostname = a.b\nalias_database = hash:{self.dir}/al, btree:{self.dir}/al2\n")

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)

    def run_(self, name, *args, stdin="", rc=0, env={}):
        p = subprocess.run([program(name), *args], cwd=self.dir, input=stdin, capture_output=True, text=True,
                           env={**os.environ, "MAIL_CONFIG": self.dir, **env}, timeout=30)
        self.assertEqual(p.returncode, rc, (args, p.stdout, p.stderr))
        return p.stdout, p.stderr

    def postmap(self, *args, **kw):
        return self.run_("postmap", *args, **kw)

    def test_build_and_query(self):
        self.write("m", 'KEY1 a b\n  c d\n# com\n\te\nkey2\nKEY2  x\nkey2 dup\n"quoted key" v\nk3 v # c\n\nk4\tv4\n')
        self.assertEqual(self.postmap("m")[1],
                         "postmap: warning: m, line 5: expected format: key whitespace value\n"
                         'postmap: warning: m.db: duplicate entry: "key2"\n')
        out = self.postmap("-s", "m")[0].splitlines()
        self.assertEqual(sorted(out), ['"quoted key"\tv', "k3\tv # c", "k4\tv4", "key1\ta b  c d\te", "key2\tx"])
        self.assertEqual(self.postmap("-q", "KEY1", "m")[0], "a b  c d\te\n")
        self.assertEqual(self.postmap("-q", "nokey", "m", rc=1), ("", ""))
        self.assertEqual(self.postmap("-q", "-", "m", stdin="KEY1\nzz\nk4\n")[0], "KEY1\ta b  c d\te\nk4\tv4\n")
        self.postmap("-q", "-", "m", stdin="zz\n", rc=1)

    def test_change(self):
        self.write("m", "a 1\nb 2\n")
        self.postmap("m")
        self.postmap("-d", "a", "m")
        self.postmap("-d", "a", "m", rc=1)
        self.assertIn('duplicate entry: "b"', self.postmap("-i", "m", stdin="c 3\nb new\n")[1])
        self.assertEqual(self.postmap("-q", "b", "m")[0], "2\n")
        self.postmap("-ri", "m", stdin="b new\n")
        self.assertEqual(self.postmap("-q", "b", "m")[0], "new\n")
        self.assertEqual(self.postmap("-wi", "m", stdin="b other\n")[1], "")
        self.postmap("-d", "-", "m", stdin="b\nc\n")
        self.assertEqual(self.postmap("-s", "m")[0], "")
        self.assertEqual(sorted(f for f in os.listdir(self.dir) if f.startswith("m.")), ["m.db"])

    def test_errors(self):
        self.assertIn("fatal: open nofile: No such file", self.postmap("nofile", rc=1)[1])
        self.assertIn("No such file", self.postmap("-q", "a", "nofile", rc=1)[1])
        self.assertIn("unsupported map type for this operation: regexp", self.postmap("regexp:m", rc=1)[1])
        self.assertIn("usage", self.postmap(rc=1)[1])
        self.assertIn("specify only one of", self.postmap("-q", "a", "-s", "m", rc=1)[1])
        self.assertEqual(self.postmap("-q", "x", "fail:y", rc=1)[0], "")

    def test_the_mode_of_the_source_is_kept(self):
        self.write("m", "a 1\n")
        os.chmod(os.path.join(self.dir, "m"), 0o640)
        self.postmap("m")
        self.assertEqual(os.stat(os.path.join(self.dir, "m.db")).st_mode & 0o777, 0o640)
        self.postmap("-p", "m")
        self.assertEqual(os.stat(os.path.join(self.dir, "m.db")).st_mode & 0o777, 0o644)

    def test_trouble_leaves_the_old_table(self):
        report = os.path.join(self.dir, "report")
        self.write("m", "a 1\n")
        self.postmap("m", env={"MERPATI_FAULT_REPORT": report})
        if not os.path.exists(report):
            self.skipTest("this build has no fault hook")
        for call in ("fsync", "fchmod", "rename"):
            for action, rc in (("EIO", 1), ("ENOSPC", 1), ("KILL", -signal.SIGKILL)):
                with self.subTest(call=call, action=action):
                    self.write("m", "a old\n")
                    self.postmap("m")
                    self.write("m", "a new\n")
                    err = self.postmap("m", rc=rc, env={"MERPATI_FAULT": f"postmap:{call}:1:{action}",
                                                        "MERPATI_FAULT_REPORT": report})[1]
                    self.assertIn("fatal: " if rc == 1 else "", err)
                    self.assertEqual(self.postmap("-q", "a", "m")[0], "old\n")
                    with open(report) as f:
                        self.assertIn("FIRED", f.read())
                    os.unlink(report)
                    left = [f for f in os.listdir(self.dir) if f.startswith("m.db.new")]
                    self.assertEqual(len(left), 1 if rc < 0 else 0)
                    for f in left:
                        os.unlink(os.path.join(self.dir, f))

    def test_btree_is_sorted(self):
        self.write("m", "b 2\nc 3\na 1\n")
        self.postmap("btree:m")
        self.assertEqual(self.postmap("-s", "btree:m")[0], "a\t1\nb\t2\nc\t3\n")

    def test_files_as_values(self):
        self.write("cert", "secret\n")
        self.write("m", f"a {self.dir}/cert\nb {self.dir}/missing\n")
        self.assertIn("m, line 2: open", self.postmap("-F", "m")[1])
        self.assertEqual(self.postmap("-q", "a", "m")[0], "c2VjcmV0Cg==\n")
        self.write("key", "k")
        self.write("m", f"a {self.dir}/key, {self.dir}/cert\n")
        self.assertEqual(self.postmap("-F", "m")[1], "")
        self.assertEqual(self.postmap("-q", "a", "m")[0], "awpzZWNyZXQK\n")     # k, secret: a line each

    def test_aliases(self):
        self.write("al", '# c\nroot: a,\n    b\n"quoted name": joe\nuser@domain: y\nNoColon value\nempty:\n'
                   "Dup: one\ndup: two\ncmd: |/usr/lib/x post list, \"|/bin/y a, b\"\nbs: \\root, admin\n")
        self.assertEqual(self.run_("postalias", "al")[1],
                         "postalias: warning: al, line 5: name must be local\n"
                         "postalias: warning: al, line 6: need name:value pair\n"
                         "postalias: warning: al, line 7: need name:value pair\n"
                         'postalias: warning: al.db: duplicate entry: "dup"\n')
        out = dict(l.split("\t", 1) for l in self.run_("postalias", "-s", "al")[0].splitlines())
        self.assertRegex(out.pop("YP_LAST_MODIFIED:"), r"^\d{10}$")
        self.assertEqual(out, {"@:": "@", "YP_MASTER_NAME:": "a.b", "bs:": "root, admin", "dup:": "one",
                               "cmd:": '|/usr/lib/x post list, "|/bin/y a, b"', "quoted name:": "joe",
                               "root:": "a, b"})
        self.assertEqual(self.run_("postalias", "-q", "DUP", "al")[0], "one\n")

    def test_newaliases(self):
        self.write("al", "a: b\n")
        self.write("al2", "c: d\n")
        self.run_("newaliases")
        self.assertEqual(self.run_("postalias", "-q", "a", "al")[0], "b\n")
        self.assertEqual(self.run_("postalias", "-q", "c", "btree:al2")[0], "d\n")
        os.unlink(os.path.join(self.dir, "al2"))
        self.assertIn("al2: No such file", self.run_("newaliases", rc=1)[1])


if __name__ == "__main__":
    main()
