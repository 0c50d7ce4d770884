"""The one runner of fault plans: a call of a daemon fails while mail passes, and what came of it.

A plan is written as in lib/sys/fault.h, service:call[:where]:n:ACTION; where is a glob of paths or
site=FILE:LINE. A way is what is walked meanwhile, a class with
    name, services      services: those whose call sites are planned
    extra               further plans, as text
    more                those that only the sweep runs: what leads to sites that nothing else leads to
    __init__(m)         m: an Instance that has not started
    walk()              all of it; a Tally. AssertionError: something promised did not come

A chain is one plan or several: the last one hits a site that only the trouble of those before it leads to.

    MERPATI_FAULT_SHARE=N   one site plan in N (default 5; 1: all); MERPATI_SEED repeats a choice
    MERPATI_FAULT_ONLY="..." only plans whose text holds one of these words
    MERPATI_FAULT_JOBS=N    so many instances at once (default 1)
"""
import os, random, shutil, tempfile, time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from fast import FAST
from instance import Instance
import fault_sites

# what is done to a call besides KILL and EIO: a full disk, a quota, a disk that became read-only
ACTIONS = {"write": ["ENOSPC", "EDQUOT", "SHORT"], "pwrite": ["ENOSPC", "EDQUOT", "SHORT"],
           "fsync": ["ENOSPC", "EDQUOT"], "fdatasync": ["ENOSPC", "EDQUOT"], "open": ["ENOSPC", "EROFS"],
           "mkdir": ["ENOSPC", "EROFS"], "link": ["ENOSPC", "EROFS"], "rename": ["ENOSPC", "EROFS"],
           "unlink": ["EROFS"], "fchmod": ["EROFS"], "ftruncate": ["EROFS"], "fork": ["EAGAIN", "ENOMEM"]}
CHAIN_MAX = 3
SHARE = int(os.environ.get("MERPATI_FAULT_SHARE", "5"))
CHAINS = 2       # behind each share
JOBS = int(os.environ.get("MERPATI_FAULT_JOBS", "1"))
ONLY = os.environ.get("MERPATI_FAULT_ONLY", "").split()
SEED = int(os.environ.get("MERPATI_SEED", random.SystemRandom().randrange(1 << 32)))

# lost, doubles: lists of whatever names a mail
Tally = namedtuple("Tally", "acknowledged lost doubles")
# fired: each plan of the chain; trouble: why the way was not walked to its end, with the log's tail, or empty;
# reached: sites
Outcome = namedtuple("Outcome", "way chain fired acknowledged lost doubles seconds trouble reached")


def is_wrong(o):
    """Something was lost, came twice, or the way did not end."""
    return bool(o.lost or o.doubles or o.trouble)


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

    def __init__(self, chain=(), once=True):
        self.n = len(chain)
        self.dir = tempfile.mkdtemp(prefix="merpati-faults.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.path = self._file("report", "")
        self.env = {"MERPATI_FAULT_REPORT": self.path}
        if chain:
            self.env["MERPATI_FAULT"] = ",".join(str(plan) for plan in chain)
        if chain and once:
            self.env["MERPATI_FAULT_ONCE"] = self._file("once", "x" * self.n)

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
        return sum(line[0] == "FIRED" for line in self.lines() if line) >= max(1, self.n)

    def reached(self, services):
        """{(service, call, site)}"""
        return {tuple(line[:3]) for line in self.lines() if len(line) >= 3 and line[0] in services}

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def start(m):
    """Start M although a fault may hit while it starts."""
    for _ in range(5):
        if m.merpati("start", check=False).returncode == 0 or m.merpati("status", check=False).returncode == 0:
            break
    m.started = True


def reached_sites(way, services=None):
    """{(service, call, site)} that a clean walk touches, start and stop included."""
    report = Report()
    m = Instance(None, main_cf=FAST, env=report.env)
    try:
        way(m).walk()
        m.stop()
        return report.reached(services or way.services)
    finally:
        m.close()
        report.close()


def wanted(plans):
    return [p for p in plans if not ONLY or any(word in str(p) for word in ONLY)]


def extra_plans(way, all=False):
    return wanted(Plan.parse(text) for text in way.extra + (getattr(way, "more", []) if all else []))


def site_plans(sites):
    """Every action at each site."""
    return wanted(Plan(service, call, f"site={site}", "1", action) for service, call, site in sorted(sites)
                  for action in ["KILL", "EIO"] + ACTIONS.get(call, []))


def run(way, chain, services=None):
    """Walk WAY in an instance of its own with the plans of CHAIN."""
    report = Report(chain)
    began = time.monotonic()
    try:
        m = Instance(None, main_cf=FAST, env=report.env)
    except AssertionError as e:
        report.close()
        return Outcome(way, chain, False, 0, [], [], time.monotonic() - began, str(e), set())
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
        fired, reached = report.fired(), report.reached(services or way.services)
    finally:
        try:
            m.close()
        except AssertionError as e:
            trouble += str(e)
        report.close()
    return Outcome(way, chain, fired, tally.acknowledged, tally.lost, tally.doubles, time.monotonic() - began, trouble,
                   reached)


def run_all(work, services=None):
    """Outcomes of WORK, (way, chain) each, in its order, JOBS at once."""
    with ThreadPoolExecutor(JOBS) as pool:
        yield from pool.map(lambda w: run(*w, services), work)


def text_of(chain):
    return ",".join(str(plan) for plan in chain)


def behind(outcome, reached):
    """Plans for the sites that only OUTCOME's trouble led to."""
    chain = outcome.chain
    return [chain + (plan,) for plan in site_plans(outcome.reached - reached)] if len(chain) < CHAIN_MAX else []


def check(test, o):
    """The fault happened, and nothing acknowledged is lost or there twice."""
    test.assertTrue(o.fired, f"{text_of(o.chain)} did not fire{o.trouble}")
    test.assertFalse(is_wrong(o), f"{text_of(o.chain)}: lost {o.lost}, doubles {o.doubles}: {o.trouble}")


def check_share(test, way, share=SHARE):
    """What a test run does: WAY's extra plans, a seeded share of the reached sites, each with one of its plans, and
    a few chains to sites that those plans led to. None of the sites is listed as one that nobody reaches."""
    choice = random.Random(SEED)
    reached, functions = reached_sites(way), fault_sites.known(way.services)
    plans, extra = site_plans(reached), extra_plans(way)
    some = plans if min(share, SHARE) <= 1 else choice.sample(plans, min(len(plans), max(1, len(reached) // share)))
    print(f"{way.name}: seed {SEED}; sites: {len(reached)} reached, {len(functions)} known; "
          f"{len(some)} of {len(plans)} site plans run, {len(extra)} others")
    listed = fault_sites.Exceptions()
    chains, seen = [], set(reached)
    for o in run_all([(way, (plan,)) for plan in extra + some]):
        with test.subTest(plan=text_of(o.chain)):
            check(test, o)
        chains += behind(o, seen)
        seen |= o.reached
    few = choice.sample(chains, min(len(chains), CHAINS))
    fired = 0
    for o in run_all([(way, chain) for chain in few]):
        with test.subTest(plan=text_of(o.chain)):
            test.assertFalse(is_wrong(o), f"{text_of(o.chain)}: lost {o.lost}, doubles {o.doubles}: {o.trouble}")
        fired += o.fired
        seen |= o.reached
    print(f"{way.name}: {len(few)} of {len(chains)} chains run, {fired} of them to their end")
    for site in sorted(seen):
        row = listed.of(site, functions[site])
        test.assertIsNone(row, f"{site} is reached, and tests/crash/unreached.tsv says: {row}")
