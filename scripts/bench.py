"""`make bench`: the figures of docs/benchmarks.md, each measured on this machine in one run.

Needs a built server (`make build`); a few minutes with nothing else running. `BENCH=pages,relay make bench` measures only
those. What each figure is and how it is measured stands in docs/benchmarks.md; the table goes to target/bench/figures.md.
"""

import http.client
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import common
import database
import live
import models
import setup
import test as suites
from common import CARGO_TARGET, ROOT, SERVER, SITE, TARGET, Stop, say
from crash_place import Failure
from live import Person, free_port

TOOL = CARGO_TARGET / "release" / "examples" / "bench"
FOLDER = TARGET / "bench"
LOG = FOLDER / "server.log"
#: Seconds until a measurement counts as hanging. A machine that needs more than minutes for one is slow, not broken.
PATIENCE = 1800
#: What was measured: figure, aim, measured, ratio.
ROWS = []


def row(figure, measured, aim="", ratio=None, met=None):
    """One line of the table. The ratio is what was measured by what it is compared with, `met` whether that is enough."""
    told = "" if ratio is None else f"{ratio:.2f}" + (" (missed)" if met is False else "")
    ROWS.append((figure, aim, measured, told))
    say(f"      {figure}: {measured}" + (f" (aim {aim}, ratio {told})" if aim else f" (ratio {told})" if told else ""))


def at_most(figure, value, limit, unit, note=""):
    """A line whose value should not be larger than a limit."""
    digits = 0 if limit >= 100 else 1 if limit >= 10 else 2
    row(figure, f"{value:.{digits}f} {unit}{note}", f"{limit} {unit}", value / limit, value <= limit)


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


def words(flags):
    """`--name value` for each."""
    return [str(part) for name, value in flags.items() for part in (f"--{name}", value)]


def measure(command, **flags):
    """One run of the Rust half; what it printed."""
    result = subprocess.run(
        [TOOL, command, *words(flags)], capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=ROOT
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
        self.process = subprocess.Popen(
            [TOOL, command, *words(flags)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
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
        told = self.read()
        if "error" in told:
            raise Stop(f"a measuring tool: {told['error']}")
        return told

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Server(live.Server):
    """The server that is measured, and people who use it."""

    def __init__(self, model=True, **settings):
        settings = {"SOULFORGE_LIMIT_FACTOR": "100000", "SOULFORGE_LOG": "warn", **settings}
        if not model:
            settings["SOULFORGE_MODEL"] = "/nonexistent.gguf"
        super().__init__("bench", LOG, **settings)
        self.address = f"127.0.0.1:{self.port}"
        self.people = 0

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

    def person(self):
        """Somebody new who is signed in."""
        self.people += 1
        return Person(self, f"bench_{self.people}").sign_up()

    def characters(self):
        """Ids and slugs of the seeded characters."""
        items = Person(self).get("/api/ocs?limit=100&sort=name").json()["items"]
        return [(item["id"], item["slug"]) for item in items if not item["owner"]]

    def seats(self, count):
        """So many pairs of a person and a character: none of them shares a conversation with another."""
        characters = [oc for oc, _ in self.characters()]
        people = [self.person() for _ in range(-(-count // len(characters)))]
        return [(person, oc) for person in people for oc in characters][:count]


def page(person, path):
    """A page as browsers ask for it."""
    answer = person.get(path, {"accept": "text/html"})
    if answer.status not in (200, 302):
        raise Stop(f"{path}: {answer.status}")
    return answer


def cookie(person):
    """The header's value that carries somebody's session."""
    return person.headers()["cookie"]


def send(person, oc, content):
    """Says something; where."""
    answer = person.say(oc, content)
    if answer.status != 202:
        raise Stop(f"a message: {answer.status} {answer.text[:300]}")
    return answer.json()["conversation_id"]


def follow(person, oc, content):
    """Sends a message and follows the reply: seconds to the first word and to the end."""
    began = time.perf_counter()
    headers = {"accept": "text/event-stream", "content-type": "application/json"}
    answer = person.ask("POST", f"/api/chat/{oc}/message", json.dumps({"content": content}), headers, PATIENCE)
    if answer.status != 200:
        raise Stop(f"a message: {answer.status} {answer.read()[:300]}")
    first, event = None, ""
    for line in answer:
        line = line.decode()
        if line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("data:"):
            if event == "delta" and first is None:
                first = time.perf_counter() - began
            elif event in ("failed", "interrupted"):
                raise Stop(f"a reply {event}: {line}")
            elif event in ("done", "stopped"):
                break
    answer.close()
    if first is None:
        raise Stop("a reply without a word")
    return first, time.perf_counter() - began


def fill_gallery(person, count=60):
    """Characters beside the seeded ones, so that the gallery has more than one page."""
    for n in range(count):
        answer = person.post("/api/ocs", {
            "name": f"Keeper {n} of the Long Shore", "title": "keeper of a light",
            "description": f"Keeper number {n} looks after a light on the long shore and writes down every ship. " * 3,
            "personality": "Patient and exact. Counts things when nervous. Laughs late and for a long time.",
            "greeting": "*The keeper looks up from the book.* You are the first today.",
            "is_public": True,
        })
        if answer.status != 201:
            raise Stop(f"a character: {answer.status} {answer.text[:300]}")


def pages():
    """Pages against a bare handler that returns the same bytes"""
    with Server(model=False) as server, tempfile.TemporaryDirectory() as folder:
        fill_gallery(server.person())
        visited = (("profile", "/c/lumina"), ("gallery", "/characters"))
        for name, path in visited:
            answer = page(Person(server), path)
            Path(folder, f"{name}.body").write_text(answer.text)
            kept = [f"{k.lower()}: {v}" for k, v in answer.headers.items()
                    if k.lower() not in ("content-length", "transfer-encoding", "date", "x-request-id", "connection")]
            Path(folder, f"{name}.head").write_text("\n".join(kept))
        port = free_port()
        with Helper("bare", port=port, folder=folder) as bare:
            bare.read()
            for name, path in visited:
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
                row(f"{name} page ({ours[0]['bytes'] / 1000:.0f} kB), requests per second",
                    f"{rate:.0f}, of {base:.0f} bare", ratio=rate / base)
                row(f"{name} page, 16 at once, median; processor time of one, database included",
                    f"{p50:.1f} ms; {each:.2f} ms")


#: Streams that are counted, after those that warm everything up.
PARKED, WARM = 400, 50


def memory():
    """Memory idle, and of parked streams"""
    with Server(model=False) as server:
        person = server.person()
        for path in ("/", "/characters", "/c/lumina", "/sign-in"):
            for _ in range(20):
                page(person, path)
        time.sleep(2)
        idle, private = server.memory()
        at_most("resident memory, idle, after 80 pages", idle, 120, "MB", f" ({private:.0f} MB of it no file's)")
        # Nobody answers without a model, and nobody needs to: the streams wait.
        oc, _ = server.characters()[0]
        park(server, person, send(person, oc, "Hello"))


def park(server, person, talk):
    """Opens streams of a conversation, and shows what one of them takes."""
    lines = [f"/api/conversations/{talk}/events|accept: text/event-stream\tcookie: {cookie(person)}"]
    with tempfile.NamedTemporaryFile("w", suffix=".requests") as file:
        file.write("\n".join(lines))
        file.flush()
        time.sleep(2)
        with Helper("park", address=server.address, requests=file.name) as parked:
            parked.tell(WARM)
            time.sleep(6)
            before = server.memory()[1]
            count = parked.tell(WARM + PARKED)["parked"] - WARM
            time.sleep(12)
            each = (server.memory()[1] - before) * 1024 / count
            at_most(f"memory of a parked stream, {count} of them", each, 20, "kB")


def visit():
    """Bytes of the first visit"""
    setup.node_packages()
    browser = suites.chromium()
    with Server(model=False) as server:
        session = cookie(server.person())
        for who, paths in (("", ["/", "/characters", "/c/lumina", "/sign-up"]), (session, ["/talk/lumina"])):
            output = common.run(
                ["node", ROOT / "scripts" / "bench" / "visit.mjs", server.url, browser, who or "=", *paths], "bench-visit",
                limit=PATIENCE,
            )
            for path, told in json.loads(output.strip().splitlines()[-1]).items():
                kinds = ", ".join(f"{kind.lower()} {size / 1000:.0f}" for kind, size in
                                  sorted(told["kinds"].items(), key=lambda item: -item[1]))
                if told["status"] != 200:
                    raise Stop(f"{path}: {told['status']}")
                at_most(f"first visit of {path}", told["bytes"] / 1000, 300, "kB", f" ({kinds})")


QUESTIONS = [
    "Hello. Who are you?", "What do you see from where you stand?", "I had a long day.", "Tell me something small.",
    "Do you ever get lonely?", "What do you carry?", "I like the rain.", "What would you do with a free evening?",
    "Who taught you that?", "I should sleep soon. One last thing?",
]


def chat():
    """A talk with the local model, and pages meanwhile"""
    with Server() as server:
        person = server.person()
        oc, slug = next((c for c in server.characters() if c[1] == "thorne"), server.characters()[0])
        asked = {"address": server.address, "path": "/c/lumina", "connections": 1, "pause": 50}
        # The model is loaded when it has said something.
        follow(person, server.characters()[-1][0], "Hello.")
        quiet = measure("load", seconds=3, **asked)["ms"]
        page(person, f"/talk/{slug}")
        time.sleep(3)
        firsts, wholes = [], []
        meanwhile = None
        for n, question in enumerate(QUESTIONS):
            if n == 4:
                meanwhile = subprocess.Popen(
                    [TOOL, "load", *words({**asked, "seconds": 12})], stdout=subprocess.PIPE, text=True, cwd=ROOT
                )
                busy = time.monotonic()
            first, whole = follow(person, oc, question)
            firsts.append(first)
            wholes.append(whole)
            # While the pages are measured, the model always writes.
            if meanwhile is None or time.monotonic() - busy > 12:
                time.sleep(1.5)
        n = 0
        while meanwhile.poll() is None:
            follow(person, oc, QUESTIONS[n % len(QUESTIONS)])
            n += 1
        noisy = json.loads(meanwhile.stdout.read())["ms"]
        row("first word of a warmed chat", f"{firsts[0] * 1000:.0f} ms")
        row("first word of its tenth message", f"{firsts[9] * 1000:.0f} ms (median of ten {statistics.median(firsts) * 1000:.0f} ms)")
        row("whole reply, median of ten", f"{statistics.median(wholes):.2f} s")
        row("profile page while the model writes, median, by quiet", f"{noisy['p50']:.1f} ms by {quiet['p50']:.1f} ms (p95 "
            f"{noisy['p95']:.1f} by {quiet['p95']:.1f})", ratio=noisy["p50"] / quiet["p50"])
        resident, private = server.memory()
        at_most("resident memory with the local model, after 12 replies", resident, 500, "MB", f" ({private:.0f} MB of it no file's)")


def model():
    """The local model alone"""
    cores = os.cpu_count() or 1
    told = measure("model", file=models.fetch_chosen() or setup.tiny_model(), threads=min(cores, 8))
    reference = {"1": 136, "4": 162, "8": 234} if cores == 2 else {}
    for count, figures in told["at_once"].items():
        rate = figures["reply_rate"]
        aim = f"{reference[count]} tokens/s, bare llama.cpp" if count in reference else ""
        row(f"local model, {count} at once, {told['threads']} threads: reply (prompt)",
            f"{rate:.0f} ({figures['prompt_rate']:.0f}) tokens/s", aim, rate / reference[count] if aim else None)


def relay():
    """Words of a provider on their way through the site"""
    first, between, pieces = 300, 50, 80
    port = free_port()
    with Helper("provider", port=port, first=first, between=between, pieces=pieces) as provider:
        provider.read()
        base = f"http://127.0.0.1:{port}/v1"
        remote = {"OPENAI_BASE_URL": base, "OPENAI_API_KEY": "bench", "SOULFORGE_OPENAI_MODEL": "clock"}
        with Server(model=False, **remote) as server, tempfile.TemporaryDirectory() as folder:
            seats = server.seats(200)
            for person, oc in seats[:3]:
                follow(person, oc, "Hello.")
            file = Path(folder, "requests")
            for count in (1, 50, 200):
                plain = json.dumps({"model": "clock", "stream": True, "messages": [{"role": "user", "content": "Hello."}]})
                line = f"/v1/chat/completions|content-type: application/json\taccept: text/event-stream|{plain}"
                file.write_text("\n".join([line] * count))
                direct = measure("relay", address=f"127.0.0.1:{port}", requests=file, spread=min(count * 20, 2500))
                ask = json.dumps({"content": "Hello."})
                file.write_text("\n".join(
                    f"/api/chat/{oc}/message|content-type: application/json\taccept: text/event-stream\tcookie: {cookie(person)}|{ask}"
                    for person, oc in seats[:count]
                ))
                spent, began = server.processor(), time.monotonic()
                ours = measure("relay", address=server.address, requests=file, spread=min(count * 20, 2500))
                busy = (server.processor() - spent) / (time.monotonic() - began)
                for part, name in (("first", "first word"), ("later", "each later word")):
                    for p, of, limit in (("p50", "median", 2), ("p99", "p99", 15)):
                        at_most(f"relay, {count} streams, {name}, added, {of}", ours[part][p] - direct[part][p], limit, "ms")
                row(f"relay, {count} streams, from sending until the provider is asked",
                    f"{ours['asked']['p50']:.1f} ms, p99 {ours['asked']['p99']:.1f} ms (directly {direct['asked']['p50']:.1f} ms)")
                row(f"relay, {count} streams, processors that the server and its database keep busy", f"{busy:.2f}")


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
            ratio = figures["ratio"]
            row(f"row level security, {name} ({figures['rows']} rows): speed with by without",
                f"{figures['with']['p50']:.2f} ms with, {figures['without']['p50']:.2f} ms without", "0.8", ratio, ratio >= 0.8)


PARTS = {
    "pages": pages, "memory": memory, "visit": visit, "chat": chat, "model": model, "relay": relay, "wall": wall,
}


def table(began):
    """What was measured, as docs/benchmarks.md has it."""
    names = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    head = f"{os.cpu_count()} processors ({names[0] if names else 'unknown'}), load {os.getloadavg()[0]:.1f} at the end, " \
           f"{common.seconds(time.monotonic() - began)}."
    lines = [f"| {' | '.join(cells)} |" for cells in ROWS]
    return "\n".join([head, "", "| figure | aim | measured | ratio |", "| --- | --- | --- | --- |", *lines])


def main():
    """Measures the parts one after the other, then shows the table. A part that fails does not end the others."""
    named = [name for name in re.split(r"[,\s]+", os.environ.get("BENCH", "")) if name]
    unknown = set(named) - PARTS.keys()
    if unknown:
        raise Stop(f"There is no part {', '.join(sorted(unknown))}. The parts: {', '.join(PARTS)}")
    if not SERVER.exists() or not SITE.exists():
        raise Stop("There is no built server: run `make build` first.")
    began = time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    LOG.unlink(missing_ok=True)
    tool()
    failed = []
    for name, part in PARTS.items():
        if named and name not in named:
            continue
        say(f"\n{name}: {part.__doc__}")
        start = time.monotonic()
        try:
            part()
        except (Stop, Failure, OSError, ValueError, http.client.HTTPException, subprocess.SubprocessError) as error:
            say(f"  !!  {type(error).__name__}: {error}")
            failed.append(name)
        say(f"      {common.seconds(time.monotonic() - start)}")
    text = table(began)
    (FOLDER / "figures.md").write_text(text + "\n")
    say(f"\n{text}\n\nAlso in {(FOLDER / 'figures.md').relative_to(ROOT)}")
    if failed:
        raise Stop(f"Not measured: {', '.join(failed)}")


if __name__ == "__main__":
    common.main(main)
