"""What every script shares: places, plain messages, steps with their seconds, commands with their logs, stamps.

Nothing here needs more than Python 3.9 and its standard library.
"""

import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Everything fetched or unpacked, safe to delete: it is made again.
CACHE = Path(os.environ.get("SOULFORGE_CACHE") or ROOT / ".cache").resolve()
#: Cargo's own folder, which several checkouts may share.
CARGO_TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
#: What we make ourselves: the site and the server that belongs to it.
TARGET = ROOT / "target"
SITE = TARGET / "site"
SERVER = TARGET / "release" / "soulforge"
LOGS = TARGET / "logs"
END2END = ROOT / "end2end"

_print_lock = threading.Lock()
#: Commands under way, ended when one beside them fails.
_running = set()


class Stop(Exception):
    """Something is missing or failed, said in words that a person can act on."""


def say(text=""):
    """Prints one line at once, whole, also when several threads speak."""
    with _print_lock:
        print(text, flush=True)


def seconds(duration):
    """`12.3 s` or `3 min 05 s`."""
    if duration < 60:
        return f"{duration:.1f} s"
    return f"{int(duration // 60)} min {int(duration % 60):02d} s"


@contextmanager
def step(what, estimate=None):
    """Says what is being done and, at the end, how long it took."""
    say(f"  ..  {what}" + (f" (about {estimate} the first time)" if estimate else ""))
    start = time.monotonic()
    yield
    say(f"  ok  {what}: {seconds(time.monotonic() - start)}")


def main(run):
    """Runs a script's entry point and turns what went wrong into a message and an exit code."""
    # Whoever asks us to end means the compilers too; as an exception it passes through every clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run()
    except Stop as stop:
        say(f"\n{stop}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("\nStopped.")
        sys.exit(130)


def cargo_environment():
    """The environment of every cargo command, the same each time so that nothing is compiled twice."""
    # The framework's crates read LEPTOS_* while they are compiled, and would be compiled again for another value.
    env = {name: value for name, value in os.environ.items() if not name.startswith("LEPTOS_")}
    env.setdefault("CARGO_INCREMENTAL", "1")
    env.setdefault("CARGO_TERM_COLOR", "never")
    env.pop("DATABASE_URL", None)
    env["SQLX_OFFLINE"] = "true"
    env["CARGO_TARGET_DIR"] = str(CARGO_TARGET)
    return env


def run(command, log, env=None, cwd=ROOT, hint=None, progress=None, check=True, limit=3600, folder=LOGS):
    """Runs a command with its output in `target/logs/LOG.log`; says how far it is twice a minute.

    Raises `Stop` with the last lines of the output when the command fails (unless not `check`) or needs more than
    `limit` seconds. Returns the output.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{log}.log"
    command = [str(part) for part in command]
    with path.open("wb") as file:
        try:
            process = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )
        except FileNotFoundError:
            raise Stop(f"{command[0]} was not found." + (f" {hint}" if hint else "")) from None
        _running.add(process)
        start = told = time.monotonic()
        try:
            while True:
                try:
                    process.wait(timeout=2)
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() - start > limit:
                        raise Stop(
                            explain(command, f"stopped after {seconds(limit)}", path.read_text(errors="replace"), path)
                        ) from None
                    if progress and time.monotonic() - told >= 30:
                        told = time.monotonic()
                        compiled = path.read_bytes().count(b"Compiling ") + path.read_bytes().count(b"Checking ")
                        note = f", {compiled} crates so far" if compiled else ""
                        say(f"  ..  {progress}: {seconds(told - start)}{note}")
        except BaseException:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
        finally:
            _running.discard(process)
    output = path.read_text(errors="replace")
    if check and process.returncode != 0:
        raise Stop(explain(command, f"exit code {process.returncode}", output, path) + (f"\n{hint}" if hint else ""))
    return output


def run_quietly(command):
    """Runs a short command that speaks for itself; a failure is left to what it was for."""
    subprocess.run([str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL, check=False)


def end_running():
    """Asks every command under way to end."""
    for process in list(_running):
        process.terminate()


#: What common failures look like, and what helps.
KNOWN_FAILURES = [
    (
        r"No space left on device|ENOSPC",
        "The disk is full. Free some space (about 6 GB are needed), or set CARGO_TARGET_DIR and SOULFORGE_CACHE to folders "
        "on a larger disk.",
    ),
    (
        r"Could not resolve host|failed to lookup address|Temporary failure in name resolution|ENOTFOUND|EAI_AGAIN|"
        r"ECONNREFUSED|ETIMEDOUT|Network is unreachable|NewConnectionError|failed to download from|Connection timed out|"
        r"spurious network error|No matching distribution found",
        "A package could not be fetched. The first set-up needs the network once (crates.io, npm, PyPI); what was fetched "
        "is kept, so run the same command again.",
    ),
    (
        r"Killed signal|SIGKILL|signal: 9|out of memory|Cannot allocate memory",
        "The machine ran out of memory while compiling. CARGO_BUILD_JOBS=1 needs less.",
    ),
]


def explain(command, code, output, path):
    """The message for a failed command: its last lines, and advice where the failure is a known one."""
    tail = "\n".join("      " + line for line in output.rstrip().splitlines()[-40:])
    text = f"{' '.join(command)[:300]} failed ({code}):\n{tail}\n      The whole output: {path}"
    for pattern, advice in KNOWN_FAILURES:
        if re.search(pattern, output):
            return f"{text}\n{advice}"
    return text


def together(*tasks):
    """Runs callables at the same time. The first that fails ends the others' commands, and is raised."""
    failures = []

    def guarded(task):
        try:
            task()
        except BaseException as error:  # handed to the caller below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads) and not failures:
            time.sleep(0.05)
    finally:
        if failures or any(thread.is_alive() for thread in threads):
            end_running()
            for thread in threads:
                thread.join(10)
    if failures:
        raise failures[0]


def sha256(path):
    """The SHA-256 sum of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def files_below(*places):
    """Every file below the given files and folders, sorted."""
    found = []
    for place in places:
        if place.is_dir():
            found += [path for path in place.rglob("*") if path.is_file() and "node_modules" not in path.parts]
        elif place.exists():
            found.append(place)
    return sorted(found)


def digest(*places, extra=""):
    """One sum over the names and contents of files, and a text of what else matters."""
    total = hashlib.sha256(extra.encode())
    for path in files_below(*places):
        name = path.relative_to(ROOT) if ROOT in path.parents else path.name
        total.update(f"{name}\0{sha256(path)}\n".encode())
    return total.hexdigest()


def fresh(name, value):
    """Whether the stamp `name` already holds `value`: the work behind it can be left out."""
    stamp = TARGET / "stamps" / name
    return stamp.exists() and stamp.read_text() == value


def stamp(name, value):
    """Notes that the work `name` was done for inputs with the sum `value`."""
    path = TARGET / "stamps" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value)


def on_path(program):
    """Where a program is, or None."""
    return shutil.which(program)


def machine():
    """`linux-x86_64` and the like."""
    names = {"amd64": "x86_64", "arm64": "aarch64"}
    processor = platform.machine().lower()
    return f"{platform.system().lower()}-{names.get(processor, processor)}"


def is_root():
    """Whether we run as root, when PostgreSQL has to run as somebody else."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def open_to_all(path):
    """Whether every folder above `path` lets other users through."""
    return all(parent.stat().st_mode & 0o001 for parent in Path(path).resolve().parents if parent.exists())
