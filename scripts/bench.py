"""`make bench`: the figures of docs/benchmarks.md, each measured on this machine in one run.

Needs a built server (`make build`); a few minutes with nothing else running. `BENCH=pages,relay make bench` measures only
those. What each figure is and how it is measured stands in docs/benchmarks.md.
"""

import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import build
import common
import database
import run as runner
import setup
import test as suites
from common import CARGO_TARGET, ROOT, SERVER, SITE, TARGET, Stop, say

PASSWORD = "violet harbour lantern nine"
TOOL = CARGO_TARGET / "release" / "examples" / "bench"
LOG = TARGET / "logs" / "bench-server.log"
#: What each figure should be: the first number it must reach, or stay below.
ROWS = []


def row(what, value, aim="", met=None):
    """One line of the table at the end; `met` is None where there is no aim."""
    ROWS.append((what, value, aim, {True: "yes", False: "no", None: ""}[met]))
    say(f"      {what}: {value}" + (f"  (aim: {aim})" if aim else ""))


def tool():
    """The Rust half, compiled when it is missing or older than its source."""
    sources = [*(ROOT / "scripts" / "bench").glob("*.rs")]
    if TOOL.exists() and TOOL.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return
    with common.step("compile the measuring tools"):
        common.run(
            ["cargo", "build", "--release", "--locked", "--features", "ssr", "--example", "bench"], "bench-tool",
            env=setup.compiler_environment(), progress="the measuring tools",
        )


def measure(command, limit=180, **flags):
    """One run of the Rust half; what it printed."""
    words = [str(part) for name, value in flags.items() for part in (f"--{name}", value)]
    result = subprocess.run(
        [TOOL, command, *words], capture_output=True, text=True, check=False, timeout=limit, cwd=ROOT
    )
    try:
        told = json.loads(result.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise Stop(f"bench {command} said nothing of use:\n{result.stdout}{result.stderr}") from None
    if "error" in told:
        raise Stop(f"bench {command}: {told['error']}")
    return told


class Helper:
    """A part of the Rust half that serves while others measure."""

    def __init__(self, command, **flags):
        words = [str(part) for name, value in flags.items() for part in (f"--{name}", value)]
        self.process = subprocess.Popen(
            [TOOL, command, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def __enter__(self):
        return self

    def read(self):
        """Its next line."""
        line = self.process.stdout.readline()
        if not line:
            raise Stop(f"a measuring tool ended: {self.process.wait()}")
        return json.loads(line)

    def tell(self, line):
        """Gives it a line and waits for the answer."""
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.read()

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def free_port():
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`with Server(...)`: the release server as `make run` starts it, with a data folder of its own."""

    def __init__(self, model=True, **more):
        self.folder = tempfile.TemporaryDirectory(prefix="sf-bench-", dir="/tmp")
        os.chmod(self.folder.name, 0o755)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        env = dict(os.environ)
        for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "DATABASE_URL"):
            env.pop(name, None)
        os.environ.pop("DATABASE_URL", None)
        env.update(runner.environment(port=self.port, data=Path(self.folder.name) / "data"))
        for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
            env.pop(name, None)
        env["SOULFORGE_LIMIT_FACTOR"] = "100000"
        env["SOULFORGE_LOG"] = "warn"
        if not model:
            env["SOULFORGE_MODEL"] = "/nonexistent.gguf"
        env.update(more)
        self.env = env
        self.people = 0

    def __enter__(self):
        LOG.parent.mkdir(parents=True, exist_ok=True)
        with LOG.open("ab") as log:
            self.process = subprocess.Popen(
                [SERVER, "serve"], cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until = time.monotonic() + 90
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://{self.address}/readyz", timeout=5):
                    return self
            except (OSError, urllib.error.URLError):
                time.sleep(0.2)
        self.__exit__()
        raise Stop(f"The server did not answer:\n{LOG.read_text(errors='replace')[-3000:]}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.folder.cleanup()

    def memory(self):
        """Resident megabytes of the server's process: all, and what is not a file's."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return tuple(int(re.search(rf"{name}:\s+(\d+)", text)[1]) / 1024 for name in ("VmRSS", "RssAnon"))

    def processor(self):
        """Processor seconds of the server and of everything that it started, its database above all."""
        parents, spent = {}, {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(") ", 1)[1].split()
            except OSError:
                continue
            parents[int(stat.parent.name)] = int(fields[1])
            spent[int(stat.parent.name)] = int(fields[11]) + int(fields[12])
        def ours(pid):
            while pid > 1:
                if pid == self.process.pid:
                    return True
                pid = parents.get(pid, 0)
            return False
        return sum(ticks for pid, ticks in spent.items() if ours(pid)) / os.sysconf("SC_CLK_TCK")

    def ask(self, method, path, body=None, cookie="", accept="application/json"):
        """One request; status, headers, bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"accept": accept, **({"cookie": cookie} if cookie else {})}
        if body is not None:
            headers["content-type"] = "application/json"
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.headers, data

    def person(self):
        """Somebody new who is signed in; the cookie."""
        self.people += 1
        name = f"bench_{self.people}"
        status, headers, data = self.ask(
            "POST", "/api/accounts", {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        )
        if status != 201:
            raise Stop(f"sign-up: {status} {data[:300]}")
        return headers["set-cookie"].split(";")[0]

    def characters(self):
        """Ids and slugs of the seeded characters."""
        items = json.loads(self.ask("GET", "/api/ocs?limit=100&sort=name")[2])["items"]
        return [(item["id"], item["slug"]) for item in items if not item["owner"]]

    def say(self, oc, words, cookie):
        """Sends a message and follows the reply: seconds to the first word and to the end, and the ids."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        body = json.dumps({"content": words})
        headers = {"accept": "text/event-stream", "content-type": "application/json", "cookie": cookie}
        began = time.perf_counter()
        connection.request("POST", f"/api/chat/{oc}/message", body, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise Stop(f"a message: {answer.status} {answer.read()[:300]}")
        first, ids, event = None, {}, ""
        while line := answer.readline().decode():
            if line.startswith("event:"):
                event = line[6:].strip()
            elif line.startswith("data:"):
                if event == "accepted":
                    ids = json.loads(line[5:])
                elif event == "delta" and first is None:
                    first = time.perf_counter() - began
                elif event in ("failed", "interrupted"):
                    raise Stop(f"a reply {event}: {line}")
                elif event in ("done", "stopped"):
                    break
        connection.close()
        return first, time.perf_counter() - began, ids


def fill_gallery(server, cookie, count=60):
    """Characters beside the seeded ones, so that the gallery has more than one page."""
    for n in range(count):
        status, _, data = server.ask("POST", "/api/ocs", {
            "name": f"Keeper {n} of the Long Shore", "title": "keeper of a light",
            "description": f"Keeper number {n} looks after a light on the long shore and writes down every ship. " * 3,
            "personality": "Patient and exact. Counts things when nervous. Laughs late and for a long time.",
            "greeting": "*The keeper looks up from the book.* You are the first today.",
            "is_public": True,
        }, cookie)
        if status != 201:
            raise Stop(f"a character: {status} {data[:300]}")


def pages():
    """Pages against a bare handler that returns the same bytes"""
    with Server(model=False) as server, tempfile.TemporaryDirectory() as folder:
        fill_gallery(server, server.person())
        for name, path in (("profile", "/c/lumina"), ("gallery", "/characters")):
            status, headers, body = server.ask("GET", path, accept="text/html")
            if status != 200:
                raise Stop(f"{path}: {status}")
            Path(folder, f"{name}.body").write_bytes(body)
            kept = [f"{k.lower()}: {v}" for k, v in headers.items()
                    if k.lower() not in ("content-length", "transfer-encoding", "date", "x-request-id", "connection")]
            Path(folder, f"{name}.head").write_text("\n".join(kept))
        port = free_port()
        with Helper("bare", port=port, folder=folder) as bare:
            bare.read()
            for name, path in (("profile", "/c/lumina"), ("gallery", "/characters")):
                measure("load", address=server.address, path=path, connections=16, seconds=1)
                ours, spent = [], server.processor()
                theirs = []
                for _ in range(2):
                    ours.append(measure("load", address=server.address, path=path, connections=16, seconds=4))
                    theirs.append(measure("load", address=f"127.0.0.1:{port}", path=f"/{name}", connections=16, seconds=4))
                spent = server.processor() - spent
                rate = statistics.mean(run["rate"] for run in ours)
                base = statistics.mean(run["rate"] for run in theirs)
                p50 = statistics.mean(run["ms"]["p50"] for run in ours)
                each = spent / sum(run["ms"]["count"] for run in ours) * 1000
                row(f"{name} page ({ours[0]['bytes'] / 1000:.0f} kB): requests/s", f"{rate:.0f} of {base:.0f} bare, ratio {rate / base:.3f}")
                row(f"{name} page: median at 16 at once; processor per request, database included",
                    f"{p50:.1f} ms; {each:.2f} ms")


def memory():
    """Memory idle, of parked streams, and with the local model"""
    with Server(model=False) as server:
        cookie = server.person()
        for path in ("/", "/characters", "/c/lumina", "/sign-in"):
            for _ in range(20):
                server.ask("GET", path, accept="text/html", cookie=cookie)
        time.sleep(2)
        idle, private = server.memory()
        row("resident memory, idle, after 80 pages", f"{idle:.0f} MB ({private:.0f} MB of it no file's)", "120 MB", idle <= 120)
        # A conversation to look at; nobody answers without a model.
        oc, _ = server.characters()[0]
        status, _, data = server.ask("POST", f"/api/chat/{oc}/message", {"content": "Hello"}, cookie)
        if status != 202:
            raise Stop(f"a message: {status} {data[:300]}")
        conversation = json.loads(data)["conversation_id"]
        time.sleep(2)
        path = f"/api/conversations/{conversation}/events"
        with Helper("park", address=server.address, path=path, headers=f"cookie: {cookie}|accept: text/event-stream") as park:
            park.tell(50)
            time.sleep(6)
            before = server.memory()[1]
            count = park.tell(450)["parked"] - 50
            time.sleep(12)
            each = (server.memory()[1] - before) * 1024 / count
            row(f"memory per parked stream ({count} of them)", f"{each:.1f} kB", "20 kB", each <= 20)


def visit():
    """Bytes of the first visit"""
    setup.node_packages()
    browser = suites.chromium()
    with Server(model=False) as server:
        cookie = server.person()
        for who, paths in (("", ["/", "/characters", "/c/lumina", "/sign-up"]), (cookie, ["/talk/lumina"])):
            output = common.run(
                ["node", ROOT / "scripts" / "bench" / "visit.mjs", f"http://{server.address}", browser, who or "=", *paths],
                "bench-visit",
            )
            for path, told in json.loads(output.strip().splitlines()[-1]).items():
                kinds = ", ".join(f"{kind.lower()} {size / 1000:.0f}" for kind, size in
                                  sorted(told["kinds"].items(), key=lambda item: -item[1]))
                if told["status"] != 200:
                    raise Stop(f"{path}: {told['status']}")
                row(f"first visit of {path}", f"{told['bytes'] / 1000:.0f} kB ({kinds})", "300 kB", told["bytes"] <= 300_000)


QUESTIONS = [
    "Hello. Who are you?", "What do you see from where you stand?", "I had a long day.", "Tell me something small.",
    "Do you ever get lonely?", "What do you carry?", "I like the rain.", "What would you do with a free evening?",
    "Who taught you that?", "I should sleep soon. One last thing?",
]


def chat():
    """A talk with the local model, and pages meanwhile"""
    with Server() as server:
        cookie = server.person()
        oc, slug = next((c for c in server.characters() if c[1] == "thorne"), server.characters()[0])
        page = {"address": server.address, "path": "/c/lumina", "connections": 1, "pause": 50}
        # The model is loaded when it has said something.
        server.say(server.characters()[-1][0], "Hello.", cookie)
        quiet = measure("load", seconds=3, **page)["ms"]
        status, _, _ = server.ask("GET", f"/talk/{slug}", accept="text/html", cookie=cookie)
        if status not in (200, 302):
            raise Stop(f"/talk/{slug}: {status}")
        time.sleep(3)
        firsts, wholes = [], []
        meanwhile = None
        for n, words in enumerate(QUESTIONS):
            if n == 4:
                meanwhile = subprocess.Popen(
                    [TOOL, "load", *(str(p) for k, v in {**page, "seconds": 12}.items() for p in (f"--{k}", v))],
                    stdout=subprocess.PIPE, text=True, cwd=ROOT,
                )
                busy = time.monotonic()
            first, whole, _ = server.say(oc, words, cookie)
            firsts.append(first)
            wholes.append(whole)
            # While the pages are measured, the model always writes.
            if meanwhile is None or time.monotonic() - busy > 12:
                time.sleep(1.5)
        n = 0
        while meanwhile.poll() is None:
            server.say(oc, QUESTIONS[n % len(QUESTIONS)], cookie)
            n += 1
        noisy = json.loads(meanwhile.stdout.read())["ms"]
        row("first word of a warmed chat", f"{firsts[0] * 1000:.0f} ms")
        row("first word of its tenth message", f"{firsts[9] * 1000:.0f} ms (median of ten {statistics.median(firsts) * 1000:.0f} ms)")
        row("whole reply, median of ten", f"{statistics.median(wholes):.2f} s")
        row("profile page while the model writes", f"{noisy['p50']:.1f} ms, p95 {noisy['p95']:.1f} ms; in quiet {quiet['p50']:.1f} ms, p95 {quiet['p95']:.1f} ms")
        resident, private = server.memory()
        row("resident memory with the local model, after 12 replies", f"{resident:.0f} MB ({private:.0f} MB of it no file's)", "500 MB", resident <= 500)


def model():
    """The local model alone"""
    cores = os.cpu_count() or 1
    told = measure("model", file=setup.best_model(), threads=min(cores, 8))
    reference = {"1": 136, "4": 162, "8": 234} if cores == 2 else {}
    for count, figures in told["at_once"].items():
        aim = f"{reference[count]} bare llama.cpp" if count in reference else ""
        row(f"local model, {count} at once, {told['threads']} threads: prompt and reply tokens/s",
            f"{figures['prompt_rate']:.0f} and {figures['reply_rate']:.0f}", aim)


def relay():
    """Words of a provider on their way through the site"""
    first, between, pieces = 300, 50, 80
    port = free_port()
    with Helper("provider", port=port, first=first, between=between, pieces=pieces) as provider:
        provider.read()
        base = f"http://127.0.0.1:{port}/v1"
        remote = {"OPENAI_BASE_URL": base, "OPENAI_API_KEY": "bench", "SOULFORGE_OPENAI_MODEL": "clock"}
        with Server(model=False, **remote) as server, tempfile.TemporaryDirectory() as folder:
            characters = server.characters()
            people = [server.person() for _ in range(-(-200 // len(characters)))]
            seats = [(cookie, oc) for cookie in people for oc, _ in characters]
            for cookie, oc in seats[:3]:
                server.say(oc, "Hello.", cookie)
            file = Path(folder, "requests")
            for count in (1, 50, 200):
                plain = json.dumps({"model": "clock", "stream": True, "messages": [{"role": "user", "content": "Hello."}]})
                line = f"/v1/chat/completions|content-type: application/json\taccept: text/event-stream|{plain}"
                file.write_text("\n".join([line] * count))
                direct = measure("relay", address=f"127.0.0.1:{port}", requests=file, spread=min(count * 20, 2500))
                ask = json.dumps({"content": "Hello."})
                file.write_text("\n".join(
                    f"/api/chat/{oc}/message|content-type: application/json\taccept: text/event-stream\tcookie: {cookie}|{ask}"
                    for cookie, oc in seats[:count]
                ))
                ours = measure("relay", address=server.address, requests=file, spread=min(count * 20, 2500))
                for part, name in (("first", "first word"), ("later", "each later word")):
                    added = {p: ours[part][p] - direct[part][p] for p in ("p50", "p99")}
                    row(f"relay, {count} streams, {name}: added",
                        f"{added['p50']:.2f} ms at the median, {added['p99']:.2f} ms at p99", "2 ms, 15 ms",
                        added["p50"] <= 2 and added["p99"] <= 15)
                row(f"relay, {count} streams: from sending until the provider is asked",
                    f"{ours['asked']['p50']:.1f} ms, p99 {ours['asked']['p99']:.1f} ms (direct {direct['asked']['p50']:.1f} ms)")


#: Twenty people with fifty conversations, five hundred characters, twenty thousand messages.
DATA = """
insert into users (user_id, email) select gen_random_uuid(), 'p' || n || '@example.org' from generate_series(1, 20) n;
insert into profiles (user_id, username, display_name) select user_id, replace(split_part(email, '@', 1), 'p', 'person_'), 'A person' from users;
insert into ocs (oc_id, owner_id, name, slug, description, personality, is_public, published_at)
    select gen_random_uuid(), (select user_id from users order by email offset n % 20 limit 1), 'Keeper ' || n, 'keeper-' || n,
        repeat('keeps a light on the long shore ', 8), repeat('patient and exact ', 8), n % 5 > 0, now() - n * interval '1 minute'
    from generate_series(1, 500) n;
insert into conversations (conversation_id, user_id, oc_id, last_message_at)
    select gen_random_uuid(), u.user_id, o.oc_id, now() - random() * interval '9 days'
    from users u cross join lateral (select oc_id from ocs where is_public order by md5(oc_id::text || u.user_id::text) limit 50) o;
do $$
declare c record; parent uuid; mine uuid;
begin
    for c in select conversation_id, user_id, oc_id from conversations loop
        parent := null;
        for n in 1..20 loop
            mine := gen_random_uuid();
            insert into messages (message_id, conversation_id, user_id, parent_id, sender_type, oc_id, content)
                values (mine, c.conversation_id, c.user_id, parent, case when n % 2 = 0 then 'user' else 'oc' end,
                        case when n % 2 = 1 then c.oc_id end, repeat('the lamp is lit and the sea is quiet ', 6));
            parent := mine;
        end loop;
        update conversations set active_leaf_id = parent where conversation_id = c.conversation_id;
    end loop;
end $$;
"""


def wall():
    """Queries behind row level security against the same without"""
    with database.Cluster() as cluster:
        cluster.migrate()
        cluster.psql(DATA)
        cluster.psql("analyze")
        user, conversation = cluster.psql(
            "select user_id || ' ' || conversation_id from conversations order by 1 limit 1"
        ).stdout.split()
        told = measure("wall", database=cluster.url(), user=user, conversation=conversation)
        for name, figures in told.items():
            row(f"row level security, {name} ({figures['rows']} rows): speed with against without",
                f"{figures['ratio']:.2f} ({figures['with']['p50']:.2f} ms against {figures['without']['p50']:.2f} ms)",
                "0.8", figures["ratio"] >= 0.8)


PARTS = {
    "pages": pages, "memory": memory, "visit": visit, "chat": chat, "model": model, "relay": relay, "wall": wall,
}


def main():
    """Measures the parts one after the other, then shows the table."""
    named = [name for name in re.split(r"[,\s]+", os.environ.get("BENCH", "")) if name]
    unknown = set(named) - PARTS.keys()
    if unknown:
        raise Stop(f"There is no part {', '.join(sorted(unknown))}. The parts: {', '.join(PARTS)}")
    if not SERVER.exists() or not SITE.exists():
        raise Stop("There is no built server: run `make build` first.")
    began = time.monotonic()
    LOG.unlink(missing_ok=True)
    tool()
    failed = []
    for name, part in PARTS.items():
        if named and name not in named:
            continue
        say(f"\n{part.__doc__}")
        try:
            part()
        except (Stop, subprocess.TimeoutExpired) as stop:
            say(f"  !!  {stop}")
            failed.append(name)
    processor = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                      if line.startswith("model name")), "an unknown processor")
    say(f"\n{os.cpu_count()} processors ({processor}), load {os.getloadavg()[0]:.1f} at the end, {common.seconds(time.monotonic() - began)}\n")
    say("| what | measured | aim | met |\n| --- | --- | --- | --- |")
    for what, value, aim, met in ROWS:
        say(f"| {what} | {value} | {aim} | {met} |")
    if failed:
        raise Stop(f"Not measured: {', '.join(failed)}")


if __name__ == "__main__":
    common.main(main)
