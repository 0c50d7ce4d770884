"""master: start, stop, reload, throttling, limits, dial, two masters, kill -9. Services are fakes."""
import os, re, resource, shutil, signal, socket, subprocess, sys, tempfile, time, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import owner, program, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
FAKE = os.path.join(HERE, "fake_service.py")


class Master:
    """An instance with a daemon_directory of its own: the real master, everything else a fake."""

    def __init__(self, test, master_cf, main_cf="", programs=(), scale=1):
        self.env = {"PATH": "/usr/bin:/bin", "MERPATI_CLOCK_SCALE": str(scale)}
        self.env.update({k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_"))})
        self.sockets = []
        self.dir = tempfile.mkdtemp(prefix="merpati-master.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.spool = os.path.join(self.dir, "spool")
        self.daemons = os.path.join(self.dir, "libexec")
        os.mkdir(self.spool, 0o755)
        os.mkdir(self.daemons, 0o755)
        os.symlink(program("master"), os.path.join(self.daemons, "master"))
        for name in {"smtpd", "cleanup", "local", "qmgr", "imapd", *programs}:
            shutil.copy(FAKE, os.path.join(self.daemons, name))
            os.chmod(os.path.join(self.daemons, name), 0o755)
        self.main_cf = (f"instance_owner = {owner()}\nqueue_directory = {self.spool}\n"
                        f"daemon_directory = {self.daemons}\ninet_interfaces = loopback-only\n"
                        f"inet_protocols = ipv4\nmaillog_file = {self.dir}/log\n" + main_cf)
        self.write("main.cf", self.main_cf)
        self.write("master.cf", master_cf)
        if os.getuid() == 0:
            shutil.chown(self.dir, owner())
            shutil.chown(self.spool, owner())
        test.addCleanup(self.close)

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)

    def merpati(self, *args, check=True, timeout=90):
        r = subprocess.run([program("merpati"), "-c", self.dir, *args], stdin=subprocess.DEVNULL, env=self.env,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, text=True)
        if check and r.returncode:
            raise AssertionError(f"merpati {args}: exit {r.returncode}: {r.stdout}{r.stderr}\n{self.log()}")
        return r

    def log(self):
        try:
            with open(os.path.join(self.dir, "log")) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, regex):
        return wait_for(f"log /{regex}/ in\n{self.log()}", lambda: re.search(regex, self.log()))

    def pid(self):
        with open(os.path.join(self.spool, "pid", "master.pid")) as f:
            return int(f.read())

    def children(self):
        """pid -> arguments, of the processes that master (or nobody, once it is dead) is parent of."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline") as f:
                    argv = f.read().split("\0")
            except OSError:
                continue
            if len(argv) > 2 and argv[1].startswith(self.daemons) and self.dir in argv:
                found[int(pid)] = argv
        return found

    def service_pids(self, name, generation=None):
        out = []
        for pid, argv in self.children().items():
            if argv[argv.index("-n") + 1] == name and generation in (None, int(argv[argv.index("-g") + 1])):
                out.append(pid)
        return sorted(out)

    def port(self, name):
        with open(os.path.join(self.spool, "pid", "ports")) as f:
            return dict((l.split()[0], int(l.split()[1])) for l in f)[name]

    def ask_port(self, name):
        return self.talk(socket.create_connection(("127.0.0.1", self.port(name)), 20))

    def ask_path(self, path):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(os.path.join(self.spool, path))
        return self.talk(s)

    def talk(self, s):
        self.sockets.append(s)
        f = s.makefile()
        line = f.readline().rstrip("\n")
        f.close()
        return line, s

    def close(self):
        for s in self.sockets:
            s.close()
        if not os.path.exists(os.path.join(self.spool, "pid", "master.pid")):
            shutil.rmtree(self.dir, ignore_errors=True)
            return
        self.merpati("stop", check=False)
        for pid in self.children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        log = self.log()
        shutil.rmtree(self.dir, ignore_errors=True)
        if re.search(r"panic:|AddressSanitizer|runtime error:|LeakSanitizer", log):
            raise AssertionError(log)


SMTP = "smtp inet n - n - 2 smtpd\n"


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class StartStop(unittest.TestCase):
    def test_start_ports_status_stop(self):
        m = Master(self, SMTP + "cleanup unix n - n - 0 cleanup\n", "instance_port_base = 0\n")
        self.assertIn("started", m.merpati("start").stdout)
        line, s = m.ask_port("smtp")
        self.assertTrue(line.startswith("smtp "), line)
        s.close()
        self.assertGreaterEqual(len(m.service_pids("smtp")), 1)
        status = m.merpati("status").stdout
        self.assertRegex(status, r"smtp +running")
        self.assertIn(f"127.0.0.1:{m.port('smtp')}", status)
        self.assertEqual(os.stat(os.path.join(m.spool, "public/cleanup")).st_mode & 0o777, 0o666)
        self.assertEqual(os.stat(os.path.join(m.spool, "private/control")).st_mode & 0o777, 0o600)
        self.assertTrue(os.path.exists(os.path.join(m.spool, "private/net/cleanup")))
        self.assertFalse(os.path.exists(os.path.join(m.spool, "private/out/cleanup")))
        pid = m.pid()
        if os.getuid() == 0:
            self.assertNotEqual(os.stat(f"/proc/{pid}").st_uid, 0, "a private instance runs as root")
        m.merpati("stop")
        self.assertFalse(alive(pid))
        self.assertEqual(m.children(), {})
        self.assertFalse(os.path.exists(os.path.join(m.spool, "private/control")))
        self.assertEqual(m.merpati("status", check=False).returncode, 75)
        m.merpati("start")  # and again
        m.merpati("stop")

    def test_two_masters(self):
        m = Master(self, SMTP, "instance_port_base = 0\n")
        m.merpati("start")
        pid = m.pid()
        second = m.merpati("start", check=False)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(f"pid {pid}", second.stderr)
        direct = subprocess.run([program("master"), "-c", m.dir, "-d"], stderr=subprocess.PIPE, text=True, timeout=30)
        self.assertNotEqual(direct.returncode, 0)
        self.assertIn("running already", direct.stderr)
        self.assertEqual(m.pid(), pid)

    def test_start_says_what_is_wrong(self):
        m = Master(self, SMTP + "nonsense unix - - n - - no-such-program\n", "instance_port_base = 0\n")
        r = m.merpati("start", check=False)
        self.assertEqual(r.returncode, 78)
        self.assertRegex(r.stderr, r"master\.cf, line 2: service nonsense: cannot execute .*no-such-program")
        self.assertEqual(m.children(), {})

    def test_every_refusal_names_the_place(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        cases = (
            (f"127.0.0.1:{port} inet n - n - - smtpd\n", "", rf"line 1: service 127.0.0.1:{port}: listen on .*Address already in use"),
            ("nosuchport inet n - n - - smtpd\n", "", "line 1: service nosuchport: no port is known by the name"),
            ("70000 inet n - n - - smtpd\n", "", "line 1: service 70000: .* not a port"),
            ("x pass n - n - - smtpd\n", "", "line 1: services of type pass do not exist"),
            ("a/b unix - - n - - local\n", "", "line 1: the service name a/b"),
            ("x" * 120 + " unix - - n - - local\n", "", "longer than 107"),
            ("a unix - - n - - local\na unix - - n - - local\n", "", "line 2: service a unix stands in line 1 already"),
            ("a unix - - n - - ../bin/sh\n", "", "line 1: .*without a path"),
            ("# nothing\n", "", "names no service"),
            (SMTP, "instance_port_base = high\n", "instance_port_base = high: not a number"),
            (SMTP, "inet_protocols = ipv5\n", "inet_protocols: \"ipv5\""),
            (SMTP, "inet_interfaces = 300.1.1.1\n", "300.1.1.1"),
            (SMTP, "instance_owner = no-such-user\n", "no-such-user.*no such user"),
            (SMTP, "instance_owner = root\n", "root cannot own"),
        )
        for master_cf, main_cf, want in cases:
            m = Master(self, master_cf, "instance_port_base = 0\n" + main_cf)
            r = m.merpati("start", check=False)
            self.assertEqual(r.returncode, 78, master_cf + main_cf)
            self.assertRegex(r.stderr, want)
            self.assertEqual(len(r.stderr.splitlines()), 1, r.stderr)
            self.assertEqual(m.children(), {})

    def test_crash_at_start_throttles_one_service_only(self):
        m = Master(self, SMTP + "qmgr unix n - n 300 1 qmgr crash\n", "instance_port_base = 0\n")
        r = m.merpati("start", check=False)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("qmgr", r.stderr)
        line, s = m.ask_port("smtp")
        self.assertTrue(line.startswith("smtp "))
        s.close()
        self.assertRegex(m.merpati("status").stdout, r"qmgr +THROTTLED")
        self.assertRegex(m.merpati("status").stdout, r"smtp +running")
        self.assertEqual(len(re.findall("exit status 1", m.log())), 1)

    def test_throttled_service_returns(self):
        m = Master(self, SMTP + "agent unix - - n - - local crash\n",
                   "instance_port_base = 0\nservice_throttle_time = 1s\n")
        m.merpati("start")
        s = socket.socket(socket.AF_UNIX)
        s.connect(os.path.join(m.spool, "private/queue/agent"))
        wait_for("a second try", lambda: len(re.findall("service agent, pid .* exit status 1", m.log())) >= 2)
        m.write("master.cf", SMTP + "agent unix - - n - - local\n")
        m.merpati("reload")
        s.settimeout(20)
        self.assertTrue(s.recv(100).startswith(b"agent "), "the connection that waited is served")

    def test_signals_and_foreground(self):
        m = Master(self, SMTP, "instance_port_base = 0\n")
        p = subprocess.Popen([program("merpati"), "-c", m.dir, "foreground"], stderr=subprocess.PIPE, text=True)
        self.addCleanup(p.kill)
        self.addCleanup(p.stderr.close)
        wait_for("ports", lambda: os.path.exists(os.path.join(m.spool, "pid/ports")))
        line, s = m.ask_port("smtp")
        s.close()
        os.kill(p.pid, signal.SIGHUP)
        wait_for("generation 2", lambda: m.service_pids("smtp", 2))
        os.kill(p.pid, signal.SIGTERM)
        self.assertEqual(p.wait(30), 0)
        self.assertEqual(m.children(), {})


class Supply(unittest.TestCase):
    def test_systemd_is_told(self):
        """sd_notify(3): ready, alive, stopping; by a path or an abstract name."""
        m = Master(self, "local unix - - n - 1 local\ncleanup unix - - n - 0 cleanup\n")
        for name in (os.path.join(m.dir, "notify"), "\0merpati-test-" + os.path.basename(m.dir)):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
                s.bind(name)
                if name[0] == "/":
                    os.chmod(name, 0o666)
                s.settimeout(30)
                env = {**m.env, "NOTIFY_SOCKET": name.replace("\0", "@"), "WATCHDOG_USEC": "200000"}
                p = subprocess.Popen([program("master"), "-c", m.dir, "-d"], env=env, stderr=subprocess.DEVNULL)
                try:
                    said = []
                    while said.count(b"WATCHDOG=1") < 3 or b"READY=1" not in said:
                        said.append(s.recv(1000))
                    p.send_signal(signal.SIGTERM)
                    while said[-1] != b"STOPPING=1":
                        said.append(s.recv(1000))
                    self.assertEqual(p.wait(30), 0)
                finally:
                    if p.poll() is None:
                        p.kill()
                    p.wait()

    def test_on_demand_and_limit(self):
        m = Master(self, SMTP + "agent unix - - n - 2 local limit=1\n", "instance_port_base = 0\n")
        m.merpati("start")
        self.assertEqual(m.service_pids("agent"), [], "nobody asked for it yet")
        a, sa = m.ask_path("private/queue/agent")
        b, sb = m.ask_path("private/queue/agent")
        self.assertNotEqual(a.split()[1], b.split()[1], "each takes one connection")
        s = socket.socket(socket.AF_UNIX)
        s.connect(os.path.join(m.spool, "private/queue/agent"))
        s.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            s.recv(1)
        self.assertEqual(len(m.service_pids("agent")), 2, "the process limit holds")
        sa.close()
        s.settimeout(20)
        self.assertEqual(s.recv(200).split()[1].decode(), a.split()[1], "the one with room took it")
        sb.close()
        s.close()

    def test_killed_ones_come_back(self):
        m = Master(self, SMTP + "cleanup unix n - n - 0 cleanup\n", "instance_port_base = 0\n")
        m.merpati("start")
        first = m.service_pids("cleanup")
        self.assertTrue(first)
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        wait_for("new processes", lambda: m.service_pids("cleanup") and not set(first) & set(m.service_pids("cleanup")))
        m.wait_log("service cleanup, pid [0-9]+, killed by signal 9")

    def test_fork_that_fails_is_tried_again(self):
        m = Master(self, SMTP + "agent unix - - n - - local\n", "instance_port_base = 0\n")
        m.merpati("start")
        try:
            limits = resource.prlimit(m.pid(), resource.RLIMIT_NOFILE)
        except PermissionError:
            self.skipTest("this root may not change limits of others")
        resource.prlimit(m.pid(), resource.RLIMIT_NOFILE, (3, limits[1]))  # no control socket either
        s = socket.socket(socket.AF_UNIX)
        s.connect(os.path.join(m.spool, "private/queue/agent"))
        s.settimeout(20)
        m.wait_log("service agent cannot be started: ")
        resource.prlimit(m.pid(), resource.RLIMIT_NOFILE, limits)
        self.assertTrue(s.recv(100).startswith(b"agent "), "served once there is room again")
        s.close()

    def test_crash_loop_is_throttled_alone(self):
        m = Master(self, SMTP + "cleanup unix n - n - 1 cleanup\n", "instance_port_base = 0\n")
        m.merpati("start")
        for _ in range(10):
            pid, = wait_for("a process", lambda: m.service_pids("cleanup"))
            os.kill(pid, signal.SIGKILL)
            wait_for("its end", lambda: not alive(pid))
        m.wait_log("service cleanup is not started again for 60s")
        self.assertRegex(m.merpati("status").stdout, r"cleanup +THROTTLED")
        line, s = m.ask_port("smtp")
        self.assertTrue(line.startswith("smtp "))

    def test_crashes_while_serving_stop_nobody_for_long(self):
        with tempfile.NamedTemporaryFile(prefix="merpati-crash.") as flag:
            os.chmod(flag.name, 0o644)
            m = Master(self, SMTP + f"agent unix - - n - 1 local crash-at={flag.name}\n", "instance_port_base = 0\n",
                       scale=10)
            m.merpati("start")
            for n in range(1, 15):
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(os.path.join(m.spool, "private/queue/agent"))
                    wait_for(f"end {n}", lambda: len(re.findall("service agent, pid .* killed by signal 9", m.log())) >= n)
        # no storm of forks either: the pauses grow
        self.assertEqual(re.findall(r"service agent crashed (\d+) times while it served; it is started again in (\d)s",
                                    m.log()), [("10", "1"), ("11", "2"), ("12", "4"), ("13", "8"), ("14", "8")])
        line, s = m.ask_path("private/queue/agent")
        self.assertTrue(line.startswith("agent "), "who comes next is served")
        self.assertNotIn("is not started again for", m.log())

    def test_readers_keep_one_with_room(self):
        m = Master(self, "imapd unix - - n - 3 imapd limit=1\n")
        m.merpati("start")
        self.assertEqual(len(m.service_pids("imapd")), 1)
        _, s = m.ask_path("private/queue/imapd")
        wait_for("another one", lambda: len(m.service_pids("imapd")) == 2)
        s.close()

    def test_options_reach_the_program(self):
        m = Master(self, "agent unix - - n - - local -o a=b -o { c = d e }\n")
        m.merpati("start")
        line, s = m.ask_path("private/queue/agent")
        s.close()
        self.assertRegex(line, r"agent \d+ 1 a=b c *= *d e")

    def test_dial_by_the_table(self):
        m = Master(self, "smtp inet n - n - 2 smtpd dial=cleanup\nother inet n - n - 2 smtpd dial=agent\n"
                   "cleanup unix n - n - 0 cleanup\nagent unix - - n - - local\n".replace("other", "0"),
                   "instance_port_base = 0\n")
        m.merpati("start")
        line, s = m.ask_port("smtp")
        s.close()
        self.assertRegex(line, "dialled: cleanup ")
        line, s = m.ask_port("0")
        s.close()
        self.assertRegex(line, "refused: .*smtpd may not call service agent")


class Reload(unittest.TestCase):
    def test_generation_and_sockets(self):
        m = Master(self, SMTP + "agent unix - - n - - local\n", "instance_port_base = 0\n")
        m.merpati("start")
        port = m.port("smtp")
        line, s = m.ask_port("smtp")
        old_agent, sa = m.ask_path("private/queue/agent")
        m.write("master.cf", SMTP + "second unix n - n - - local\n")
        m.merpati("reload")
        self.assertEqual(m.port("smtp"), port, "the bound socket stays")
        wait_for("new smtpd only", lambda: not m.service_pids("smtp", 1) and m.service_pids("smtp", 2))
        line, s2 = m.ask_port("smtp")
        self.assertEqual(line.split()[2], "2")
        self.assertFalse(os.path.exists(os.path.join(m.spool, "private/queue/agent")))
        self.assertTrue(m.ask_path("public/second")[0].startswith("second "))
        wait_for("generation 1 gone", lambda: "generation 1 has ended" in m.log())

    def test_error_leaves_the_old_one(self):
        m = Master(self, SMTP, "instance_port_base = 0\n")
        m.merpati("start")
        before = m.service_pids("smtp")
        for text, want in ((SMTP + "bad line\n", r"line 2"), (SMTP + "x unix - - n - - nothing\n", "cannot execute"),
                           (SMTP + "192.0.2.1:0 inet n - n - - smtpd\n", "listen on|192.0.2.1"),
                           ("", "no service")):
            m.write("master.cf", text)
            r = m.merpati("reload", check=False)
            self.assertNotEqual(r.returncode, 0, text)
            self.assertRegex(r.stderr, want)
            self.assertEqual(m.service_pids("smtp"), before)
        m.write("master.cf", SMTP)
        m.write("main.cf", m.main_cf + "this is not a line\n")
        r = m.merpati("reload", check=False)
        self.assertRegex(r.stderr, r"main\.cf, line \d+")
        m.write("main.cf", m.main_cf)
        line, s = m.ask_port("smtp")
        self.assertEqual(line.split()[2], "1")
        s.close()
        m.merpati("reload")

    def test_grace_ends_deaf_processes(self):
        m = Master(self, "smtp inet n - n - 1 smtpd deaf\nimapd unix - - n - 2 imapd deaf\n",
                   "instance_port_base = 0\nreload_grace = 10s\n", scale=10)
        m.merpati("start")
        old = m.service_pids("smtp", 1)
        readers = m.service_pids("imapd", 1)
        m.write("master.cf", SMTP + "imapd unix - - n - 2 imapd\n")
        m.merpati("reload")
        wait_for("the deaf one killed", lambda: not any(alive(p) for p in old))
        self.assertTrue(all(alive(p) for p in readers), "readers live until their last session ends")

    def test_at_most_three_generations(self):
        m = Master(self, "smtp inet n - n - 1 smtpd deaf\n", "instance_port_base = 0\nreload_grace = 600s\n", scale=10)
        m.merpati("start")
        for _ in range(4):
            m.merpati("reload")
            wait_for("ready", lambda: m.ask_port("smtp"))
        wait_for("at most three", lambda: len({a[a.index("-g") + 1] for a in m.children().values()}) <= 3)

    def test_single_service_never_twice(self):
        m = Master(self, "qmgr unix n - n 300 1 qmgr deaf\n", "reload_grace = 20s\n", scale=10)
        m.merpati("start")
        old = m.service_pids("qmgr")
        m.merpati("reload")
        seen = 0
        end = time.monotonic() + 15
        while time.monotonic() < end:
            now = m.service_pids("qmgr")
            seen = max(seen, len(now))
            if now and not set(now) & set(old):
                break
        self.assertEqual(seen, 1)
        self.assertNotEqual(m.service_pids("qmgr"), old)


class Death(unittest.TestCase):
    def test_kill_9_of_master(self):
        m = Master(self, SMTP + "qmgr unix n - n 300 1 qmgr\n", "instance_port_base = 0\n")
        m.merpati("start")
        pid, children = m.pid(), list(m.children())
        os.kill(pid, signal.SIGKILL)
        wait_for("children see the end of master", lambda: not any(alive(p) for p in children))
        m.merpati("start")
        self.assertNotEqual(m.pid(), pid)
        line, s = m.ask_port("smtp")
        s.close()

    def test_new_master_waits_for_the_old_qmgr(self):
        m = Master(self, "qmgr unix n - n 300 1 qmgr\n")
        m.merpati("start")
        old = m.service_pids("qmgr")[0]
        os.kill(old, signal.SIGSTOP)  # it cannot see that master is gone
        os.kill(m.pid(), signal.SIGKILL)
        p = subprocess.Popen([program("merpati"), "-c", m.dir, "start"], env=m.env, stdout=subprocess.DEVNULL)
        self.addCleanup(p.wait)
        wait_for("the new master", lambda: os.path.exists(os.path.join(m.spool, "pid/master.pid")) and m.pid())
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            self.assertEqual(m.service_pids("qmgr"), [old])
        os.kill(old, signal.SIGCONT)
        self.assertEqual(p.wait(40), 0)
        self.assertNotEqual(m.service_pids("qmgr"), [old])

    def test_stop_kills_the_deaf(self):
        m = Master(self, "smtp inet n - n - 1 smtpd deaf\n", "instance_port_base = 0\n", scale=10)
        m.merpati("start")
        m.merpati("stop")
        self.assertEqual(m.children(), {})
        self.assertIn("does not end: killed", m.log())


if __name__ == "__main__":
    unittest.main()
