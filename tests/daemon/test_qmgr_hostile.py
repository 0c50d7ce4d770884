"""qmgr among broken peers and broken files (ATTACKS J01, J02, J03): no daemon dies, nothing wrong is delivered."""
import os, random, struct, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_queue import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402

FAST = "minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\n"


def answer(conn, f, offsets, statuses, dsns=None, texts=None, more=b"", request=None):
    n = len(statuses)
    conn.send(DELIVER, 2, f_u64s(1, offsets) + f_u32s(2, statuses) + f_strs(3, dsns or ["2.0.0"] * n) +
              f_strs(4, texts or ["text"] * n) + f_strs(5, [""] * n) + f_strs(6, [""] * n) + more,
              f.request if request is None else request)
    return True


BAD_ANSWERS = {
    "garbage": lambda c, f: c.sock.sendall(b"\xff" * 1000),
    "nothing": lambda c, f: False,
    "half a frame": lambda c, f: c.sock.sendall(b"\x40\0\0\0\x05\0\x01\0\x02\0") and False,
    "huge length": lambda c, f: c.sock.sendall(struct.pack("<IHBBHHI", 1 << 30, DELIVER, 1, 0, 2, 0, f.request)),
    "wrong protocol": lambda c, f: c.send(BOUNCE, 2, b"", f.request),
    "wrong version": lambda c, f: c.send(DELIVER, 2, b"", f.request, version=99),
    "wrong type": lambda c, f: c.send(DELIVER, 77, b"", f.request),
    "other request": lambda c, f: answer(c, f, f.fields[16], [0], request=12345),
    "short lists": lambda c, f: answer(c, f, f.fields[16] * 3, [0]),
    "unknown offsets": lambda c, f: answer(c, f, [1 << 60], [0]),
    "no recipients": lambda c, f: answer(c, f, [], []),
    "unknown status": lambda c, f: answer(c, f, f.fields[16], [4000000000]),
    "broken fields": lambda c, f: c.send(DELIVER, 2, b"\1\0\x08\0\xff\xff\xff\x7f", f.request),
}


@unittest.skipUnless(os.path.exists(MKMAIL), "needs a build tree")
class Hostile(unittest.TestCase):
    def deferred(self, w, qid):
        wait_for("mail is in deferred/", lambda: w.where(qid) == ["deferred"])

    def alive(self, w):
        qid = w.mail("", ["ok@local.test"])
        w.arrived(qid)
        wait_for("a good mail passes", lambda: w.where(qid) == [])
        self.assertIsNone(w.m.proc.poll())

    def test_bad_agents(self):
        with QueueWorld(self) as w:
            w.agent("local")
            ids = {}
            for i, (name, what) in enumerate(BAD_ANSWERS.items()):
                def handler(conn, f, what=what):
                    for fd in f.fds:
                        os.close(fd)
                    return what(conn, f)
                w.services[f"bad{i}"] = Service(w, f"bad{i}", handler)
                ids[name] = w.mail("from@example.test", [f"x@bad{i}.test"])
            w.start()
            for name, qid in ids.items():
                with self.subTest(name):
                    self.deferred(w, qid)
            self.alive(w)

    def test_results_with_hostile_text(self):
        with QueueWorld(self) as w:
            w.agent("local")

            def handler(conn, f):
                for fd in f.fds:
                    os.close(fd)
                return answer(conn, f, f.fields[16] * 3, [2] * 3, ["5.1.1\n5.1.2", "\0" * 100, "x" * 3000],
                              ["a\r\nQUEUEID: removed\0", "b" * 60000, "\xff\xfe"], f_str(7, "4.4.1 x\ny" * 500))
            w.services["evil"] = Service(w, "evil", handler)
            qid = w.mail("from@example.test", ["x@evil.test"])
            w.start()
            wait_for("reported once", lambda: w.where(qid) == [])
            self.assertEqual(len([a for a in w.appends if a[1] == qid]), 1)
            self.assertFalse([l for l in w.m.poll_log() if "QUEUEID: removed" in l and "\n" in l.rstrip("\n")])
            self.alive(w)

    def test_bad_resolver(self):
        answers = [lambda c, f: c.sock.sendall(b"\xff" * 100), lambda c, f: False,
                   lambda c, f: c.send(REWRITE, 4, f_strs(1, ["a"] * 3), f.request),
                   lambda c, f: c.send(REWRITE, 4, b"\0" * 30, f.request),
                   lambda c, f: c.send(REWRITE, 4, f_strs(1, [""]) + f_strs(2, [""]) + f_strs(3, [""]) +
                                       f_u32s(4, [0]) + f_u32s(5, [0]), f.request)]
        for i, what in enumerate(answers):
            with self.subTest(i):
                with QueueWorld(self, services=("bounce",)) as w:
                    w.services["rewrite"] = Service(w, "rewrite", what)
                    qid = w.mail("from@example.test", ["x@local.test"])
                    w.start()
                    self.deferred(w, qid)
                    self.assertIsNone(w.m.proc.poll())

    def test_bad_bounce(self):
        with QueueWorld(self, FAST, services=("rewrite",)) as w:
            w.agent("local")
            bad = [True]

            def handler(conn, f):
                if not bad[0]:
                    return w._bounce(conn, f)
                for fd in f.fds:
                    os.close(fd)
                conn.sock.sendall(b"\xff" * 50)
                return False
            w.services["bounce"] = Service(w, "bounce", handler)
            qid = w.mail("from@example.test", ["bounce@local.test", "defer@local.test"])
            w.start()
            self.deferred(w, qid)
            self.assertIsNone(w.m.proc.poll())
            bad[0] = False
            wait_for("the failure is told in the end", lambda: ("bounce", qid) in w.flushes, 30)

    def test_strange_files(self):
        with QueueWorld(self, FAST) as w:
            w.agent("local")
            names = [w.mail("", ["ok@local.test"]) for _ in range(6)]
            link, hard, fifo, folder, empty, secret = names
            p = w.path(link, "incoming")
            os.rename(p, os.path.join(w.m.dir, "elsewhere"))
            os.symlink(os.path.join(w.m.dir, "elsewhere"), p)
            p = w.path(hard, "incoming")
            os.link(p, os.path.join(w.m.dir, "second-name"))
            for qid, make in ((fifo, os.mkfifo), (folder, os.mkdir)):
                p = w.path(qid, "incoming")
                os.unlink(p)
                make(p)
            with open(w.path(empty, "incoming"), "w"):
                pass
            os.chmod(w.path(secret, "incoming"), 0)
            good = w.mail("", ["ok@local.test"])
            w.start()
            wait_for("the good one passes", lambda: w.where(good) == [])
            self.alive(w)
            self.assertEqual([w.asked(q) for q in (link, fifo, folder, empty)], [[]] * 4)

    def test_unreadable_directory(self):
        with QueueWorld(self, FAST) as w:
            w.agent("local")
            qid = w.mail("", ["ok@local.test"])
            d = os.path.dirname(w.path(qid, "incoming"))
            os.chmod(d, 0)
            try:
                w.start()
                w.wait_log("incoming")
            finally:
                os.chmod(d, 0o700)
            wait_for("found when it can be read again", lambda: w.where(qid) == [])

    def test_flipped_octets(self):
        rnd = random.Random(int(os.environ.get("MERPATI_SEED", "7")))
        with QueueWorld(self) as w:
            w.agent("local")
            ids = [w.mail("from@example.test", ["ok@local.test"]) for _ in range(60)]
            size = os.path.getsize(w.path(ids[0], "incoming"))
            for i, qid in enumerate(ids):
                with open(w.path(qid, "incoming"), "r+b") as f:
                    if i % 4 == 3:
                        f.truncate(rnd.randrange(256, size))
                        continue
                    at = rnd.randrange(256, size) if i % 4 else rnd.randrange(0, 256)
                    f.seek(at)
                    octet = f.read(1)[0]
                    f.seek(at)
                    f.write(bytes([octet ^ (1 << rnd.randrange(8))]))
            w.start()
            for qid in ids:
                wait_for("each mail is somewhere else", lambda: w.where(qid) in ([], ["corrupt"], ["hold"]))
            self.alive(w)
            # a recipient that nobody wrote never gets a mail
            self.assertTrue(all(rcpts == ["ok@local.test"] for _, _, rcpts, _, _ in w.requests))


if __name__ == "__main__":
    main()
