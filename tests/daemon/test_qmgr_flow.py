"""qmgr between fake peers: what becomes of mails, one kind of outcome a test."""
import os, sys, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_queue import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402

FAST = "minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\n"


@unittest.skipUnless(os.path.exists(MKMAIL), "needs a build tree")
class Flow(unittest.TestCase):
    def gone(self, w, qid):
        w.wait_log(f"{qid}: removed")
        wait_for("file is gone", lambda: w.where(qid) == [])

    def deferred(self, w, qid):
        wait_for("mail is in deferred/", lambda: w.where(qid) == ["deferred"])

    def test_delivered(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["ok-1@local.test", "ok-2@local.test"])
            w.start()
            w.arrived(qid)
            self.gone(w, qid)
            w.wait_log(f"{qid}: from=<from@example.test>, size=21, nrcpt=2 (queue active)")
            self.assertEqual(sorted(r[0] for _, r, _ in w.asked(qid)), ["ok-1@local.test", "ok-2@local.test"])
            self.assertEqual((w.appends, w.flushes), ([], []))

    def test_found_without_announcement(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("", ["ok@local.test"])
            w.start()
            self.gone(w, qid)

    def test_many_recipients_of_a_stuck_destination(self):
        limits = "qmgr_message_recipient_limit = 100\nqmgr_message_recipient_minimum = 2\n"
        with QueueWorld(self, limits) as w:
            w.agent("slow")
            w.agent("local")
            stuck = [w.mail("", [f"hang-{i}-{j}@slow.test" for i in range(150)]) for j in range(2)]
            w.start()
            wait_for("both are stuck", lambda: {q for _, q, *_ in w.requests} == set(stuck))
            qid = w.mail("", [f"ok-{i}@local.test" for i in range(7)])
            w.arrived(qid)
            self.gone(w, qid)
            self.assertEqual(len(w.asked(qid)), 7)
            w.release.set()
            for other in stuck:
                self.gone(w, other)
                self.assertEqual(sum(len(r) for _, r, _ in w.asked(other)), 150)

    def test_announced_by_a_stranger(self):
        with QueueWorld(self) as w:
            w.agent("local")
            w.start()
            qid = w.mail("", ["ok@local.test"])
            c = w.m.client("public:qmgr")
            for i in ("../../etc/passwd", "", "x" * 500, "nosuchmail12345", qid):
                c.send(QMGR, 3, f_str(1, i))
            self.gone(w, qid)

    def test_bounced_and_delivered(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["ok@local.test", "bounce@local.test"])
            w.start()
            self.gone(w, qid)
            self.assertEqual([(l, r) for l, _, r, _ in w.appends], [("bounce", ["bounce@local.test"])])
            self.assertEqual(w.flushes, [("bounce", qid)])

    def test_notify_never_is_not_reported(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["bounce@local.test|1"])
            w.start()
            self.gone(w, qid)
            self.assertEqual(w.appends, [])

    def test_success_report(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["ok@local.test|2"])
            w.start()
            self.gone(w, qid)
            self.assertEqual([(l, r) for l, _, r, _ in w.appends], [("trace", ["ok@local.test"])])
            self.assertEqual(w.flushes, [("trace", qid)])

    def test_what_a_delivery_is_called(self):
        with QueueWorld(self) as w:
            w.agent("local")
            rcpts = [f"{n}@local.test" for n in ("ok", "relayed", "expanded", "passed")]
            qid = w.mail("from@example.test", [r + "|6" for r in rcpts] + ["expanded-quietly@local.test|4"])
            alone = w.mail("from@example.test", ["passed@local.test|2"])
            w.start()
            self.gone(w, qid)
            self.gone(w, alone)
            self.assertEqual(sorted(w.actions), sorted((qid, r, a) for r, a in zip(
                rcpts, ("delivered", "relayed", "expanded"))))
            self.assertEqual(w.flushes, [("trace", qid)])

    def test_expanded_by_cleanup(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["list@local.test|6|x", "ok@local.test|4"])
            w.start()
            self.gone(w, qid)
            self.assertEqual([r for _, r, _ in w.asked(qid)], [["ok@local.test"]])
            self.assertEqual(w.actions, [(qid, "list@local.test", "expanded")])
            self.assertEqual(w.flushes, [("trace", qid)])
            w.wait_log(f"{qid}: from=<from@example.test>, size=21, nrcpt=1 (queue active)")

    def test_verify_delivers_nothing(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["ok@local.test", "x@error.test"], age="0:4")
            w.start()
            self.gone(w, qid)
            self.assertEqual(w.asked(qid), [])
            self.assertEqual({(l, a[0]) for l, _, _, a in w.appends},
                             {("trace", b"goes to transport local, next hop local.test"),
                              ("trace", b"undeliverable: error.test")})
            self.assertEqual(w.flushes, [("verify", qid)])

    def test_report_of_the_first_attempt(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["ok@local.test", "defer@local.test"], age="0:8")
            w.start()
            self.deferred(w, qid)
            self.assertEqual(w.flushes, [("verify", qid)])
            w.flush()
            wait_for("second attempt", lambda: len(w.asked(qid)) == 3)
            self.deferred(w, qid)
            self.assertEqual(w.flushes, [("verify", qid)])

    def test_waiting_is_written_down_for_all(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["defer@local.test|4"])
            w.start()
            self.deferred(w, qid)
            self.assertEqual([(l, r) for l, _, r, _ in w.appends], [("defer", ["defer@local.test"])])

    def test_deferred_tried_again_by_flush(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["ok@local.test", "defer@local.test"])
            w.start()
            self.deferred(w, qid)
            self.assertEqual([(l, r) for l, _, r, _ in w.appends], [("defer", ["defer@local.test"])])
            self.assertGreater(os.stat(w.path(qid, "deferred")).st_mtime, time.time() + 200)
            w.flush(ids=[qid])
            wait_for("second attempt", lambda: len(w.asked(qid)) == 3)
            self.deferred(w, qid)
            w.flush(sites=["other.test"])
            w.flush(sites=["LOCAL.test"])
            wait_for("third attempt", lambda: len(w.asked(qid)) == 4)
            self.deferred(w, qid)
            w.flush()
            wait_for("fourth attempt", lambda: len(w.asked(qid)) == 5)
            # who had it got it once
            self.assertEqual(sum(r == ["ok@local.test"] for _, r, _ in w.asked(qid)), 1)

    def test_deferred_tried_again_by_time(self):
        with QueueWorld(self, FAST) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["defer@local.test"])
            w.start()
            wait_for("three attempts", lambda: len(w.asked(qid)) >= 3, 30)

    def test_expired(self):
        with QueueWorld(self, "maximal_queue_lifetime = 1h\n") as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["defer@local.test"], age=7200)
            w.start()
            self.gone(w, qid)
            w.wait_log(f"{qid}: from=<from@example.test>, status=expired, returned to sender")
            self.assertEqual(w.flushes, [("bounce", qid)])

    def test_delay_warning_once(self):
        with QueueWorld(self, FAST + "delay_warning_time = 1h\n") as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["defer@local.test"], age=7200)
            w.start()
            wait_for("four attempts", lambda: len(w.asked(qid)) >= 4, 30)
            self.assertEqual(w.flushes, [("delay", qid)])

    def test_bounce_service_fails(self):
        with QueueWorld(self, FAST) as w:
            w.bounce_ok = False
            w.agent("local")
            qid = w.mail("from@example.test", ["bounce@local.test"])
            w.start()
            self.deferred(w, qid)
            w.wait_log("cannot write down failed recipients")
            w.bounce_ok = True
            self.gone(w, qid)
            self.assertEqual(w.flushes[-1:], [("bounce", qid)])

    def test_resolver_is_missing(self):
        with QueueWorld(self, services=("bounce",)) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["ok@local.test"])
            w.start()
            self.deferred(w, qid)
            w.wait_log("status=deferred (address resolver failure)")

    def test_missing_transport(self):
        with QueueWorld(self) as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["ok@nowhere.test", "ok@local.test"])
            w.start()
            self.deferred(w, qid)
            w.wait_log("dsn=4.3.5, status=deferred (mail transport \"nowhere\" is not available")
            self.assertEqual([t for t, _, _ in w.asked(qid)], ["local"])

    def test_defer_transports(self):
        with QueueWorld(self, "defer_transports = other, local\n") as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["ok@local.test"])
            w.start()
            self.deferred(w, qid)
            w.wait_log("status=deferred (deferred transport)")

    def test_soft_bounce(self):
        with QueueWorld(self, "soft_bounce = yes\n") as w:
            w.agent("local")
            qid = w.mail("from@example.test", ["bounce@local.test"])
            w.start()
            self.deferred(w, qid)
            self.assertEqual(w.flushes, [])

    def test_stuck_destination_holds_up_no_other(self):
        with QueueWorld(self) as w:
            w.agent("local")
            w.agent("smtp")
            stuck = [w.mail("", [f"hang-{i}@smtp.stuck.test"]) for i in range(30)]
            w.start()
            wait_for("the destination is full", lambda: len(w.requests) >= 5)
            for qid in [w.mail("", ["ok@local.test"]), w.mail("", ["ok@smtp.other.test"]),
                        w.mail("", ["hang@smtp.stuck.test", "ok@smtp.other.test", "ok@local.test"])]:
                w.arrived(qid)
                wait_for("others get their mail", lambda: any("ok" in r[0] for _, r, _ in w.asked(qid)))
            w.release.set()
            for qid in stuck:
                self.gone(w, qid)

    def test_concurrency_grows_to_the_limit(self):
        with QueueWorld(self, "smtp_destination_concurrency_limit = 12\nsmtp_destination_recipient_limit = 2\n"
                              "initial_destination_concurrency = 3\n") as w:
            w.agent("smtp")
            qid = w.mail("", [f"slow-{i}@smtp.test" for i in range(200)])
            w.start()
            self.gone(w, qid)
            self.assertEqual(w.most, 12)

    def test_dead_destination(self):
        with QueueWorld(self, "smtp_initial_destination_concurrency = 1\n") as w:
            w.agent("smtp")
            first = w.mail("", ["dead@smtp.dead.test"])
            w.start()
            w.wait_log("is suspended: 4.4.1")
            self.deferred(w, first)
            second = w.mail("", ["ok@smtp.dead.test", "ok@smtp.good.test"])
            w.arrived(second)
            self.deferred(w, second)
            w.wait_log(f"{second}: to=<ok@smtp.dead.test>")
            w.wait_log("status=deferred (delivery temporarily suspended: connect to it: timed out)")
            self.assertEqual([r for _, r, _ in w.asked(second)], [["ok@smtp.good.test"]])
            w.flush(ids=[second])
            self.gone(w, second)

    def test_a_site_that_is_down_is_probed_once_for_all_its_mails(self):
        with QueueWorld(self) as w:
            w.agent("smtp")
            ids = [w.mail("", [f"dead-{i}@smtp.dead.test"]) for i in range(60)]
            w.start()
            wait_for("all wait", lambda: all(w.where(i) == ["deferred"] for i in ids))
            self.assertLessEqual(len(w.requests), 5, "the first window")
            for _ in range(3):
                before = len(w.requests)
                w.flush()
                w.wait_log("is suspended", 15)
                wait_for("all have been tried", lambda: len(w.requests) > before and
                         all(w.where(i) == ["deferred"] for i in ids))
                self.assertEqual(len(w.requests), before + 1)

    def test_pauses_between_deliveries(self):
        with QueueWorld(self, "smtp_destination_rate_delay = 1s\nslow_transport_rate_delay = 1s\n") as w:
            for name in ("smtp", "slow", "free"):
                w.agent(name)
            for i in range(3):
                w.mail("", [f"ok-{i}@smtp.a.test"])
                w.mail("", [f"ok-{i}@smtp.b.test"])
                w.mail("", [f"ok-{i}@slow.{'ab'[i % 2]}.test"])
                w.mail("", [f"ok-{i}@free.a.test"])
            w.start()
            wait_for("all are delivered", lambda: len(w.requests) == 12, 30)
            at = {}
            for (name, _, rcpts, _, hop), t in zip(w.requests, w.times):
                at.setdefault("slow" if name == "slow" else hop, []).append(t)
            for hop in ("smtp.a.test", "smtp.b.test", "slow"):
                self.assertEqual(len(at[hop]), 3)
                for a, b in zip(at[hop], at[hop][1:]):
                    self.assertGreaterEqual(b - a, 0.99, hop)
            self.assertLess(at["smtp.b.test"][0] - at["smtp.a.test"][0], 0.9, "destinations do not wait for one another")
            self.assertLess(at["free.a.test"][2] - at["free.a.test"][0], 0.9)

    def test_what_is_wrong_with_a_transports_numbers_is_said(self):
        with QueueWorld(self, "smtp_destination_concurrency_negative_feedback = 3/concurrent\n"
                              "smtp_destination_concurrency_positive_feedback = 1/sqrt_concurrency\n") as w:
            w.agent("smtp")
            qid = w.mail("", ["ok@smtp.test"])
            w.start()
            self.gone(w, qid)
            w.wait_log("smtp_destination_concurrency_negative_feedback: neither a number")
            self.assertFalse([l for l in w.m.poll_log() if "positive_feedback" in l])

    def test_recipients_share_requests(self):
        with QueueWorld(self, "smtp_destination_recipient_limit = 7\n") as w:
            w.agent("smtp")
            qid = w.mail("", [f"ok-{i}@smtp.test" for i in range(20)])
            w.start()
            self.gone(w, qid)
            self.assertEqual(sorted(len(r) for _, r, _ in w.asked(qid)), [6, 7, 7])

    def test_more_recipients_than_memory(self):
        with QueueWorld(self, "qmgr_message_recipient_limit = 100\nqmgr_message_recipient_minimum = 5\n") as w:
            w.agent("smtp")
            everybody = [f"{'bounce' if i % 50 == 0 else 'ok'}-{i}@smtp{i % 7}.test" for i in range(2500)]
            for i in range(7):
                w.agent(f"smtp{i}")
            qid = w.mail("from@example.test", everybody)
            w.start()
            w.wait_log(f"{qid}: removed", 60)
            got = [a for _, r, _ in w.asked(qid) for a in r]
            self.assertEqual(sorted(got), sorted(everybody))
            self.assertEqual(sum(len(r) for l, _, r, _ in w.appends if l == "bounce"), 50)

    def test_marks_while_recipients_are_read(self):
        """A long list, part of it deferred: each recipient gets it once, over kills and attempts."""
        with QueueWorld(self, FAST + "qmgr_message_recipient_limit = 3000\n") as w:
            for i in range(7):
                w.agent(f"smtp{i}")
            everybody = [f"{'defer' if i % 400 == 399 else 'ok'}-{i}@smtp{i % 7}.test" for i in range(6000)]
            qid = w.mail("from@example.test", everybody)
            w.start()
            wait_for("the first round", lambda: w.where(qid) == ["deferred"], 60)
            w.restart("kill")
            wait_for("a second round", lambda: sum(len(r) for _, r, _ in w.asked(qid)) >= 6000 + 15, 60)
            got = {}
            for _, rcpts, _ in w.asked(qid):
                for r in rcpts:
                    got[r] = got.get(r, 0) + 1
            self.assertEqual(sorted(got), sorted(everybody))
            self.assertEqual({r for r, n in got.items() if n > 1 and r.startswith("ok")}, set())

    def test_credits(self):
        with QueueWorld(self) as w:
            w.start()
            self.assertGreater(w.call(1).fields[1], 0)

    def test_broken_clients(self):
        with QueueWorld(self) as w:
            w.start()
            for octets in (b"W", b"\xff" * 100, b"\x0c\0\0\0\x04\0\x01\0\x63\0\0\0\1\0\0\0"):
                c = w.m.client("public:qmgr")
                c.sock.sendall(octets)
                c.close()
            self.assertGreater(w.call(1).fields[1], 0)


if __name__ == "__main__":
    main()
