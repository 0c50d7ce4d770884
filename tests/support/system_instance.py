"""The system instance of a machine that exists for one test: namespaces of mounts, processes, network and names,
with an /etc, /home, /var/{lib,log,mail,spool} that nobody else sees and that are gone with the test.

    from system_instance import enter, System, main
    enter()                      # first: runs this file again, as pid 1 of a machine of its own
    class T(unittest.TestCase):
        def setUp(self):
            self.m = System(self)
            self.m.unix_user("anna", "secret")
            self.m.start()
    main()

Needs root: exit code 77 (skipped) without. With root, a missing peer is a failure. Ports are the well-known ones.
"""
import grp, os, pwd, re, shutil, subprocess, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from instance import Instance, SKIP, main, prefix, program, wait_for  # noqa: E402,F401

TOP = "/mnt"                      # a tmpfs, in the test's own mount namespace
PREFIX = f"{TOP}/merpati"
CONF = "/etc/merpati"
ACCOUNTS = ("", "-net", "-out", "-map", "-auth", "-tls")
MARK = "MERPATI_TEST_MACHINE"


def enter():
    if os.getuid() != 0:
        print("needs root: accounts, namespaces")
        sys.exit(SKIP)
    if os.environ.get(MARK) == str(os.getpid()):
        return
    if os.environ.get(MARK):      # the first process of the new machine
        os.environ[MARK] = str(os.getpid())
        make_machine()
        return
    os.environ[MARK] = "new"
    os.execvp("unshare", ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child",
                          "--mount-proc", "--propagation", "private", sys.executable,
                          os.path.abspath(sys.argv[0]), *sys.argv[1:]])


def sh(*argv, **kw):
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
    if r.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {r.stdout.decode(errors='replace')}")
    return r.stdout.decode(errors="replace")


def overlay(lower, at, name):
    """What is at LOWER, changeable, at AT."""
    for d in ("upper", "work"):
        os.makedirs(f"{TOP}/{name}.{d}")
    os.makedirs(at, exist_ok=True)
    try:
        sh("mount", "-t", "overlay", "overlay", "-o",
           f"lowerdir={lower},upperdir={TOP}/{name}.upper,workdir={TOP}/{name}.work", at)
    except RuntimeError:           # no overlays here: a copy
        copy = f"{TOP}/{name}.copy"
        sh("cp", "-a", lower, copy)
        sh("mount", "--bind", copy, at)


def make_machine():
    build = prefix()
    sh("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", TOP)
    overlay("/etc", "/etc", "etc")
    if os.path.isdir(f"{build}/libexec"):
        for d in ("sbin", "bin", "libexec"):
            overlay(f"{build}/{d}", f"{PREFIX}/{d}", d)
    for d in ("/home", "/var/lib", "/var/log", "/var/mail", "/var/spool"):
        if os.path.islink(d):
            continue
        os.makedirs(d, exist_ok=True)
        sh("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", d)
    sh("ip", "link", "set", "lo", "up")
    sh("hostname", "host")
    with open("/etc/hosts", "w") as f:
        f.write("127.0.0.1 localhost\n127.0.1.1 host.example.test host\n::1 localhost\n")
    os.environ["MERPATI_PREFIX"] = PREFIX


def forget():
    """An earlier test's instance."""
    for d in (CONF, "/var/spool/merpati", "/var/lib/merpati", "/var/log/merpati"):
        shutil.rmtree(d, ignore_errors=True)
    for f in ("/etc/pam.d/merpati", "/etc/aliases", "/etc/aliases.db", "/etc/mailname"):
        if os.path.exists(f):
            os.unlink(f)


class System(Instance):
    """The machine's instance. What tests know of a private one works here, too."""

    def __init__(self, test=None, main_cf=None, master_cf=None, env=None, domain="example.test", init=True):
        self.dir = self.conf = CONF
        self.domain = domain
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        for k, v in os.environ.items():
            if k.startswith(("ASAN_", "UBSAN_", "LSAN_", "MERPATI_FAULT", "MERPATI_CLOCK")):
                self.env[k] = v
        # a leak checker needs /proc, and a process of another uid may not look into itself
        self.env["ASAN_OPTIONS"] = ":".join(filter(None, [self.env.get("ASAN_OPTIONS"), "detect_leaks=0"]))
        self.env.update(env or {})
        self.started = False
        forget()
        if test:
            test.addCleanup(self.close)
        if init:
            self.init()
        if main_cf:
            self.edit("main.cf", "".join(f"{k} = {v}\n" for k, v in main_cf.items()))
        if master_cf:
            self.edit("master.cf", master_cf)

    def init(self, *args, **kw):
        return self.merpati("init", "--system", *(args or ("--domain", self.domain)), c=False, **kw)

    def unix_user(self, name, password="secret", groups=()):
        """An account of the machine, as the admin makes it."""
        if subprocess.run(["id", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
            sh("useradd", "-m", "-d", f"/home/{name}", "-s", "/bin/sh", name)
        os.chmod(f"/home/{name}", 0o700)
        for g in groups:
            sh("usermod", "-a", "-G", g, name)
        if password:
            sh("chpasswd", "-c", "SHA512", input=f"{name}:{password}\n".encode())
        return pwd.getpwnam(name)

    def account(self, suffix=""):
        return pwd.getpwnam("merpati" + suffix)

    @property
    def spool(self):
        return "/var/spool/merpati"

    def port(self, service):
        return {"smtp": 25, "pop3": 110, "imap": 143}[service]

    def maildir(self, user, folder=""):
        return os.path.join(pwd.getpwnam(user).pw_dir, "Maildir", folder)

    def log(self):
        try:
            with open("/var/log/merpati/mail.log", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""
