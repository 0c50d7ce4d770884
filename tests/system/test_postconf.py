"""postconf: views, warnings and edits; what is printed was compared with Postfix 3.7."""
import os, shutil, subprocess, tempfile, unittest

from instance import main, program

MASTER = """\
# services
smtp      inet  n       -       n       -       -       smtpd
  -o content_filter=
# between
  -o { smtpd_banner = hello there }
cleanup   unix  n       -       n       -       0       cleanup
slow      unix  -       -       n       -       1       smtp -o smtp_helo_name=$mua
"""


class Postconf(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="merpati-postconf.")
        self.addCleanup(shutil.rmtree, self.dir)
        self.write("main.cf", "")
        self.write("master.cf", MASTER)

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)

    def read(self, name):
        with open(os.path.join(self.dir, name)) as f:
            return f.read()

    def pc(self, *args, rc=0):
        p = subprocess.run([program("postconf"), "-c", self.dir, *args], capture_output=True, text=True, timeout=30)
        self.assertEqual(p.returncode, rc, (args, p.stdout, p.stderr))
        return p.stdout, p.stderr.replace(self.dir, "DIR")

    def test_views(self):
        self.write("main.cf", "myhostname = a.example\nmydestination = $myhostname,\n\tlocalhost\nrelayhost =\n")
        self.assertEqual(self.pc("myhostname", "relayhost", "mydomain")[0],
                         "myhostname = a.example\nrelayhost =\nmydomain = example\n")
        self.assertEqual(self.pc("-h", "mydestination")[0], "$myhostname, localhost\n")
        self.assertEqual(self.pc("-hx", "mydestination")[0], "a.example, localhost\n")
        self.assertEqual(self.pc("-H", "relayhost")[0], "relayhost\n")
        self.assertEqual(self.pc("-d", "mydestination")[0],
                         "mydestination = $myhostname, localhost.$mydomain, localhost\n")
        self.assertEqual(self.pc("-o", "myhostname=b.c", "-hx", "mydestination")[0], "b.c, localhost\n")
        self.assertEqual(self.pc("-n", "-C", "builtin")[0],
                         f"config_directory = {self.dir}\nmydestination = $myhostname, localhost\n"
                         "myhostname = a.example\nrelayhost =\n")
        self.assertTrue(all(len(l) <= 80 for l in self.pc("-f", "proxy_read_maps")[0].splitlines()))
        self.assertIn("hash\n", self.pc("-m")[0])
        self.assertEqual(self.pc("-l")[0], "fcntl\ndotlock\n")

    def test_warnings(self):
        self.write("main.cf", "a = 1\nused = x\nmyorigin = $used $missing\nmua = y\na = 2\n"
                              "forward_path = $home/x $\nslow_destination_concurrency_limit = 1\n"
                              "nosuch_destination_concurrency_limit = 1\n")
        out, err = self.pc("-n")
        self.assertEqual(out.splitlines()[1:], ["forward_path = $home/x $", "mua = y", "myorigin = $used $missing",
                                                "slow_destination_concurrency_limit = 1", "used = x"])
        self.assertEqual(sorted(err.splitlines()), sorted([
            "postconf: warning: DIR/main.cf, line 5: overriding earlier entry: a=1",
            "postconf: warning: DIR/main.cf: undefined parameter: missing",
            "postconf: warning: DIR/main.cf: unused parameter: a=2",
            "postconf: warning: DIR/main.cf: unused parameter: nosuch_destination_concurrency_limit=1"]))
        self.assertEqual(self.pc("nosuch")[1].splitlines()[1], "postconf: warning: DIR/main.cf: undefined parameter: missing")
        self.assertIn("warning: nosuch: unknown parameter", self.pc("nosuch")[1])
        self.write("main.cf", "ok = 1\nbroken\n")
        self.assertIn("main.cf, line 2: not", self.pc("-n", rc=1)[1])

    def test_a_configuration_without_warnings(self):
        self.write("main.cf", "mua = y\n")
        self.assertEqual(self.pc("-n")[1], "")
        self.assertEqual(self.pc("-h", "mydomain")[1], "")

    def test_edit(self):
        self.write("main.cf", "# first\nmyorigin = a\n  b\n# inside\n  c\nrelayhost = x\n\nmyorigin = later\n")
        os.chmod(os.path.join(self.dir, "main.cf"), 0o640)
        err = self.pc("-e", "myorigin = new value", "mydomain=d")[1]
        self.assertEqual(err, 'postconf: warning: main.cf: multiple entries for "myorigin"\n')
        self.assertEqual(self.read("main.cf"), "# first\nmyorigin = new value\n# inside\nrelayhost = x\n\nmydomain = d\n")
        self.assertEqual(os.stat(os.path.join(self.dir, "main.cf")).st_mode & 0o777, 0o640)
        self.pc("relayhost=")  # an assignment needs no -e
        self.pc("-X", "mydomain")
        self.pc("-#", "myorigin")
        self.assertEqual(self.read("main.cf"), "# first\n#myorigin = new value\n# inside\nrelayhost =\n\n")
        self.assertIn("not name=value", self.pc("-e", "x", rc=1)[1])
        self.assertIn("a line end", self.pc("-e", "x=a\nb", rc=1)[1])
        self.assertEqual(sorted(os.listdir(self.dir)), ["main.cf", "master.cf"])

    def test_services(self):
        self.write("main.cf", "mua = y\n")
        self.assertEqual(self.pc("-M", "smtp/inet")[0], "smtp       inet  n       -       n       -       -       smtpd "
                                                       "-o content_filter= -o {smtpd_banner=hello there}\n")
        self.assertEqual(self.pc("-P")[0], "smtp/inet/content_filter =\nsmtp/inet/smtpd_banner = hello there\n"
                                           "slow/unix/smtp_helo_name = $mua\n")
        self.assertEqual(self.pc("-Px", "slow")[0], "slow/unix/smtp_helo_name = y\n")
        self.assertEqual(self.pc("-F", "cleanup/unix/process_limit")[0], "cleanup/unix/process_limit = 0\n")
        self.assertIn("unmatched request", self.pc("-M", "nosuch")[1])

    def test_edit_services(self):
        self.pc("-P", "smtp/inet/smtpd_banner=two words", "smtp/inet/x=1")
        self.pc("-PX", "smtp/inet/content_filter")
        self.pc("-F", "cleanup/unix/process_limit=3")
        self.pc("-M", "new/unix=new unix - - n - - pipe user=x argv=/bin/y {a b}")
        self.pc("-M#", "slow/unix")
        self.assertEqual(self.read("master.cf"), """\
# services
smtp       inet  n       -       n       -       -       smtpd
    -o {smtpd_banner=two words}
    -o x=1
# between
cleanup    unix  n       -       n       -       3       cleanup
#slow      unix  -       -       n       -       1       smtp -o smtp_helo_name=$mua
new        unix  -       -       n       -       -       pipe user=x argv=/bin/y
    {a b}
""")
        before = self.read("master.cf")
        self.assertIn("a process limit is a number", self.pc("-F", "cleanup/unix/process_limit=x", rc=1)[1])
        self.assertIn("needs 8 fields", self.pc("-M", "bad/unix=bad unix", rc=1)[1])
        self.assertIn("unmatched", self.pc("-P", "nosuch/unix/a=b", rc=1)[1])
        self.assertEqual(self.read("master.cf"), before)
        self.pc("-MX", "cleanup/unix")
        self.assertNotIn("cleanup", self.read("master.cf"))

    def test_templates_built_in(self):
        self.write("main.cf", "myhostname = mx.a.test\n")
        out, err = self.pc("-t")
        self.assertEqual(err, "")
        self.assertEqual(out.count("\nEOF\n"), 4)
        self.assertTrue(out.startswith("failure_template = <<EOF\nCharset: us-ascii\nFrom: Mail Delivery System "
                                       "<MAILER-DAEMON>\nSubject: "))
        # what -t prints is a template file that means the same
        self.write("b.cf", out)
        self.assertEqual(self.pc("-t", self.dir + "/b.cf"), (out, ""))
        out, err = self.pc("-b")
        self.assertIn("expanded_delay_text = <<EOF\nThis is the mail server mx.a.test.\n", out)
        self.assertNotIn("$", out)

    def test_templates_of_a_file(self):
        self.write("main.cf", f"myhostname = mx.a.test\ndelay_warning_time = 4h\nbounce_template_file = {self.dir}/b.cf\n")
        self.write("b.cf", "# mine\nfailure_template = <<EOF\nSubject: It came back\n\nFrom $myhostname:\nEOF_\nEOF\n"
                           "delay_template = <<END\nPostmaster-Subject: late\n\n$delay_warning_time_hours hours\nEOF\nEND\n")
        out, err = self.pc("-b")
        self.assertEqual(err, "")
        self.assertTrue(out.startswith("expanded_failure_text = <<EOF\nFrom mx.a.test:\nEOF_\nEOF\n\n"
                                       "expanded_delay_text = <<EOF_\n4 hours\nEOF\nEOF_\n\nexpanded_success_text = "))
        out, err = self.pc("-t")
        self.assertIn("Subject: It came back\nPostmaster-Subject: Postmaster notice: undeliverable mail\n\n"
                      "From $myhostname:\n", out)
        self.assertIn("delay_template = <<EOF_\nCharset: us-ascii\n", out)
        self.assertNotIn("It came back", self.pc("-t", "")[0])

    def test_templates_that_are_wrong(self):
        self.write("main.cf", "myhostname = mx.a.test\n")
        self.write("b.cf", "failure_template = <<EOF\nSubjekt: x\n\ny\nEOF\nverify_template = <<EOF\n\n$nope\nEOF\n")
        want = "postconf: warning: DIR/b.cf, line 2: unknown header \"Subjekt\" in failure template; the built-in " \
               "template is used\n"
        self.assertEqual(self.pc("-t", self.dir + "/b.cf")[1], want)
        out, err = self.pc("-b", self.dir + "/b.cf")
        self.assertEqual(err, want + "postconf: warning: DIR/b.cf, line 8: undefined parameter $nope; the built-in "
                                     "template is used\n")
        self.assertEqual(out, self.pc("-b")[0])
        self.assertEqual(self.pc("-b", self.dir + "/none.cf", rc=1),
                         ("", "postconf: fatal: open DIR/none.cf: No such file or directory\n"))


if __name__ == "__main__":
    main()
