"""Row T in a system instance: a home that is away, a pipe user that is gone, a directory of users that cannot be asked:
the mail waits, with a line for the admin, and comes when that is mended."""
import glob, os, pwd, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from system_instance import System, enter, main, sh  # noqa: E402

enter()


class Trouble(unittest.TestCase):
    def setUp(self):
        self.m = System(self)
        self.m.unix_user("anna")
        sh("rm", "-rf", "/home/anna/Maildir", "/home/anna/.forward")

    def send(self, *to):
        with self.m.smtp() as s:
            s.sendmail("x@far.example", list(to), "Subject: x\r\n\r\nhello\r\n")

    def waits(self, to, why=""):
        self.m.wait_log(rf"to=<{to}>, .*dsn=4\.\d\.\d, status=deferred .*{why}")
        self.m.wait("a deferred mail", lambda: self.m.queue("deferred"))
        self.assertNotIn("status=bounced", self.m.log())

    def arrives(self, there):
        def flushed():
            self.m.merpati("flush")
            return there()
        self.m.wait("the mail", flushed, 40)
        self.m.wait("the end of the queue", lambda: not self.m.queue(), 40)
        self.assertEqual(len(there()), 1)

    def test_home_is_away(self):
        """As with an automounter whose server does not answer."""
        self.m.start()
        os.rename("/home/anna", "/home/anna.away")
        self.send("anna@example.test")
        self.waits("anna@example.test")
        os.rename("/home/anna.away", "/home/anna")
        self.arrives(lambda: self.m.mails("anna"))

    def test_pipe_user_is_gone(self):
        os.makedirs("/home/out", exist_ok=True)
        os.chmod("/home/out", 0o777)
        self.m.edit("main.cf", "relay_domains = run.test\ntransport_maps = inline:{ {run.test = run:} }\n")
        self.m.edit("master.cf", "run unix - n n - - pipe\n  user=piper argv=/bin/sh -c {cat >/home/out/mail}\n")
        self.m.start()
        self.send("a@run.test")
        self.waits("a@run.test")
        sh("useradd", "-M", "piper")
        self.m.merpati("reload")
        self.arrives(lambda: glob.glob("/home/out/mail"))

    def test_users_cannot_be_asked(self):
        """An error of the name service is not "no such user"."""
        self.m.start()
        self.send("anna@example.test")
        self.m.wait_mails("anna", 1)
        os.rename("/etc/passwd", "/etc/passwd.away")
        try:
            self.send("anna@example.test")
        except Exception as e:                  # smtpd cannot know either
            self.assertRegex(str(e), r"\(4\d\d,")
        else:
            self.waits("anna@example.test")
        os.rename("/etc/passwd.away", "/etc/passwd")
        self.assertTrue(pwd.getpwnam("anna"))
        self.assertNotIn("status=bounced", self.m.log())


if __name__ == "__main__":
    main()
