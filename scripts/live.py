"""Real servers for tests, people who use them, and a model of a provider's that writes as slowly as a test wants."""

import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

import run
import setup
from common import ROOT, SERVER, Stop
from crash_place import Failure, expect, until

PASSWORD = "violet harbour lantern nine"
NAMES = ("Mara", "Juno", "Ilse", "Tamsin", "Odile", "Bastian", "Corin", "Emeric", "Noor", "Sanna", "Teo", "Vesna", "Wilma")
WORDS = ("harbour", "kettle", "meadow", "ladder", "orchard", "window", "bridge", "garden", "attic", "river", "market")


def free_port():
    """A port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Provider:
    """`with Provider()`: a server that is compatible with OpenAI's as far as replies go.

    A wish for a JSON schema is answered with an object of it. It answers `write N words` with `word1 word2 … wordN`, one word each `pace` seconds, and everything else with `words` words.
    A prompt that ends with words of a reply is gone on with.
    """

    def __init__(self, pace=0.1, words=3, form_pace=0.06):
        self.pace, self.words, self.form_pace, self.asked = pace, words, form_pace, 0
        self.left = 0  # clients that went away before the end
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One request."""
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                """Says nothing."""

            def do_GET(self):
                """The models there are."""
                body = json.dumps({"object": "list", "data": [{"id": "scripted", "object": "model"}]}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                """A reply, word by word."""
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                try:
                    outer.answer(self, asked)
                except OSError:
                    outer.left += 1
                self.close_connection = True

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            """A thread for each request; none is waited for."""
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):
                """A client that has gone is nothing to complain of."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def answer(self, handler, asked):
        """Writes the words that a prompt asks for."""
        text = "\n".join(str(part.get("content")) for part in asked["messages"][-3:])
        wanted = re.findall(r"write (\d+) words", text)
        count = int(wanted[-1]) if wanted else self.words
        form = asked.get("response_format", {}).get("json_schema", {}).get("schema")
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()

        def send(delta, finish=None):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {"id": "c", "object": "chat.completion.chunk", "model": asked.get("model"), "choices": [choice]}
            handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            handler.wfile.flush()

        if form:
            # In pieces, so that fields close one after the other, as a model's do.
            text = json.dumps(self.filled(form, asked["messages"]), ensure_ascii=False)
            pieces = [text[at:at + 40] for at in range(0, len(text), 40)]
        else:
            pieces = [f"word{number} " for number in range(1, count + 1)]
        for piece in pieces:
            send({"role": "assistant", "content": piece})
            time.sleep(self.form_pace if form else self.pace if wanted else 0.01)
        send({}, "stop")
        usage = {"prompt_tokens": 50, "completion_tokens": count, "total_tokens": 50 + count}
        handler.wfile.write(f"data: {json.dumps({'id': 'c', 'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n".encode())

    def filled(self, form, messages):
        """An object of a schema: fixed words where there is a list, a sentence of its own for each text."""
        self.asked += 1
        sentence = messages[-1]["content"].split("\n")[0]
        return {name: self.value(name, shape, sentence) for name, shape in form["properties"].items()}

    def value(self, name, shape, sentence):
        """A value of a shape."""
        if shape["type"] == "object":
            return {inner: self.value(inner, part, sentence) for inner, part in shape["properties"].items()}
        if shape["type"] == "array":
            return [self.value(f"{name}{n}", shape["items"], sentence) for n in (1, 2)]
        if "enum" in shape:
            return shape["enum"][self.asked % len(shape["enum"])]
        if name == "name":
            return f"{NAMES[self.asked % len(NAMES)]} {NAMES[self.asked // len(NAMES) % len(NAMES)]}son"
        if name in ("title", "voice_tone"):
            return f"keeper of the {WORDS[self.asked % len(WORDS)]}"
        return (f"This is the {name.replace('_', ' ')} with the {WORDS[self.asked % len(WORDS)]} that was written at {self.asked}. "
                f"It is about somebody who lives by the {WORDS[(self.asked + 3) % len(WORDS)]} and is never in a hurry.")

    def environment(self):
        """What a server needs to write with this model."""
        return {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": "sk-test-secret-of-the-provider",
                "SOULFORGE_OPENAI_MODEL": "scripted"}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def whole_words(text):
    """Whether a text is a beginning of what the provider writes, perhaps cut inside a word."""
    count = len(text.split()) + 1
    return " ".join(f"word{n}" for n in range(1, count + 1)).startswith(text.strip())


class Node:
    """One server process."""

    def __init__(self, binary, folder, env, name="node", cwd=ROOT, account=None):
        self.binary, self.folder, self.name = Path(binary), Path(folder), name
        # Usually in the checkout, where Leptos.toml is.
        self.cwd, self.account = cwd, account or {}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = self.folder / "data"
        self.log = self.folder / f"{name}.log"
        self.env = {
            "PATH": os.environ["PATH"], "NO_COLOR": "1", "SOULFORGE_LIMIT_FACTOR": "1000", **env,
            "SOULFORGE_ADDR": f"127.0.0.1:{self.port}", "SOULFORGE_DATA": str(self.data),
        }
        self.process = None

    def start(self, ready=True, patience=90):
        """Starts it, and waits until it can serve."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.binary), "serve"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                cwd=self.cwd, start_new_session=True, **self.account)
        if ready:
            self.ready(patience)
        return self

    def ready(self, patience=90):
        """Waits until it can serve."""
        def look():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with {self.process.returncode}: {self.said()[-1500:]}")
            return self.health() == 200
        until(look, f"{self.name} to be ready: {self.said()[-600:]}", patience)

    def health(self, path="/readyz"):
        """The status of `/readyz`; None when nobody answers."""
        try:
            return Person(self).get(path, timeout=5).status
        except (OSError, http.client.HTTPException):
            return None

    def said(self):
        """Its log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def kill(self):
        """Ends it without a word of warning."""
        self.process.kill()
        self.process.wait()

    def stop(self, patience=40):
        """Asks it to end; returns the seconds that it took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.ended(begun, patience)

    def ended(self, begun, patience=40):
        """Waits for its end; returns the seconds since `begun`."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} does not stop: {self.said()[-800:]}") from None
        expect(code == 0, f"{self.name} stopped with {code}: {self.said()[-800:]}")
        return time.monotonic() - begun

    def clean(self):
        """Ends it in any case."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()


class Server(Node):
    """`with Server(name)`: the release server as `make run` starts it, with an empty data folder that goes away with it.

    No provider, no database and no limit of whoever runs this is in it. `settings` are added to its environment.
    """

    def __init__(self, name, log=None, **settings):
        env = {key: value for key, value in run.environment().items() if key.startswith(("SOULFORGE_", "LEPTOS_"))}
        env.setdefault("SOULFORGE_PG_DIR", str(setup.postgres()))
        env.pop("SOULFORGE_LIMIT_FACTOR", None)
        super().__init__(SERVER, scratch(name), {**env, **settings}, name)
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            self.log = log

    def __enter__(self):
        try:
            return self.start(patience=300)
        except Failure as failure:
            self.__exit__()
            raise Stop(f"The server did not answer: {failure}") from None

    def __exit__(self, *_):
        self.clean()
        remove(self.folder)


class Answer:
    """What came back."""

    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.text = response.read().decode(errors="replace")

    def json(self):
        """The body as JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise Failure(f"not JSON ({self.status}): {self.text[:500]}") from None


class Person:
    """Somebody with a browser: keeps cookies, can move to another node."""

    def __init__(self, node, name=None):
        self.node, self.name, self.cookies = node, name, {}

    def at(self, node):
        """The same person, with the same cookies, at another node."""
        other = Person(node, self.name)
        other.cookies = self.cookies
        return other

    def headers(self, more=None):
        """What every request carries."""
        found = {"accept": "application/json", "sec-fetch-site": "same-origin", **(more or {})}
        if self.cookies:
            found["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return found

    def ask(self, method, path, body=None, headers=None, timeout=60):
        """Sends a request and gives the response before its body is read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.node.port, timeout=timeout)
        connection.request(method, path, body, self.headers(headers))
        response = connection.getresponse()
        for value in response.headers.get_all("set-cookie") or []:
            name, _, rest = value.partition("=")
            self.cookies[name] = rest.split(";")[0]
        return response

    def get(self, path, headers=None, timeout=60):
        """Reads something."""
        return Answer(self.ask("GET", path, None, headers, timeout))

    def post(self, path, body, headers=None, timeout=60):
        """Posts JSON."""
        return Answer(self.ask("POST", path, json.dumps(body), {"content-type": "application/json", **(headers or {})}, timeout))

    def form(self, path, **fields):
        """Posts a form as our own pages' scripts do."""
        kind = {"content-type": "application/x-www-form-urlencoded", "origin": self.node.url}
        return Answer(self.ask("POST", path, urllib.parse.urlencode(fields), kind))

    def sign_up(self):
        """Joins."""
        body = {
            "username": self.name, "email": f"{self.name}@example.org", "password": PASSWORD, "birth_date": "1990-01-31",
        }
        answer = self.post("/api/accounts", body)
        expect(answer.status == 201, f"sign-up of {self.name}: {answer.status} {answer.text[:300]}")
        return self

    def oc(self, index=0):
        """A character to talk with."""
        return self.get("/api/ocs?limit=7").json()["items"][index]["id"]

    def say(self, oc, content, **headers):
        """Says something."""
        return self.post(f"/api/chat/{oc}/message", {"content": content}, headers)

    def messages(self, conversation):
        """All messages of a conversation that fit one window."""
        return self.get(f"/api/conversations/{conversation}/messages").json()["items"]

    def follow(self, path, last=None):
        """Opens a stream."""
        headers = {"accept": "text/event-stream"}
        if last is not None:
            headers["last-event-id"] = str(last)
        return Stream(self.ask("GET", path, None, headers, timeout=300))


class Stream:
    """Server-sent events, read by a thread of their own; each with the time it came."""

    def __init__(self, response):
        self.status, self.events, self.over, self.broken = response.status, [], False, None
        self.response = response
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        """Reads to the end."""
        event = {}
        try:
            for line in self.response:
                line = line.decode().rstrip("\r\n")
                if not line:
                    if event.get("event"):
                        event["at"] = time.monotonic()
                        event["json"] = json.loads(event.get("data", "null"))
                        self.events.append(event)
                    event = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(":")
                    event[name] = value.removeprefix(" ")
            if event:
                self.broken = f"half a frame: {event}"
        except (OSError, http.client.HTTPException) as error:
            self.broken = repr(error)
        except ValueError as error:
            self.broken = f"a broken frame: {error} in {event}"
        self.over = True

    def names(self):
        """The names of its events."""
        return [event["event"] for event in list(self.events)]

    def until(self, name, patience=60):
        """Waits for an event of this name, and gives it."""
        def look():
            found = next((event for event in list(self.events) if event["event"] == name), None)
            if found is None and self.over:
                time.sleep(0.05)
                found = next((event for event in list(self.events) if event["event"] == name), None)
                if found is None:
                    raise Failure(f"the stream ended without {name}: {self.names()[-6:]}, {self.broken}")
            return found
        return until(look, f"the event {name}; there were {self.names()[-6:]}", patience)

    def end(self, patience=60):
        """Waits for its end; gives the last event's name."""
        until(lambda: self.over, f"the stream's end; there were {self.names()[-6:]}", patience)
        return (self.names() or [None])[-1]

    def text(self):
        """The words that came."""
        return "".join(event["json"]["text"] for event in list(self.events) if event["event"] == "delta")

    def last_id(self):
        """The id to go on from."""
        return next((event["id"] for event in reversed(list(self.events)) if "id" in event), None)


def scratch(name):
    """A folder that PostgreSQL's account gets through."""
    folder = Path(tempfile.mkdtemp(prefix=f"sf-{name}-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def play(cases):
    """Runs `(name, function)` pairs one after another; gives how many passed."""
    passed = 0
    for name, case in cases:
        begun = time.monotonic()
        try:
            note = case() or ""
            passed += 1
            verdict = "ok  "
        except Failure as failure:
            verdict, note = "FAIL", str(failure)
        except Exception as error:  # one broken case must not hide the others
            verdict, note = "FAIL", f"{type(error).__name__}: {error}"
        print(f"{verdict} {time.monotonic() - begun:5.1f} s  {name}  {note}", flush=True)
    return passed


def remove(folder):
    """Removes a test's folder, and the database that root may have put elsewhere."""
    for link in Path(folder).glob("**/pg"):
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
