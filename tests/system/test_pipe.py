"""Mail for programs of master.cf: SMTP -> cleanup -> qmgr -> pipe -> postman -> program."""
import glob, os, pwd, re, sys, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import Instance, main, owner

TO = "@pipe.test"
BODY = "Subject: one\r\n\r\n..dot\r\nFrom here\r\nend\r\n"


class Pipe(unittest.TestCase):
    def instance(self, services, main_cf=None):
        """SERVICES: name -> the arguments; mail for anybody@NAME.test goes there."""
        m = self.m = Instance(self)
        self.out = os.path.join(m.dir, "out")
        os.mkdir(self.out)
        os.chmod(self.out, 0o777)
        m.edit("master.cf", "".join(f"{name} unix - n n - - pipe\n  {args}\n" for name, args in services.items()))
        settings = {"relay_domains": " ".join(f"{n}.test" for n in services),
                    "transport_maps": "inline:{ " + ", ".join(f"{{{n}.test = {n}:}}" for n in services) + " }",
                    **(main_cf or {})}
        m.edit("main.cf", "".join(f"{k} = {v}\n" for k, v in settings.items()))
        m.user("anna")
        return m

    def script(self, text):
        path = os.path.join(self.m.dir, f"script{len(glob.glob(self.m.dir + '/script*'))}")
        with open(path, "w") as f:
            f.write(f"#!/bin/sh\nout={self.out}\n{text}\n")
        os.chmod(path, 0o755)
        return path

    def read(self, name):
        with open(os.path.join(self.out, name), newline="") as f:
            return f.read()

    def sent(self, to, rest, **kw):
        service = re.search(r"@(\w+)\.", to)[1].lower()
        self.m.wait_log(rf"to=<{re.escape(to)}>, (orig_to=\S+, )?relay={service}, delay=[^(]*, {rest}", **kw)

    def test_arguments_and_text(self):
        user = owner()
        keep = 'printf "%s|" "$@" >$out/args; env >$out/env; pwd >>$out/args; id -u >>$out/args; cat >$out/mail'
        m = self.instance({"all": "argv=x", "many": "argv=x"}, {"all_destination_recipient_limit": "1"})
        path = self.script(keep)
        m.edit("master.cf", f"all unix - n n - - pipe\n  flags=BDFORXhu.> user={user} directory=/usr argv={path}\n"
               "  -f ${sender} ${recipient} ${user} ${extension} ${domain} ${mailbox} ${nexthop} ${queue_id}\n"
               "  ${original_recipient} ${client_address} ${client_helo} a$$b\n"
               f"many unix - n n - - pipe\n  flags=Rq user={user} null_sender= eol=\\r\\n argv={path} "
               "to=${recipient} from=${sender} one\n")
        self.drop_first("all", "many")
        m.start()
        m.send("s@client.example", ["Who+Ext@ALL.test"], BODY)
        self.sent("Who+Ext@ALL.test", r"dsn=2.0.0, status=sent \(delivered via all service\)")
        args, cwd, uid = re.match(r"(.*\|)(/\S+)\n(\d+)\n$", self.read("args"), re.S).groups()
        self.assertRegex(args, r"^-f\|s@client.example\|who\+ext@all.test\|who\|ext\|all.test\|who\+ext\|all.test\|\w+\|"
                               r"who\+ext@all.test\|127.0.0.1\|client.example\|a\$b\|$")
        self.assertEqual((cwd, int(uid)), ("/usr", pwd.getpwnam(user).pw_uid))
        text = self.read("mail")
        self.assertRegex(text, r"^From s@client.example  .*\nReturn-Path: <s@client.example>\n"
                               r"X-Original-To: Who\+Ext@(all|ALL).test\nDelivered-To: Who\+Ext@ALL.test\n")
        self.assertTrue(text.endswith("\n\n...dot\n>From here\nend\n\n"), text[-60:])
        env = dict(l.split("=", 1) for l in self.read("env").splitlines() if "=" in l)
        self.assertTrue(env["PATH"].startswith("/usr/bin:"))
        self.assertLessEqual(set(env), {"PATH", "MAIL_CONFIG", "LANG", "TZ", "PWD", "OLDPWD", "SHLVL", "_"})
        # one run for two recipients; an empty sender stays empty
        m.run("sendmail", "-f", "", "b@many.test", "'c d'@many.test".replace("'", '"'), input=b"Subject: x\n\nline\n")
        self.sent("b@many.test", r"dsn=2.0.0, status=sent \(delivered via many service\)")
        args = self.read("args")
        self.assertIn("to=b@many.test|", args)
        self.assertIn('to="c d"@many.test|', args)
        self.assertIn("|from=|one|", args)
        text = self.read("mail")
        self.assertTrue(text.startswith("Return-Path: <>\r\n"), text[:60])
        self.assertTrue(text.endswith("\r\n\r\nline\r\n"), text[-60:])

    def drop_first(self, *names):
        """Of services that stand twice in master.cf the last one counts here."""
        path = os.path.join(self.m.conf, "master.cf")
        with open(path) as f:
            text = f.read()
        for n in names:
            text = re.sub(rf"(?m)^{n} unix .*\n(?:  .*\n)*", "", text, count=1)
        with open(path, "w") as f:
            f.write(text)

    def test_results(self):
        m = self.instance({"exit": "argv=PATH ${user}"})
        path = self.script('cat >/dev/null; case $1 in coded) echo 5.7.1 not for you; exit 77;; '
                           'later) echo 4.2.2 full; exit 1;; words) echo some words; exit 65;; said) echo fine; exit 0;; '
                           'kill) kill -11 $$;; *) exit $1;; esac')
        self.use("exit", path)
        m.start()
        for user, expected in (("0", r"dsn=2.0.0, status=sent \(delivered via exit service\)"),
                               ("said", r"dsn=2.0.0, status=sent \(delivered via exit service \(fine\)\)"),
                               ("1", r"dsn=5.3.0, status=bounced \(Command died with status 1"),
                               ("64", r"dsn=5.3.0, status=bounced \(command line usage error"),
                               ("67", r"dsn=5.1.1, status=bounced \(user unknown\)"),
                               ("71", r"dsn=4.3.0, status=deferred \(system resource problem"),
                               ("75", r"dsn=4.3.0, status=deferred \(temporary failure\)"),
                               ("77", r"dsn=5.7.0, status=bounced \(permission denied\)"),
                               ("78", r"dsn=5.3.5, status=bounced \(local configuration error\)"),
                               ("coded", r"dsn=5.7.1, status=bounced \(not for you\)"),
                               ("later", r"dsn=4.2.2, status=deferred \(full\)"),
                               ("words", r"dsn=5.6.0, status=bounced \(data format error. Command output: some words\)"),
                               ("kill", r"dsn=4.3.0, status=deferred \(Command died with signal 11")):
            m.send("anna@example.test", [f"{user}@exit.test"])
            self.sent(f"{user}@exit.test", expected)

    def use(self, name, path):
        master = os.path.join(self.m.conf, "master.cf")
        with open(master) as f:
            text = f.read()
        with open(master, "w") as f:
            f.write(text.replace("argv=PATH", f"argv={path}"))

    def test_hang_fork_flood(self):
        m = self.instance({"hang": "argv=PATH ${user}"}, {"hang_time_limit": "2s"})
        self.use("hang", self.script('cat >/dev/null; case $1 in sleep) sleep 300 & echo $! >$out/child; wait;; '
                                     'flood) exec cat /dev/zero;; fork) (sleep 300 & echo $! >$out/left) >/dev/null 2>&1; exit 0;; '
                                     'much) head -c 300000 /dev/zero | tr "\\0" x; exit 65;; esac'))
        m.start()
        m.send("anna@example.test", ["sleep@hang.test", "flood@hang.test"])
        self.sent("sleep@hang.test", r'dsn=4.3.0, status=deferred \(Command time limit exceeded: ')
        child = int(self.read("child"))
        m.wait("the end of the child", lambda: not os.path.exists(f"/proc/{child}"))
        m.send("anna@example.test", ["flood@hang.test"])
        self.sent("flood@hang.test", r"dsn=4.3.0, status=deferred")
        m.send("anna@example.test", ["fork@hang.test"])
        self.sent("fork@hang.test", r"dsn=2.0.0, status=sent")
        os.kill(int(self.read("left")), 9)
        m.send("anna@example.test", ["much@hang.test"])
        self.sent("much@hang.test", r"dsn=5.6.0, status=bounced \(data format error. Command output: x{100,900}")
        m.wait_mails("anna", 1)

    def test_loop_and_size(self):
        m = self.instance({"loop": "flags=D size=2000 argv=PATH"}, {"loop_destination_recipient_limit": "1"})
        self.use("loop", self.script("cat >$out/mail"))
        m.start()
        m.send("anna@example.test", ["a@loop.test"], "Delivered-To: A@Loop.test\r\nSubject: x\r\n\r\nx\r\n")
        self.sent("a@loop.test", r"dsn=5.4.6, status=bounced \(mail forwarding loop for a@loop.test\)")
        m.send("anna@example.test", ["b@loop.test"], "Subject: x\r\n\r\n" + "x\r\n" * 2000)
        self.sent("b@loop.test", r"dsn=5.2.3, status=bounced \(message size \d+ exceeds size limit 2000 of service loop\)")
        self.assertFalse(os.path.exists(os.path.join(self.out, "mail")))
        m.wait_mails("anna", 2)

    def test_wrong_lines(self):
        m = self.instance({"one": "flags=Z argv=/bin/true", "two": "chroot=/x argv=/bin/true",
                           "three": "flags=D argv=/bin/true", "four": "argv=/bin/echo ${nothing}",
                           "five": "user=root argv=/bin/true", "six": "user=no.such.account argv=/bin/true",
                           "seven": "argv=/nonexistent/program"})
        m.start()
        for n in ("one", "two", "three", "four", "five", "six", "seven"):
            m.send("s@client.example", [f"a@{n}.test"])
        m.wait_log(r"master.cf: service one: flags=: unknown flag 'Z'")
        m.wait_log(r"master.cf: service two: chroot= is not supported")
        m.wait_log(r"master.cf: service three: flags D and O need three_destination_recipient_limit = 1")
        m.wait_log(r'master.cf: service four: argv=: unknown macro in "\$\{nothing\}"')
        self.sent("a@five.test", r"dsn=4.3.\d, status=deferred \(cannot run the program: .*uid 0")
        self.sent("a@six.test", r"dsn=4.3.\d, status=deferred \(cannot run the program: .*no.such.account: no such account")
        self.sent("a@seven.test", r"dsn=4.3.\d, status=deferred \(cannot run .*No such file")
        m.wait("all wait", lambda: len(m.queue("deferred", "active")) == 7)


if __name__ == "__main__":
    main()
