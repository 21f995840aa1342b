#!/usr/bin/env python3
"""What operators rely on, with the real server: its end, its log, its figures, the policy of its pages.

Ends with the line `N passed, N failed`.
"""

import json
import os
import re
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import common
import run
from crash_place import expect, until
from live import Node, Person, Provider, free_port, play, remove, scratch, whole_words

BINARY = Path(os.environ.get("SOULFORGE_BIN") or common.SERVER)
#: Seconds that a stop may take (server/serve.rs).
LIMIT = 25


def settings(provider):
    """The environment of a server of this checkout."""
    env = {name: value for name, value in run.environment().items() if name.startswith(("SOULFORGE_", "LEPTOS_", "DATABASE_"))}
    return {**env, **provider.environment()}


def ending(provider, folder):
    """SIGTERM: what is nearly done is finished, everybody is told, the rest is kept and gone on with."""
    node = Node(BINARY, folder, settings(provider), "ending")
    ada = Person(node, "ada")
    state = {}

    def finishes():
        node.start()
        ada.sign_up()
        sent = ada.say(ada.oc(), "Please write 40 words").json()
        stream = ada.follow(f"/api/runs/{sent['run_id']}/events")
        until(lambda: len(stream.text().split()) > 5, "some words")
        begun = time.monotonic()
        node.process.send_signal(signal.SIGTERM)
        until(lambda: node.health() == 503, "not to be ready", 2)
        said = time.monotonic() - begun
        expect(node.health("/livez") == 200, "it does not live any more")
        expect(ada.get("/api/me").status == 200, "what is asked is not answered")
        stream.until("done", LIMIT)
        took = node.ended(begun)
        expect(took < LIMIT, f"it took {took:.1f} s")
        state["done"] = sent
        return f"not ready after {said:.2f} s, ended after {took:.1f} s"

    def resumes():
        node.start()
        lines = ada.messages(state["done"]["conversation_id"])
        expect(lines[-1]["status"] == "done" and lines[-1]["content"].split()[-1] == "word40", f"{lines[-1]}")
        sent = ada.say(ada.oc(1), "Please write 600 words").json()
        idle = [ada.follow(f"/api/conversations/{sent['conversation_id']}/events") for _ in range(40)]
        reading = [ada.follow(f"/api/runs/{sent['run_id']}/events") for _ in range(40)]
        for stream in idle:
            stream.until("changed")
        for stream in reading:
            stream.until("delta")
        took = node.stop()
        expect(took < LIMIT, f"it took {took:.1f} s")
        for stream in idle + reading:
            expect(stream.end() in ("reconnect", "interrupted"), f"it ended with {stream.names()[-3:]}")
            expect(not stream.broken, f"{stream.broken}")
            expect(1000 <= int(stream.events[-1].get("retry", 1000)) <= 3000, f"{stream.events[-1]}")
        expect(any("retry" in stream.events[-1] for stream in reading), "no pause was given")
        seen, last = reading[0].text(), reading[0].last_id()
        expect(int(last) == len(seen.encode()), f"the last id is {last} after {len(seen)} characters")
        node.start()
        again = ada.follow(f"/api/runs/{sent['run_id']}/events", last)
        again.until("interrupted", 10)
        whole = seen + again.text()
        expect(whole_words(whole) and len(whole.split()) > 5, f"the text has a seam: {whole[-200:]!r}")
        reply = next(m for m in ada.messages(sent["conversation_id"]) if m["id"] == sent["message_id"])
        expect(reply["status"] == "interrupted" and reply["content"].strip() == whole.strip(), f"{reply}")
        answer = ada.form("/fn/chat/continue_reply", message_id=sent["message_id"])
        expect(answer.status == 200, f"{answer.status} {answer.text[:300]}")
        return f"80 streams, ended after {took:.1f} s, {len(whole.split())} words kept"

    def at_once():
        # The reply that goes on is still being written.
        begun = time.monotonic()
        node.process.send_signal(signal.SIGTERM)
        until(lambda: node.health() == 503, "not to be ready", 2)
        node.process.send_signal(signal.SIGTERM)
        took = node.ended(begun)
        expect(took < 6, f"it took {took:.1f} s")
        return f"after {took:.1f} s"

    cases = [
        ("SIGTERM: not ready at once, a reply that is nearly done is finished", finishes),
        ("SIGTERM: 80 streams are told when to come back, and after the restart a reader goes on", resumes),
        ("a second signal stops at once", at_once),
    ]
    return played(node, cases)


def telling(provider, folder):
    """The log, the figures and the pages of one server."""
    metrics = free_port()
    env = {**settings(provider), "SOULFORGE_LOG_JSON": "true", "SOULFORGE_METRICS_ADDR": f"127.0.0.1:{metrics}",
           "SOULFORGE_DRAIN": "2"}
    node = Node(BINARY, folder, env, "telling")
    operators = Node(BINARY, folder, {}, "metrics")
    operators.port = metrics
    eve = Person(node, "eve")

    def figures():
        node.start()
        eve.sign_up()
        sent = eve.say(eve.oc(), "Please write 5 words").json()
        eve.follow(f"/api/runs/{sent['run_id']}/events").until("done")
        for path in ("/", "/no/such/page", "/readyz"):
            eve.get(path)
        answer = Person(operators).get("/metrics")
        expect(answer.status == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4"), f"{answer.status}")
        found = {}
        for line in answer.text.splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if match:
                found[(match[1], match[2] or "")] = float(match[3])
            else:
                expect(line.startswith("#") or not line, f"not a line of figures: {line}")
        names = {name for name, _ in found}
        for name in """
            soulforge_http_requests_total soulforge_http_request_seconds_bucket soulforge_http_in_flight soulforge_runs
            soulforge_runs_total soulforge_run_seconds_count soulforge_first_token_seconds_count soulforge_tokens_total
            soulforge_local_model_places soulforge_local_model_waiting soulforge_streams_open soulforge_streams_total
            soulforge_stream_events_total soulforge_jobs soulforge_jobs_oldest_seconds soulforge_open_runs
            soulforge_database_up soulforge_database_connections soulforge_database_connections_max
            soulforge_database_wait_seconds_count soulforge_resident_bytes soulforge_start_time_seconds soulforge_draining
            soulforge_build_info
        """.split():
            expect(name in names, f"{name} is missing")
        documented = (common.ROOT / "docs" / "operations.md").read_text()
        for name in names:
            plain = re.sub(r"_(bucket|sum|count)$", "", name)
            expect(plain in documented, f"docs/operations.md does not tell of {plain}")
        unmatched = found.get(("soulforge_http_requests_total", 'method="GET",route="unmatched",status="404"'))
        expect(unmatched == 1.0, f"the page that is not there was counted {unmatched} times")
        expect(Person(operators).get("/readyz").status == 200 and Person(operators).get("/sign-in").status == 404, "another listener")
        for person in (Person(node), eve):
            expect(person.get("/metrics").status == 404, "the site shows figures to people")
        return f"{len(names)} series names"

    def policy():
        scripts = 0
        for path in ("/", "/characters", "/sign-in", "/sign-up", "/c/lumina", "/talk/lumina", "/conversations", "/settings",
                     "/developers", "/no/such/page"):
            for person in (Person(node), eve):
                answer = person.get(path, {"accept": "text/html", "sec-fetch-site": "none"})
                if answer.status in (301, 302, 303, 307):
                    continue
                expect(answer.status in (200, 404), f"{path}: {answer.status}")
                policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
                expect(policy["default-src"] == "'none'" and policy["base-uri"] == "'none'", f"{path}: {policy}")
                for unsafe in ("unsafe-inline", "'unsafe-eval'", "*", "http:", "https:", "data:"):
                    expect(unsafe not in policy["script-src"], f"{path}: {unsafe} in script-src")
                nonce = re.search(r"'nonce-([^']{16,})'", policy["script-src"]).group(1)
                tags = re.findall(r"<script\b[^>]*>", answer.text)
                expect(tags, f"{path} has no scripts: is it the production build?")
                for tag in tags + re.findall(r"<style\b[^>]*>", answer.text):
                    if "application/ld+json" in tag and "nonce" not in tag:
                        continue  # data, never run
                    expect(re.search(rf'nonce="?{re.escape(nonce)}"?', tag), f"{path}: {tag} lacks the nonce")
                plain = re.sub(r"<script\b.*?</script>", "", answer.text, flags=re.S)
                expect(not re.search(r"<[a-z][^<>]*\son[a-z]+=", plain), f"{path}: a handler in an attribute")
                expect(not re.search(r'<[a-z][^<>]*\sstyle="', plain), f"{path}: a style in an attribute")
                expect("javascript:" not in plain, f"{path}: a link that runs")
                scripts += len(tags)
        expect(scripts > 20, "the pages were not seen")
        return f"{scripts} scripts"

    def drain():
        begun = time.monotonic()
        node.process.send_signal(signal.SIGTERM)
        until(lambda: node.health() == 503, "not to be ready", 1)
        while time.monotonic() - begun < 1.5:
            expect(eve.get("/api/me").status == 200, "it does not answer while a proxy looks away")
            expect(Person(operators).get("/readyz").status == 503, "the two listeners do not agree")
            time.sleep(0.1)
        took = node.ended(begun)
        expect(2 <= took < 8, f"it took {took:.1f} s")
        return f"after {took:.1f} s"

    def log():
        entries = []
        for line in node.said().splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                # What PostgreSQL's supervisor says before its application has a log.
                expect(line.startswith("soulforge pg-run"), f"not JSON: {line}")
        requests = [e for e in entries if e.get("target") == "soulforge::request"]
        expect(len(requests) > 10, f"only {len(requests)} lines of requests")
        for entry in requests:
            span = entry["spans"][0]
            for field in ("request_id", "method", "path", "route", "status", "latency_ms"):
                expect(field in span, f"{field} is missing in {span}")
            expect("?" not in span["path"], span["path"])
        users = {e["spans"][0].get("user") for e in requests} - {None}
        expect(users and all(re.fullmatch(r"[0-9a-f-]{36}", user) for user in users), f"{users}")
        secrets = ["violet harbour", "eve@example.org", "Please write", "sk-test-secret", *eve.cookies.values()]
        for secret in secrets:
            expect(secret not in node.said(), f"{secret} is in the log")
        return f"{len(entries)} lines"

    cases = [
        ("figures: every documented name, on the listener of its own only", figures),
        ("pages of the production build: no script without the nonce, nothing inline", policy),
        ("SOULFORGE_DRAIN: not ready, but serving, for as long as was asked", drain),
        ("the log: JSON lines, requests with their ids, no secrets", log),
    ]
    return played(node, cases)


def played(node, cases):
    """Plays and tidies; gives how many passed, and how many there were."""
    try:
        return play(cases), len(cases)
    finally:
        node.clean()


def main():
    """Both groups at the same time: most of it is waiting."""
    folder = scratch("operations")
    with Provider(pace=0.1) as provider, ThreadPoolExecutor(2) as pool:
        places = [folder / name for name in ("ending", "telling")]
        for place in places:
            place.mkdir(mode=0o755)
        results = list(pool.map(lambda pair: pair[0](provider, pair[1]), zip((ending, telling), places)))
    if os.environ.get("KEEP"):
        print(f"kept: {folder}")
    else:
        remove(folder)
    passed, total = (sum(column) for column in zip(*results))
    print(f"{passed} passed, {total - passed} failed")
    sys.exit(0 if passed == total else 1)


if __name__ == "__main__":
    main()
