#!/usr/bin/env python3
"""Two servers on one PostgreSQL: what one begins the other sees, and what one leaves behind the other takes over.

Ends with the line `N passed, N failed`.
"""

import os
import sys
import time
from pathlib import Path

import common
import database
import run
from crash_place import expect, until
from live import Node, Person, Provider, play, remove, scratch, whole_words

#: Seconds until the runs of a silent process count as interrupted (chat/run.rs), and until somebody looks.
LEASE, LOOK = 12, 5
WORDS = 60


def main():
    """Starts both, plays, and stops them."""
    binary = Path(os.environ.get("SOULFORGE_BIN") or common.SERVER)
    folder = scratch("nodes")
    with database.Cluster() as cluster, Provider(pace=0.15) as provider:
        env = {**{name: value for name, value in run.environment().items() if name.startswith(("SOULFORGE_", "LEPTOS_"))},
               **provider.environment(), "DATABASE_URL": cluster.url(), "SOULFORGE_LOG_JSON": "true"}
        env.pop("SOULFORGE_PG_DIR", None)
        nodes = [Node(binary, folder / name, env, name) for name in ("a", "b")]
        for node in nodes:
            node.folder.mkdir()
        try:
            done = play(cases(*nodes, provider))
        finally:
            for node in nodes:
                node.clean()
            if os.environ.get("KEEP"):
                print(f"kept: {folder}")
            else:
                remove(folder)
    total = len(cases(*nodes, provider))
    print(f"{done} passed, {total - done} failed")
    sys.exit(0 if done == total else 1)


def cases(a, b, provider):
    """The cases, in their order: each goes on where the one before ended."""
    ada = Person(a, "ada")
    there = Person(b, "ada")
    state = {}

    def both_start():
        a.start(ready=False)
        b.start(ready=False)
        a.ready()
        b.ready()
        expect("migrations could not" not in a.said() + b.said(), "they disturbed each other")

    def one_session():
        ada.sign_up()
        there.cookies = ada.cookies
        me = there.get("/api/me")
        expect(me.status == 200 and me.json()["username"] == "ada", f"{me.status} {me.text[:200]}")

    def words_arrive():
        sent = ada.say(ada.oc(), f"Please write {WORDS} words").json()
        stream = there.follow(f"/api/runs/{sent['run_id']}/events")
        end = stream.until("done", 60)
        deltas = [event["at"] for event in stream.events if event["event"] == "delta"]
        expect(len(deltas) >= 5, f"only {len(deltas)} pieces came: it was not read while it was written")
        spread = deltas[-1] - deltas[0]
        expect(spread > WORDS * provider.pace / 2, f"all came within {spread:.1f} s")
        expect(end["json"]["content"].split()[-1] == f"word{WORDS}", end["json"]["content"][-80:])
        expect(stream.text().split() == end["json"]["content"].split(), "the pieces are not the whole")
        return f"{len(deltas)} pieces over {spread:.1f} s"

    def stop_from_there():
        sent = ada.say(ada.oc(1), "Please write 400 words").json()
        stream = there.follow(f"/api/runs/{sent['run_id']}/events")
        stream.until("delta")
        left = provider.left
        answer = there.post(f"/api/runs/{sent['run_id']}/stop", {})
        begun = time.monotonic()
        expect(answer.status == 204, f"{answer.status} {answer.text}")
        stream.until("stopped", 10)
        until(lambda: provider.left > left, "the provider to notice", 10)
        return f"the provider noticed after {time.monotonic() - begun:.1f} s"

    def signing_out():
        other = Person(a, "ada")
        answer = other.post("/api/sessions", {"login": "ada", "password": "violet harbour lantern nine"})
        expect(answer.status < 300, f"{answer.status} {answer.text}")
        conversation = ada.get("/api/conversations").json()["items"][0]["id"]
        stream = other.at(b).follow(f"/api/conversations/{conversation}/events")
        stream.until("changed")
        begun = time.monotonic()
        expect(other.form("/fn/accounts/sign_out").status < 400, "cannot sign out")
        stream.until("signed_out", 10)
        took = time.monotonic() - begun
        expect(took < 5, f"it took {took:.1f} s")
        return f"after {took:.1f} s"

    def one_limit():
        # The limit of tries to sign in to one account from one address: ten at once, two more a minute.
        for node in (a, b):
            node.stop()
            node.env["SOULFORGE_LIMIT_FACTOR"] = "1"
            node.start()
        begun, statuses = time.monotonic(), {a: [], b: []}
        for turn in range(24):
            node = (a, b)[turn % 2]
            wrong = {"login": "ada", "password": f"wrong words number {turn}"}
            answer = Person(node).post("/api/sessions", wrong)
            statuses[node].append(answer.status)
            if answer.status == 429:
                expect(int(answer.headers["retry-after"]) > 0, "no Retry-After")
        let = sum(status != 429 for found in statuses.values() for status in found)
        most = 10 + 2 * (time.monotonic() - begun) / 60 + 1
        expect(10 <= let <= most, f"{let} tries were let through, at most {most:.1f} should be: {list(statuses.values())}")
        for found in statuses.values():
            expect(429 in found and found[0] != 429, f"one of them does not count: {found}")
        for node in (a, b):
            node.stop()
            node.env["SOULFORGE_LIMIT_FACTOR"] = "1000"
            node.start()
        return f"{let} of 24 were let through"

    def killed():
        sent = ada.say(ada.oc(2), "Please write 400 words").json()
        stream = there.follow(f"/api/runs/{sent['run_id']}/events")
        until(lambda: len(stream.text().split()) >= 12, "some words")
        seen = stream.text()
        a.kill()
        begun = time.monotonic()
        stream.until("interrupted", LEASE + LOOK + 5)
        took = time.monotonic() - begun
        lines = there.messages(sent["conversation_id"])
        reply = next(line for line in lines if line["id"] == sent["message_id"])
        expect(reply["status"] == "interrupted", reply["status"])
        expect(reply["content"].startswith(seen.strip()) and whole_words(reply["content"]), f"{seen!r} became {reply['content']!r}")
        expect(took < LEASE + LOOK, f"it took {took:.1f} s")
        state.update(sent)
        return f"interrupted after {took:.1f} s with {len(reply['content'].split())} words"

    def goes_on():
        before = next(line for line in there.messages(state["conversation_id"]) if line["id"] == state["message_id"])["content"]
        answer = there.form("/fn/chat/continue_reply", message_id=state["message_id"])
        expect(answer.status == 200, f"{answer.status} {answer.text[:300]}")
        line = next(line for line in there.messages(state["conversation_id"]) if line["id"] == state["message_id"])
        stream = there.follow(f"/api/runs/{line['run_id']}/events")
        until(lambda: len(stream.text()) > len(before), "more words")
        expect(stream.text().startswith(before.strip()), "the words that were there are gone")
        there.post(f"/api/runs/{line['run_id']}/stop", {})
        stream.until("stopped", 10)

    def comes_back():
        a.start()
        lines = ada.messages(state["conversation_id"])
        theirs = there.messages(state["conversation_id"])
        expect(lines == theirs, "they do not agree")
        expect(a.stop() < 25 and b.stop() < 25, "they take long to stop")

    return [
        ("both start on an empty database at once", both_start),
        ("who signs up at one is signed in at both", one_session),
        ("a reply of one is read at the other while it is written", words_arrive),
        ("a reply of one is stopped from the other", stop_from_there),
        ("signing out at one ends a stream of the other within 5 s", signing_out),
        ("limits count over both", one_limit),
        ("kill -9 of one: its reply is interrupted at the other, words kept", killed),
        ("the other goes on with it", goes_on),
        ("the killed one comes back and sees the same", comes_back),
    ]


if __name__ == "__main__":
    main()
