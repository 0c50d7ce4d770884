"""qmgr and its agents die at bad moments: nothing is lost, nothing that was finished is repeated."""
import os, struct, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_queue import *  # noqa: E402,F403
from fault_plans import Report  # noqa: E402
from instance import main, program, wait_for  # noqa: E402
from queue_peers import QueueFile  # noqa: E402

SUSPECT = 1  # flag of deliver.request: a delivery may have happened before
LONG = "1700000000-1-0"


@unittest.skipUnless(os.path.exists(MKMAIL), "needs a build tree")
class Crash(unittest.TestCase):
    def gone(self, w, qid):
        w.wait_log(f"{qid}: removed")
        wait_for("file is gone", lambda: w.where(qid) == [])

    def done_logs(self, w):
        d = os.path.join(w.m.dir, "done")
        return [n for n in os.listdir(d) if n != "clean-stop"]

    def test_agent_breaks_off_each_time(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("", ["crash@local.test", "ok@local.test"])
            other = w.mail("", ["ok@local.test"])
            w.start()
            wait_for("only this mail waits", lambda: w.where(qid) == ["deferred"])
            self.gone(w, other)
            self.assertEqual(sorted(fl for _, r, fl in w.asked(qid) if "crash" in r[0])[-1] & SUSPECT, SUSPECT)
            self.assertEqual(len([1 for _, r, _ in w.asked(qid) if "crash" in r[0]]), 2)
            w.wait_log("status=deferred (delivery agent local: it ended without an answer)")

    def test_agent_breaks_off_once(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("", ["once@local.test"])
            w.start()
            self.gone(w, qid)
            self.assertEqual([fl & SUSPECT for _, _, fl in w.asked(qid)][-1], SUSPECT)

    def test_agent_finished_before_it_broke_off(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("", ["done@local.test"])
            w.start()
            self.gone(w, qid)
            self.assertEqual(len(w.asked(qid)), 1)

    def test_kill_during_deliveries(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["ok@local.test", "bounce@local.test", "hang@local.test"])
            w.start()
            wait_for("all three are asked for", lambda: len(w.asked(qid)) == 3)
            wait_for("two results are in done-logs", lambda: w.appends and self.done_logs(w))
            w.restart("kill")
            wait_for("the third again", lambda: len(w.asked(qid)) >= 4)
            w.release.set()
            self.gone(w, qid)
            again = w.asked(qid)[3:]
            self.assertEqual({r[0] for _, r, _ in again}, {"hang@local.test"})
            self.assertTrue(all(fl & SUSPECT for _, _, fl in again))
            self.assertEqual(w.flushes, [("bounce", qid)])

    def test_bounce_in_done_log_only(self):
        with QueueWorld(self) as w:
            w.agent("local")
            w.bounce_ok = False
            qid = w.mail("from@example.test", ["bounce@local.test", "hang@local.test"])
            w.start()
            wait_for("both are asked for", lambda: len(w.asked(qid)) == 2)
            w.wait_log("cannot write down failed recipients")
            w.bounce_ok = True
            w.release.set()
            w.restart("kill")
            self.gone(w, qid)
            self.assertIn(("bounce", qid), w.flushes)

    def test_success_in_done_log_only(self):
        with QueueWorld(self) as w:
            w.agent("local")
            w.bounce_ok = False
            qid = w.mail("from@example.test", ["ok@local.test|2", "expanded@local.test|2", "passed@local.test|2",
                                               "hang@local.test"])
            w.start()
            w.wait_log("what the sender asked to be told is not in trace/")
            wait_for("three results", lambda: sum(os.path.getsize(os.path.join(w.m.dir, "done", n))
                                                  for n in self.done_logs(w)) > 200 and len(w.asked(qid)) == 4)
            w.bounce_ok = True
            # the log that the real bounce would have made
            hashed = os.path.basename(os.path.dirname(w.path(qid, "active")))
            with open(os.path.join(w.m.dir, "trace", hashed, qid), "w") as f:
                os.fchmod(f.fileno(), 0o644)
            w.restart("kill")
            w.release.set()
            self.gone(w, qid)
            self.assertEqual({r for _, r, _ in w.actions}, {"ok@local.test", "expanded@local.test"})
            self.assertIn((qid, "expanded@local.test", "expanded"), w.actions)
            self.assertIn(("trace", qid), w.flushes)

    def long_log(self, w):
        """Two mails, each with a recipient that was delivered and another; and a log of 260,000 records that says
        so: of the first mail in its first piece, of the second in its last."""
        qids = [w.mail("", ["ok@local.test", "ok-too@local.test"]) for _ in range(2)]
        done, wrong = [], []
        for qid in qids:
            q = QueueFile(w.path(qid, "incoming"))
            done.append(done_record(qid, q.nonce, q.records[0]["offset"], DELIVERED))
            wrong.append(done_record(qid, q.nonce + 1, q.records[1]["offset"], DELIVERED))    # of another mail
        deferred = done_record(qids[0], q.nonce, 0, DEFERRED)
        with open(os.path.join(w.m.dir, "done", LONG), "wb") as f:
            f.write(done[0] + deferred * 250000 + (wrong[0] + wrong[1]) * 5000 + done[1])
        return qids

    def only_the_rest_is_tried(self, w, qids):
        for qid in qids:
            self.gone(w, qid)
            self.assertEqual([r for _, rs, _ in w.asked(qid) for r in rs], ["ok-too@local.test"])
        self.assertNotIn(LONG, self.done_logs(w))

    def test_long_done_log(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qids = self.long_log(w)
            w.start()
            w.wait_log(f"done-log {LONG}: results of 2 recipients noted")
            self.only_the_rest_is_tried(w, qids)

    @unittest.skipUnless(faults(program("qmgr")), "needs a build with fault hooks")
    def test_killed_between_pieces_of_a_done_log(self):
        for plan in ("qmgr:fdatasync:1:KILL", "qmgr:fdatasync:2:KILL", "qmgr:unlink:*/done/*:1:KILL"):
            with self.subTest(plan):
                report = Report((plan,))
                self.addCleanup(report.close)
                with QueueWorld(self, env=report.env) as w:
                    w.agent("local")
                    qids = self.long_log(w)
                    w.m.start()
                    w.m.wait()
                    self.assertTrue(report.fired())
                    self.assertEqual(w.asked(qids[0]) + w.asked(qids[1]), [])
                    w.restart("kill")
                    self.only_the_rest_is_tried(w, qids)

    @unittest.skipUnless(faults(program("qmgr")), "needs a build with fault hooks")
    def test_marks_whose_sync_failed_do_not_count_as_noted(self):
        """The marks are in the page cache, and every later look at them finds them: the log stays nevertheless."""
        report = Report(("qmgr:fdatasync:1+:EIO",), once=False)
        self.addCleanup(report.close)
        with QueueWorld(self, env=report.env) as w:
            w.agent("local")
            qids = self.long_log(w)
            w.m.start()
            wait_for("three tries", lambda: sum("cannot take over the queue" in l for l in w.m.poll_log()) >= 3)
            self.assertIn(LONG, self.done_logs(w))
            del w.m.env["MERPATI_FAULT"]
            w.restart("kill")
            self.only_the_rest_is_tried(w, qids)

    def test_clean_stop_leaves_no_doubt(self):
        with QueueWorld(self) as w:
            w.agent("local")
            w.start()
            w.restart("stop")  # the first start of all finds no marker: mail of before it is in doubt
            qid = w.mail("", ["defer@local.test"])
            w.arrived(qid)
            wait_for("deferred", lambda: w.where(qid) == ["deferred"])
            w.restart("stop")
            w.restart("stop")
            w.flush()
            wait_for("second attempt", lambda: len(w.asked(qid)) == 2)
            self.assertEqual([fl & SUSPECT for _, _, fl in w.asked(qid)], [0, 0])
            wait_for("deferred", lambda: w.where(qid) == ["deferred"])
            w.restart("kill")
            w.flush()
            wait_for("third attempt", lambda: len(w.asked(qid)) == 3)
            self.assertEqual(w.asked(qid)[2][2] & SUSPECT, SUSPECT)
            wait_for("deferred", lambda: w.where(qid) == ["deferred"])
            # the doubt outlives clean stops
            w.restart("stop")
            w.flush()
            wait_for("fourth attempt", lambda: len(w.asked(qid)) == 4)
            self.assertEqual(w.asked(qid)[3][2] & SUSPECT, SUSPECT)

    def test_clock_is_behind_after_a_power_cut(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("", ["ok@local.test"], age=-3600)
            w.start()
            self.gone(w, qid)
            self.assertEqual([fl & SUSPECT for _, _, fl in w.asked(qid)], [SUSPECT])

    def test_clock_was_set_back(self):
        """A time of the next attempt that is further away than any back-off is of another clock: tried now."""
        with QueueWorld(self, main_cf="queue_run_delay = 1s\nmaximal_backoff_time = 4000s\n") as w:
            w.agent("local")
            year, hour = [w.mail("", ["defer@local.test"], age=-age) for age in (31536000, 0)]
            w.start()
            for qid in (year, hour):
                wait_for("deferred", lambda: w.where(qid) == ["deferred"])
            for n in range(2):
                for qid, ahead in ((year, 31536000), (hour, 3600)):
                    t = time.time() + ahead
                    os.utime(w.path(qid, "deferred"), (t, t))
                wait_for("another attempt", lambda: len(w.asked(year)) == n + 2)
                wait_for("deferred again", lambda: w.where(year) == ["deferred"])
            w.wait_log("deferred/: 1 mails were to wait longer than maximal_backoff_time: was the clock set back?")
            self.assertEqual(len(w.asked(hour)), 1)
            # a mail that arrived in what is the future now waits as a fresh one does
            self.assertLess(os.stat(w.path(year, "deferred")).st_mtime, time.time() + 4000)

    def test_stop_in_the_middle(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("", ["ok@local.test", "hang@local.test"])
            w.start()
            wait_for("one result is there", lambda: self.done_logs(w) and len(w.asked(qid)) == 2)
            w.m.stop()
            w.release.set()
            w.m.wait()
            w.m.control.close()
            w.start()
            wait_for("file is gone", lambda: w.where(qid) == [])
            self.assertEqual(len([1 for _, r, _ in w.asked(qid) if r == ["ok@local.test"]]), 1)
            wait_for("done-logs are gone", lambda: self.done_logs(w) == [])

    def test_agent_breaks_off_during_a_stop(self):
        with QueueWorld(self) as w:
            w.agent("local")
            w.start()
            w.restart("stop")  # from here on a marker of a clean stop
            qid = w.mail("", ["late@local.test", "cut@local.test"])
            w.arrived(qid)
            wait_for("both are asked for", lambda: len(w.asked(qid)) == 2)
            w.m.stop()
            w.release.set()
            w.m.wait()
            w.m.control.close()
            w.start()
            wait_for("file is gone", lambda: w.where(qid) == [])
            self.assertEqual([r for _, r, _ in w.asked(qid)[2:]], [["cut@local.test"]])
            self.assertEqual([fl & SUSPECT for _, _, fl in w.asked(qid)[2:]], [SUSPECT])

    def test_many_kills(self):
        with QueueWorld(self) as w:
            w.agent("local")
            ids = [w.mail("", [f"ok-{i}-{j}@local.test" for j in range(5)]) for i in range(40)]
            w.start()
            for k in range(6):
                wait_for("some progress", lambda: len(w.requests) >= min(25 * (k + 1), 190))
                w.restart("kill")
            for qid in ids:
                wait_for("all mails are done", lambda: w.where(qid) == [], 60)
            got = {}
            for _, _, rcpts, flags, _ in w.requests:
                for r in rcpts:
                    got.setdefault(r, []).append(flags & SUSPECT)
            self.assertEqual(len(got), 200)
            # a second request is possible only where the first one's result was never written, and says so
            for r, flags in got.items():
                self.assertTrue(all(flags[1:]), (r, flags))

    def test_torsos_and_strange_files(self):
        with QueueWorld(self, "queue_run_delay = 1s\n") as w:
            w.agent("local")
            corrupt, newer, torso, good = [w.mail("", ["ok@local.test"]) for _ in range(4)]
            p = w.path(corrupt, "incoming")
            with open(p, "r+b") as f:  # one octet of the content
                f.seek(256 + 3)
                f.write(b"\xff")
            with open(w.path(newer, "incoming"), "r+b") as f:
                raw = bytearray(f.read(256))
                at = raw.find(struct.pack("<I", 1))
                f.seek(at)
                f.write(struct.pack("<I", 99))
            p = w.path(torso, "incoming")
            with open(p, "r+b") as f:
                f.truncate(100)
            os.utime(p, (1, 1))
            w.start()
            self.gone(w, good)
            w.wait_log(f"{corrupt}: moved from incoming/ to corrupt/")
            wait_for("in corrupt/", lambda: w.where(corrupt) == ["corrupt"])
            w.wait_log(f"{torso}: removed: incomplete in incoming/, was never acknowledged")
            self.assertIn(w.where(newer), (["hold"], ["corrupt"]))
            self.assertEqual([w.asked(q) for q in (corrupt, newer, torso)], [[], [], []])

    def test_admin_takes_a_mail_away(self):
        with QueueWorld(self) as w:
            w.agent("local")
            held, deleted = w.mail("", ["hang-1@local.test"]), w.mail("", ["hang-2@local.test"])
            w.start()
            wait_for("both run", lambda: len(w.requests) == 2)
            src = w.path(held, "active")
            os.rename(src, src.replace("/active/", "/hold/"))
            os.unlink(w.path(deleted, "active"))
            w.release.set()
            w.wait_log(f"{held}: removed")
            w.wait_log(f"{deleted}: removed")
            self.assertEqual(w.where(deleted), [])
            # what was delivered is not delivered again when the mail is released
            dst = w.path(held, "hold")
            os.rename(dst, dst.replace("/hold/", "/incoming/"))
            w.arrived(held)
            wait_for("released mail is gone", lambda: w.where(held) == [])
            self.assertEqual(len(w.asked(held)), 1)
            qid = w.mail("", ["ok@local.test"])
            w.arrived(qid)
            self.gone(w, qid)

    def test_admin_holds_and_releases_during_a_delivery(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qids = [w.mail("", rcpts) for rcpts in (["hang-1@local.test"], ["hang-2@local.test", "defer@local.test"])]
            w.start()
            wait_for("both run", lambda: len(w.requests) == 3)
            for qid in qids:
                for a, b in (("active", "hold"), ("hold", "deferred")):
                    src = w.path(qid, a)
                    os.rename(src, src.replace(f"/{a}/", f"/{b}/"))
            w.release.set()
            w.wait_log(f"{qids[0]}: removed")
            w.wait_log(f"{qids[1]}: no longer in active/")
            # a flush that comes before qmgr has let go of a mail passes it by: ask again
            wait_for("the first is gone", lambda: w.where(qids[0]) == [] or w.flush(), step=0.2)
            wait_for("the second is tried again", lambda: len(w.asked(qids[1])) >= 3 or w.flush(), step=0.2)
            self.assertEqual(len(w.asked(qids[0])), 1)
            self.assertEqual({r[0] for _, r, _ in w.asked(qids[1])[2:]}, {"defer@local.test"})

    def test_an_odd_file_stops_only_itself(self):
        with QueueWorld(self) as w:
            w.agent("local")
            linked, twice = (w.mail("", ["ok@local.test", "hang@local.test"]) for _ in range(2))
            w.start()
            wait_for("all is asked for", lambda: len(w.requests) == 4)
            w.m.proc.kill()
            src = w.path(linked, "active")
            os.link(src, os.path.join(w.m.dir, "saved"))
            src = w.path(twice, "active")
            with open(src, "rb") as f, open(src.replace("/active/", "/incoming/"), "wb") as to:
                to.write(f.read())
            os.chown(to.name, os.stat(src).st_uid, os.stat(src).st_gid)
            w.restart("kill")
            w.wait_log(f"{linked}: active/")
            w.wait_log(f"{twice}: cannot move active/")
            qid = w.mail("", ["ok@local.test"])
            w.arrived(qid)
            self.gone(w, qid)
            # without the second link the results count
            os.unlink(os.path.join(w.m.dir, "saved"))
            w.release.set()
            w.restart("stop")
            self.gone(w, linked)
            self.assertEqual(len([1 for _, r, _ in w.asked(linked) if r == ["ok@local.test"]]), 1)

    def test_logs_of_a_deleted_mail_go(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("", ["hang@local.test", "defer@local.test"])
            w.start()
            wait_for("both run", lambda: len(w.asked(qid)) == 2)
            src = w.path(qid, "active")
            os.unlink(src)
            log = src.replace("/active/", "/defer/")
            with open(log, "w"):  # as bounce would write it
                pass
            w.release.set()
            w.wait_log(f"{qid}: no longer in active/")
            wait_for("the log is gone", lambda: not os.path.exists(log))


if __name__ == "__main__":
    main()
