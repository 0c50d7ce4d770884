"""The one runner of fault plans: a call of a daemon fails while mail passes, and what came of it.

A plan is written as in lib/sys/fault.h, service:call[:where]:n:ACTION; where is a glob of paths or
site=FILE:LINE. A way is what is walked meanwhile, a class with
    name, services      services: those whose call sites are planned
    extra               further plans, as text
    __init__(m)         m: an Instance that has not started
    walk()              all of it; a Tally. AssertionError: something promised did not come

    MERPATI_FAULT_SHARE=N   one site plan in N (default 5; 1: all); MERPATI_SEED repeats a choice
    MERPATI_FAULT_ONLY="..." only plans whose text holds one of these words
    MERPATI_FAULT_JOBS=N    so many instances at once (default 1)
"""
import os, random, shutil, subprocess, tempfile, time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from fast import FAST
from instance import Instance, program

ACTIONS = ["KILL", "EIO", "ENOSPC"]
SHARE = int(os.environ.get("MERPATI_FAULT_SHARE", "5"))
JOBS = int(os.environ.get("MERPATI_FAULT_JOBS", "1"))
ONLY = os.environ.get("MERPATI_FAULT_ONLY", "").split()
SEED = int(os.environ.get("MERPATI_SEED", random.SystemRandom().randrange(1 << 32)))

# lost, doubles: lists of whatever names a mail
Tally = namedtuple("Tally", "acknowledged lost doubles")
# trouble: why the way was not walked to its end, with the log's tail; empty otherwise
Outcome = namedtuple("Outcome", "plan fired acknowledged lost doubles seconds trouble")


class Plan(namedtuple("Plan", "service call where n action")):
    @classmethod
    def parse(cls, text):
        service, call, rest = text.split(":", 2)
        where, action = rest.rsplit(":", 1)
        where, n = where.rsplit(":", 1) if ":" in where else ("", where)
        return cls(service, call, where, n, action)

    def __str__(self):
        return ":".join(f for f in self if f)


class Report:
    """Files that an instance's processes tell reached sites and fired plans in, and their environment."""

    def __init__(self, plan=None, once=True):
        self.dir = tempfile.mkdtemp(prefix="merpati-faults.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.path = self._file("report", "")
        self.env = {"MERPATI_FAULT_REPORT": self.path}
        if plan:
            self.env["MERPATI_FAULT"] = str(plan)
        if plan and once:
            self.env["MERPATI_FAULT_ONCE"] = self._file("once", "x" * (str(plan).count(",") + 1))

    def _file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o666)
        return path

    def lines(self):
        with open(self.path) as f:
            return [line.split() for line in f]

    def fired(self):
        return any(line[0] == "FIRED" for line in self.lines() if line)

    def reached(self, services):
        """{(service, call, site)}"""
        return {tuple(line[:3]) for line in self.lines() if len(line) >= 3 and line[0] in services}

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def known_sites(services):
    """{(service, call, site)} of all that is linked into these programs."""
    found = set()
    for service in services:
        out = subprocess.run([program(service), "--fault-sites"], stdout=subprocess.PIPE, check=True,
                             env={"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": "detect_leaks=0"}).stdout.decode()
        found |= {(service, call, site) for site, call in (line.split()[:2] for line in out.splitlines())}
    return found


def start(m):
    """Start M although a fault may hit while it starts."""
    for _ in range(5):
        if m.merpati("start", check=False).returncode == 0 or m.merpati("status", check=False).returncode == 0:
            break
    m.started = True


def reached_sites(way):
    """{(service, call, site)} that a clean walk touches, start and stop included."""
    report = Report()
    m = Instance(None, main_cf=FAST, env=report.env)
    try:
        way(m).walk()
        m.stop()
        return report.reached(way.services)
    finally:
        m.close()
        report.close()


def wanted(plans):
    return [p for p in plans if not ONLY or any(word in str(p) for word in ONLY)]


def extra_plans(way):
    return wanted(Plan.parse(text) for text in way.extra)


def site_plans(sites):
    """Every action at each site."""
    return wanted(Plan(service, call, f"site={site}", "1", action) for service, call, site in sorted(sites)
                  for action in ACTIONS)


def run(way, plan):
    """Walk WAY in an instance of its own with one PLAN."""
    report = Report(plan)
    began = time.monotonic()
    m = Instance(None, main_cf=FAST, env=report.env)
    tally, trouble = Tally(0, [], []), ""
    try:
        try:
            tally = way(m).walk()
        except AssertionError as e:
            trouble = str(e)
        if not report.fired():      # a site of the way out
            m.merpati("stop", check=False)
        if tally.lost or tally.doubles:
            trouble = m.log_tail(60)
        fired = report.fired()
    finally:
        try:
            m.close()
        except AssertionError as e:
            trouble += str(e)
        report.close()
    return Outcome(plan, fired, tally.acknowledged, tally.lost, tally.doubles, time.monotonic() - began, trouble)


def run_all(way, plans):
    """Outcomes of PLANS in their order, JOBS at once."""
    with ThreadPoolExecutor(JOBS) as pool:
        yield from pool.map(lambda plan: run(way, plan), plans)


def check(test, outcome):
    """The fault happened, and nothing acknowledged is lost or there twice."""
    test.assertTrue(outcome.fired, f"{outcome.plan} did not fire{outcome.trouble}")
    test.assertFalse(outcome.lost or outcome.doubles or outcome.trouble,
                     f"{outcome.plan}: lost {outcome.lost}, doubles {outcome.doubles}: {outcome.trouble}")


def check_share(test, way):
    """What a test run does: WAY's extra plans, and a seeded share of one plan for each reached site and action."""
    reached, known = reached_sites(way), known_sites(way.services)
    plans, extra = site_plans(reached), extra_plans(way)
    some = plans if SHARE <= 1 else random.Random(SEED).sample(
        plans, min(len(plans), max(1, len(plans) // (SHARE * len(ACTIONS)))))
    print(f"{way.name}: seed {SEED}; sites: {len(reached)} reached, {len(known)} known; "
          f"{len(some)} of {len(plans)} site plans run, {len(extra)} others")
    for outcome in run_all(way, extra + some):
        with test.subTest(plan=str(outcome.plan)):
            check(test, outcome)
