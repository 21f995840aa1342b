"""Checks of the set-up itself: what it refuses, and in which words. Each returns None or the problem."""

import hashlib
import os
import socket
import sys
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

import common
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


CHECKS = [right_sum, wrong_sum, climbing_path, other_platform, no_tools, no_space, no_network, port_taken]

if __name__ == "__main__":
    problems = [f"{check.__doc__}: {problem}" for check in CHECKS if (problem := check())]
    sys.exit("\n".join(problems))
