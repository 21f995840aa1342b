"""Cases of crash_test.py that kill the server or its PostgreSQL while people talk through the public API.

Clients keep a ledger of every message that was acknowledged, and send what was not acknowledged again under the same key.
"""

import contextlib
import http.client
import os
import signal
import threading
import time
import uuid

from crash_place import Failure, expect, until
from live import Node, Person, Provider, whole_words

PEOPLE = 6
WORDS = 25


class Talker:
    """Somebody who says one thing after another, as quickly as they are answered."""

    def __init__(self, node, name):
        self.person = Person(node, name).sign_up()
        self.ocs = [item["id"] for item in self.person.get("/api/ocs?limit=7").json()["items"]]
        self.turn = 0
        self.ledger = []  # (content, ids) of what was acknowledged
        self.stop = threading.Event()
        self.problem = None
        self.thread = threading.Thread(target=self.talk, daemon=True)

    def talk(self):
        """Says things until told to stop; what was begun is always brought to its end."""
        try:
            while not self.stop.is_set():
                self.say(f"Please write {WORDS} words, number {len(self.ledger)} of {self.person.name}")
        except Exception as error:  # told by the main thread
            self.problem = f"{self.person.name}: {type(error).__name__}: {error}"

    def say(self, content):
        """One message under one key, until it is acknowledged."""
        key = str(uuid.uuid4())
        until_when = time.monotonic() + 90
        while time.monotonic() < until_when:
            # While the last reply of one talk is being written, or is not known to be dead yet, talk with somebody else.
            self.turn += 1
            oc = self.ocs[self.turn % len(self.ocs)]
            for _ in range(600):
                try:
                    answer = self.person.say(oc, content, **{"idempotency-key": key})
                except (OSError, http.client.HTTPException):
                    time.sleep(0.1)  # it is being killed or started; the same again
                    continue
                if answer.status in (200, 202):
                    self.ledger.append((content, answer.json()))
                    return
                if answer.status == 409:
                    break
                if answer.status not in (500, 502, 503):
                    raise Failure(f"{answer.status} {answer.text[:300]}")
                time.sleep(0.1)
            time.sleep(0.05)
        raise Failure("nobody took the message in 90 s")

    def check(self):
        """Looks for every acknowledged message; gives the replies."""
        there, replies = {}, []
        for talk in {ids["conversation_id"] for _, ids in self.ledger}:
            after = ""
            while after is not None:
                page = self.person.get(f"/api/conversations/{talk}/messages?after={after}").json()
                after = page.get("next")
                for line in page["items"]:
                    if line["sender"] == "user":
                        expect(line["id"] not in there, "a message is there twice")
                        there[line["id"]] = line["content"]
                    elif line.get("run_id"):
                        replies.append(line)
        for content, ids in self.ledger:
            expect(there.get(ids["user_message_id"]) == content, f"acknowledged and lost: {content!r} {ids}")
        extra = len(there) - len(self.ledger)
        expect(extra == 0, f"{extra} messages of {self.person.name} are there that were never acknowledged")
        return replies


def accounted(talkers):
    """Whether nothing is set aside any more for replies whose writer was killed, and every reply that had begun is in the account."""
    for talker in talkers:
        usage = talker.person.get("/api/usage").json()
        calls = sum(day["calls"] for day in usage["days"])
        begun = sum(reply["status"] == "done" or bool(reply["content"]) for reply in talker.check())
        if calls < begun or usage["used"] != sum(day["counted_tokens"] for day in usage["days"]):
            return False
    return True


def play(p, kill, rounds, may_fail=False, account=False):
    """Talks, kills, talks on; looks for everything at the end."""
    with Provider(pace=0.04) as provider:
        env = {
            "SOULFORGE_PG_DIR": str(p.suite.pg_dir), "LEPTOS_SITE_ROOT": str(p.base / "site"), "SOULFORGE_LOG": "warn",
            **provider.environment(),
        }
        node = Node(p.suite.binary, p.base, env, "talks", cwd="/", account=p.suite.as_account())
        talkers = []
        try:
            node.start()
            talkers = [Talker(node, f"talker_{number}") for number in range(PEOPLE)]
            for talker in talkers:
                talker.thread.start()

            def acknowledged():
                problems = [talker.problem for talker in talkers if talker.problem]
                expect(not problems, "; ".join(problems))
                return sum(len(talker.ledger) for talker in talkers)

            for _ in range(rounds):
                wanted = acknowledged() + 4 * PEOPLE
                until(lambda: acknowledged() >= wanted, "messages")
                kill(p, node)
            wanted = acknowledged() + 2 * PEOPLE
            until(lambda: acknowledged() >= wanted, "messages after the last blow")
            for talker in talkers:
                talker.stop.set()
            for talker in talkers:
                talker.thread.join(120)
                expect(not talker.problem, talker.problem)

            def settled():
                replies = [reply for talker in talkers for reply in talker.check()]
                return replies if all(reply["status"] not in ("queued", "streaming") for reply in replies) else None

            replies = until(settled, "every reply to come to an end", 40)
            for reply in replies:
                expect(whole_words(reply["content"]), f"garbled: {reply['content'][-200:]!r}")
                # One that was to begin while the database was away says so, and can be asked for again.
                fine = ("done", "interrupted", "failed") if may_fail else ("done", "interrupted")
                expect(reply["status"] in fine, f"{reply['status']}: {reply.get('error')}")
                expect(reply["status"] != "failed" or "again" in reply["error"], f"it failed without advice: {reply}")
                expect(reply["status"] != "done" or len(reply["content"].split()) == WORDS, f"done too early: {reply}")
            interrupted = [reply for reply in replies if reply["status"] == "interrupted"]
            cut = next((reply for reply in interrupted if reply["content"]), None)
            if cut:
                goes_on(talkers, cut)
            if account:
                # The lease of a call is a minute, and a job looks for those without one every minute.
                until(lambda: accounted(talkers), "every call to be charged or given back", 180)
            with p.suite.counting:
                p.suite.acked += acknowledged()
            node.stop()
            return replies, interrupted
        finally:
            for talker in talkers:
                talker.stop.set()
            node.clean()


def goes_on(talkers, reply):
    """One click, here by the address that the button posts to: the words that were kept stay in front."""
    owner = next(t.person for t in talkers if any(ids["message_id"] == reply["id"] for _, ids in t.ledger))
    talk = next(ids["conversation_id"] for t in talkers for _, ids in t.ledger if ids["message_id"] == reply["id"])
    # Only the newest line of a talk can be gone on with.
    if owner.messages(talk)[-1]["id"] != reply["id"]:
        return
    answer = owner.form("/fn/chat/continue_reply", message_id=reply["id"])
    expect(answer.status == 200, f"it does not go on: {answer.status} {answer.text[:300]}")

    def done():
        line = next(line for line in owner.messages(talk) if line["id"] == reply["id"])
        return line if line["status"] == "done" else None
    line = until(done, "the reply that goes on", 60)
    expect(line["content"].startswith(reply["content"].strip()), f"{reply['content']!r} became {line['content']!r}")


def kill_app_in_talks(p):
    """kill -9 of the server under messages by the API: every acknowledged one is there once, replies go on and are charged"""
    def kill(_, node):
        node.kill()
        node.start()
    replies, interrupted = play(p, kill, 3, account=True)
    expect(interrupted and any(reply["content"] for reply in interrupted), "no reply was cut: the test tests nothing")
    return f"({len(replies)} replies, {len(interrupted)} interrupted)"


def kill_postgres_in_talks(p):
    """kill -9 of PostgreSQL under messages by the API: the server goes on by itself, nothing is lost or doubled"""
    def kill(place, node):
        server = until(place.postmaster, "a server")
        os.kill(server, signal.SIGKILL)
        until(lambda: place.postmaster() not in (None, server), "another server")
        until(lambda: node.health() == 200, "the server to be ready again")
    replies, interrupted = play(p, kill, 2, may_fail=True)
    failed = sum(reply["status"] == "failed" for reply in replies)
    return f"({len(replies)} replies, {len(interrupted)} interrupted, {failed} failed)"


def kill_all_in_talks(p):
    """kill -9 of the server, its supervisor and PostgreSQL at once under messages by the API"""
    def kill(place, node):
        for pid in [node.process.pid, *place.supervisors(), *place.servers()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node.process.wait()
        node.start()
    replies, interrupted = play(p, kill, 2)
    return f"({len(replies)} replies, {len(interrupted)} interrupted)"


CASES = [kill_app_in_talks, kill_postgres_in_talks, kill_all_in_talks]
