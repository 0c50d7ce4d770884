"""Debian's procmail and maildrop as mailbox_command, and by the line that everybody has in ~/.forward: .procmailrc and
.mailfilter file into folders, their exit codes are answers, and IMAP reads what they wrote."""
import glob, imaplib, os, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from system_instance import System, enter, main, sh  # noqa: E402

enter()

PROCMAILRC = """MAILDIR=$HOME/Maildir
DEFAULT=$MAILDIR/
ARG=$1
:0
* ARG ?? .
.ext-$ARG/

:0
* ^Subject: list
.lists/

:0
* ^Subject: go away
{
  EXITCODE=67
  HOST
}

:0
* ^Subject: later
{
  EXITCODE=75
  HOST
}

:0
* ^Subject: box
$HOME/box
"""
MAILFILTER = """if ( /^Subject: list/ )
{
  to "$HOME/Maildir/.lists"
}
if ( /^Subject: go away/ )
{
  echo "nobody wants it"
  EXITCODE=77
  exit
}
if ( /^Subject: later/ )
{
  EXITCODE=75
  exit
}
if ( /^Subject: box/ )
{
  to "$HOME/box"
}
to "$HOME/Maildir"
"""


class Filters(unittest.TestCase):
    def setUp(self):
        self.m = System(self)
        self.m.unix_user("anna", "secret")
        sh("sh", "-c", "rm -rf /home/anna/Maildir /home/anna/.[fpm]* /home/anna/box; cd /home/anna && "
                       "for d in Maildir Maildir/.lists Maildir/.ext-work; do mkdir $d $d/cur $d/new $d/tmp; done; "
                       "chown -R anna: Maildir")

    def program(self, name):
        """The path of Debian's. That it is missing is a failure."""
        print(sh(f"/usr/bin/{name}", "-v").splitlines()[0])
        return f"/usr/bin/{name}"

    def home_file(self, name, text):
        with open(f"/home/anna/{name}", "w") as f:
            f.write(text)
        os.chmod(f.name, 0o600)
        sh("chown", "anna:", f.name)

    def send(self, subject, to="anna@example.test"):
        with self.m.smtp() as s:
            s.sendmail("x@far.example", [to], f"Subject: {subject}\r\nTo: you\r\n\r\nFrom here\r\n{subject}\r\n")

    def folder(self, name=""):
        return glob.glob(f"/home/anna/Maildir/{name}new/*")

    def goes_to(self, where, subject, to="anna@example.test"):
        self.send(subject, to)
        self.m.wait(f"{subject} in {where}", lambda: self.folder(where))
        with open(self.folder(where)[0]) as f:
            text = f.read()
        self.assertIn("Delivered-To: " + to, text)
        self.assertTrue(text.endswith(f"\nFrom here\n{subject}\n"), text)

    def ends(self, status):
        self.m.wait_log(rf"to=<anna@example.test>, relay=local, .*{status}")

    def read_by_imap(self, folder):
        c = imaplib.IMAP4("127.0.0.1", 143, timeout=60)
        c.login("anna", "secret")
        n = int(c.select(folder)[1][0])
        c.logout()
        return n

    def common(self):
        self.goes_to("", "for the inbox")
        self.goes_to(".lists/", "list of things")
        self.assertEqual((self.read_by_imap("INBOX"), self.read_by_imap("lists")), (1, 1))
        self.send("later")
        self.ends("dsn=4.3.0, status=deferred")
        self.send("box")
        def box():
            try:
                with open("/home/anna/box") as f:
                    return f.read()
            except FileNotFoundError:
                return ""
        self.m.wait("box", lambda: box().endswith("box\n\n"))   # both write it in pieces
        self.assertRegex(box(), r"(?s)\AFrom x@far\.example .*\n>From here\nbox\n")
        self.assertEqual(os.stat("/home/anna/box").st_uid, os.stat("/home/anna").st_uid)

    def test_procmail(self):
        self.m.edit("main.cf", f'mailbox_command = {self.program("procmail")} -a "$EXTENSION"\nrecipient_delimiter = +\n')
        self.home_file(".procmailrc", PROCMAILRC)
        self.m.start()
        self.common()
        self.goes_to(".ext-work/", "with extension", "anna+work@example.test")
        self.send("go away")
        self.ends(r"dsn=5.1.1, status=bounced \(user unknown")

    def test_procmail_by_forward(self):
        self.home_file(".forward", "\"|IFS=' ' && exec %s -f- || exit 75 #anna\"\n" % self.program("procmail"))
        self.home_file(".procmailrc", PROCMAILRC)
        self.m.start()
        self.goes_to("", "for the inbox")
        self.goes_to(".lists/", "list of things")
        self.send("go away")
        self.ends(r"dsn=5.1.1, status=bounced \(user unknown")

    def test_maildrop(self):
        self.m.edit("main.cf", f'mailbox_command = {self.program("maildrop")}\n')
        self.home_file(".mailfilter", MAILFILTER)
        self.m.start()
        self.common()
        self.send("go away")
        self.ends(r"dsn=5.7.0, status=bounced \(permission denied. Command output: nobody wants it")

    def test_filter_that_others_can_write(self):
        """maildrop refuses it itself; no mail is lost."""
        self.m.edit("main.cf", f'mailbox_command = {self.program("maildrop")}\n')
        self.home_file(".mailfilter", MAILFILTER)
        os.chmod("/home/anna/.mailfilter", 0o666)
        self.m.start()
        self.send("list of things")
        self.ends("status=deferred")
        self.m.wait("a deferred mail", lambda: self.m.queue("deferred"))
        os.chmod("/home/anna/.mailfilter", 0o600)
        self.m.merpati("flush")
        self.m.wait("the mail", lambda: self.folder(".lists/"))


if __name__ == "__main__":
    main()
