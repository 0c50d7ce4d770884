"""Call sites with a fault hook, as `PROGRAM --fault-sites` lists them, and those that no walk reaches.

tests/crash/unreached.tsv has a line for each of the latter: services, file, function and call (globs;
several services, functions or calls with commas; FUNCTION#2: its second such call), a kind and the reason:
    reader      code of pop3d and imapd, linked because one table of functions serves a mailbox format; no delivery
                calls it
    elsewhere   a library's function that this program does not call
    system      only with root, or across uids: a system instance (tests/system-root); perhaps not in every build
    error       needs trouble that the hook cannot make, or more than two faults in one call
A line that a walk reaches nevertheless is wrong, and so is one that no program has a site for.
"""
import fnmatch, os, subprocess
from collections import namedtuple
from instance import program

# programs that a mail comes in and goes through
WAY = ["sendmail", "postdrop", "pickup", "smtpd", "cleanup", "trivial-rewrite", "proxymap", "qmgr", "local", "virtual",
       "pipe", "postman", "error", "discard", "bounce"]
KINDS = ("reader", "elsewhere", "system", "error")
LIST = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "crash", "unreached.tsv")

Row = namedtuple("Row", "services file function call kind reason")


def known(services):
    """{(service, call, site): function} of all that is linked into these programs. Where a function has several sites
    of a call, each has its number: function#2."""
    found = {}
    for service in services:
        several = {}
        out = subprocess.run([program(service), "--fault-sites"], stdout=subprocess.PIPE, check=True,
                             env={"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": "detect_leaks=0"}).stdout.decode()
        for line in out.splitlines():
            site, call, function = line.split()[:3]
            found[service, call, site] = function
            several.setdefault((function, call, site.rsplit(":", 1)[0]), []).append(site)
        for (function, call, _), sites in several.items():
            for n, site in enumerate(sorted(sites, key=lambda s: int(s.rsplit(":", 1)[1])), 1):
                found[service, call, site] = f"{function}#{n}" if len(sites) > 1 else function
    return found


def plain(site):
    """A site's name from the top of the tree: compilers may have put it below the build folder."""
    return site.removeprefix("../")


def glob_in(text, globs):
    return any(fnmatch.fnmatch(text, g) for g in globs.split(","))


class Exceptions:
    def __init__(self, path=LIST):
        self.rows = []
        with open(path) as f:
            for n, line in enumerate(f, 1):
                if line.startswith("#") or not line.strip():
                    continue
                fields = line.rstrip("\n").split("\t")
                assert len(fields) == 6 and fields[4] in KINDS and fields[5], f"{path}:{n}: {line}"
                self.rows.append(Row(tuple(fields[0].split(",")), *fields[1:]))

    def of(self, site, function):
        """The first row that (service, call, site) belongs to; None."""
        service, call, where = site
        name = plain(where).rsplit(":", 1)[0]
        for row in self.rows:
            if service in row.services and fnmatch.fnmatch(name, row.file) and glob_in(call, row.call) and \
                    (glob_in(function, row.function) or glob_in(function.split("#")[0], row.function)):
                return row
        return None

    def stale(self, functions):
        """(file, function, call, service) of rows that no site of FUNCTIONS, as known() tells them, belongs to."""
        used = set()
        for site, function in functions.items():
            row = self.of(site, function)
            if row:
                used.add((row.file, row.function, row.call, site[0]))
        services = {site[0] for site in functions}
        return [(r.file, r.function, r.call, s) for r in self.rows for s in r.services
                if r.kind != "system" and s in services and (r.file, r.function, r.call, s) not in used]
