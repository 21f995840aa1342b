"""Sets everything up and runs every suite; the last line is `N passed, N failed` over all of them.

`SUITE=name,name python3 scripts/test.py` runs only those, `TEST_FILTER=name` only the Rust tests of that name. The outputs are in target/test-logs. Everything is compiled in
the release profile, so that what the lints, the tests and `make run` need is compiled once.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import build
import checks
import common
import database
import live
import run as runner
import setup
import setup_test
from common import CARGO_TARGET, END2END, ROOT, SERVER, SITE, TARGET, Stop, say

LOGS = TARGET / "test-logs"
#: Crates that must never reach the browser.
SERVER_ONLY = [
    "ammonia", "argon2", "axum", "chrono", "clap", "image", "leptos_axum", "llama-cpp-2", "object_store", "resvg", "rustix",
    "sqlx", "tokio", "tower-http", "utoipa",
]
#: The most that the first visit may weigh, brotli, in bytes: the module's first part, its glue and the style sheet.
FIRST_VISIT = 285_000
#: The most that the typefaces of a first visit may weigh: the first file of each face that pages use everywhere.
TYPEFACES = 50_000
#: The most that all parts may weigh together.
ALL_PARTS = 845_000
#: The Rust tests, as cargo knows them.
RUST_TESTS = ["test", "--lib"]
#: Compiles our own crate, and no other, by the lints' compiler, as `cargo clippy` does. That one only checks, for which every
#: dependency would be read a second time; this makes the program of the tests on the way. Without optimisation it takes a third of
#: the time; what is served, which the other suites try, is compiled as it should be.
LINTED = {"RUSTC_WORKSPACE_WRAPPER": "clippy-driver", "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0"}
#: Seconds until a suite counts as hanging.
PATIENCE = 1800


class Results:
    """What passed and failed, by suite."""

    def __init__(self):
        self.passed = self.failed = 0
        self.failures = []

    def one(self, name, problem=None):
        """One check: passed, or failed with a problem in words."""
        if problem:
            self.add(0, 1, f"{name}: {problem}")
        else:
            self.add(1, 0)

    def add(self, passed, failed, problem=None):
        """Counts of a whole run."""
        self.passed += passed
        self.failed += failed
        if problem:
            self.failures.append(problem)
            say("  !!  " + "\n      ".join(str(problem).splitlines()[:60]))

    def attempt(self, name, work):
        """A check that fails by an exception; returns what the work returned."""
        try:
            value = work()
        except Stop as stop:
            self.one(name, str(stop))
            return None
        self.one(name)
        return value


def house(results):
    """Formatting and the rules of the house."""
    results.attempt("cargo fmt --check", lambda: quiet(["cargo", "fmt", "--check"], "fmt"))
    for rule in checks.RULES:
        broken = rule()
        more = f"\n... and {len(broken) - 20} more" if len(broken) > 20 else ""
        results.one(rule.__doc__, "\n" + "\n".join(broken[:20]) + more if broken else None)


def set_up(results):
    """Everything that the build needs is fetched, verified and usable; faults are told plainly."""
    results.attempt("tools", setup.check_tools)
    results.attempt("the browser's target", setup.wasm_target)
    results.attempt("cmake and libclang", setup.compiler_environment)
    results.attempt("front-end tools", setup.node_packages)
    results.attempt("the glue generator", setup.bindgen)
    postgres = results.attempt("PostgreSQL", setup.postgres)
    if postgres:
        version = subprocess.run([postgres / "bin" / "postgres", "--version"], capture_output=True, text=True, check=False)
        wanted = "PostgreSQL) 18."
        results.one("PostgreSQL runs", None if wanted in version.stdout else version.stdout + version.stderr)
    model = results.attempt("the model", setup.model)
    if model:
        with model.open("rb") as file:
            results.one("the model is a GGUF file", None if file.read(4) == b"GGUF" else "wrong magic number")
    for check in setup_test.CHECKS:
        results.one(check.__doc__, check())


def lint(results):
    """Lints of server and browser code, the query cache against a live database, the border between the two."""
    with database.Cluster() as cluster, tempfile.TemporaryDirectory() as temporary:
        cluster.migrate()
        # One compilation serves three: the lints, the queries that sqlx describes while the macros expand, and the tests.
        output = results.attempt("the tests compile", lambda: database.queries(
            cluster, temporary, command=[*RUST_TESTS, "--no-run"], more=LINTED
        ))
        if output is not None:
            results.one("clippy, server", warnings(output))
        stale = database.differences(Path(temporary))
        if output is None:
            # The compiler may have stopped before it saw every query.
            stale = [note for note in stale if "no longer used" not in note]
        advice = "\nRun `make sqlx` and commit .sqlx."
        results.one(".sqlx matches migrations and queries", "\n" + "\n".join(stale[:20]) + advice if stale else None)
    env = {**common.cargo_environment(), "CARGO_INCREMENTAL": "0"}
    browser = ["--features", "hydrate", "--target", build.WASM]
    results.attempt("clippy, browser", lambda: common.run(
        ["cargo", "clippy", "--profile", "wasm-release", "--locked", "--lib", *browser, "--", "-D", "warnings"],
        "clippy-browser", env=env, folder=LOGS, progress="clippy for the browser",
    ))
    tree = results.attempt("cargo tree, browser", lambda: quiet(
        ["cargo", "tree", "--locked", *browser, "-e", "normal", "--prefix", "none", "-f", "{p}"], "tree"
    ))
    if tree:
        found = {line.split(" ")[0] for line in tree.splitlines()}
        for crate in SERVER_ONLY:
            results.one(f"{crate} stays on the server", "it is in the browser's tree" if crate in found else None)


def rust(results):
    """The Rust tests: the real router over HTTP, an own database per test, the real model."""
    env = {**setup.compiler_environment(), **LINTED}
    command = ["cargo", *RUST_TESTS, "--release", "--locked", "--features", "ssr"]
    if results.attempt("the tests are built", lambda: common.run(
        [*command, "--no-run"], "rust-build", env=env, folder=LOGS, progress="the tests"
    )) is None:
        return
    with database.Cluster() as cluster:
        env.update({name: value for name, value in runner.environment().items() if name.startswith("SOULFORGE_")})
        env["TEST_DATABASE_URL"] = cluster.url()
        env["TEST_PGBOUNCER"] = setup.pgbouncer() or ""
        try:
            output = common.run(
                [*command, "--no-fail-fast", "--", *os.environ.get("TEST_FILTER", "").split()], "rust", env=env, folder=LOGS, progress="the Rust tests", check=False,
                limit=PATIENCE,
            )
        except Stop as stop:
            results.one("the Rust tests end", str(stop))
            return
    counts = re.findall(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", output)
    passed, failed, ignored = (sum(int(count[part]) for count in counts) for part in range(3))
    names = re.findall(r"^test (.+?) \.\.\. FAILED", output, re.M)
    problem = "Rust tests failed: " + ", ".join(names) + f"\n{LOGS / 'rust.log'}" if failed else None
    results.add(passed, failed, problem)
    if not counts:
        results.one("the Rust tests ran", output[-2000:])
    if ignored:
        say(f"  --  {ignored} ignored")


def site(results):
    """The release server and the site, as `make run` serves them, and what the browser has to fetch."""
    BACKGROUND.join()
    results.attempt("the site builds", build.site)
    results.attempt("the server builds", lambda: build.server(setup.compiler_environment()))
    # What the lints do not see, since they look at the library with its tests.
    log = common.LOGS / "server.log"
    results.one("the server builds without a warning", warnings(log.read_text()) if log.exists() else None)
    results.attempt("the benchmarks compile", lambda: common.run(
        ["cargo", "build", "--release", "--locked", "--features", "ssr", "--example", "bench"], "bench-build",
        env=setup.compiler_environment(), folder=LOGS, progress="the benchmarks",
    ))
    setup.quantise(SERVER)
    weights = {path.name: path.stat().st_size for path in (SITE / "pkg").glob("*.br")}
    for name, weight in sorted(weights.items()):
        say(f"  --  {name}: {weight / 1000:.1f} kB")
    total = sum(weights.values())
    first = sum(weight for name, weight in weights.items() if name.startswith("soulforge."))
    results.one("the first visit's size", None if 0 < first <= FIRST_VISIT else f"{first} bytes of at most {FIRST_VISIT}")
    faces = ("hanken-grotesk.*", "literata.*", "literata-italic.*")
    typefaces = sum(path.stat().st_size for face in faces for path in (SITE / "fonts").glob(face + ".woff2"))
    say(f"  --  typefaces of a first visit: {typefaces / 1000:.1f} kB")
    results.one("the typefaces' size", None if 0 < typefaces <= TYPEFACES else f"{typefaces} bytes of at most {TYPEFACES}")
    results.one("the size of all parts", None if first < total <= ALL_PARTS else f"{total} bytes of at most {ALL_PARTS}")
    results.one("every file has its compressed twin", None if len(weights) >= 3 else f"only {sorted(weights)}")


def crash(results):
    """The private PostgreSQL under kill -9, played by scripts/crash_test.py against the release server."""
    script(results, "crash_test.py", [])


def api(results):
    """The whole main job by the public API, with the local model: docs/main-job.sh as it is written there."""
    with server("api") as site:
        output = common.run(
            ["bash", ROOT / "docs" / "main-job.sh", site.url], "main-job", folder=LOGS, progress="docs/main-job.sh",
            check=False, limit=PATIENCE,
        )
    ended = output.strip().endswith("done")
    results.one("docs/main-job.sh", None if ended else output[-3000:])
    results.one("words were streamed", None if output.count("event: delta") > 1 else output[-3000:])


def operations(results):
    """The end of the server, its log, its figures and its pages' policy, played by scripts/operations_test.py."""
    beside(results, "operations")


def backup(results):
    """Back up, lose everything, restore, move away, played by scripts/backup_test.py."""
    beside(results, "backup")


def nodes(results):
    """Two servers on one PostgreSQL, one of which is killed, played by scripts/nodes_test.py."""
    beside(results, "nodes")


def beside(results, suite):
    """A script that mostly waits: the first of them starts all that were chosen, each then tells its own results."""
    for name in ("operations", "backup", "nodes"):
        if name in CHOSEN and name not in BESIDE:
            own = Results()
            thread = threading.Thread(target=script, args=(own, f"{name}_test.py", []), daemon=True)
            BESIDE[name] = (thread, own)
            thread.start()
    thread, own = BESIDE[suite]
    thread.join()
    results.passed, results.failed, results.failures = own.passed, own.failed, own.failures


def script(results, name, arguments):
    """A test of its own that ends with `N passed, N failed`."""
    path = ROOT / "scripts" / name
    if not path.exists():
        results.one(name, "it is missing")
        return
    env = runner.environment()
    try:
        output = common.run(
            [sys.executable, path, *arguments], path.stem, env=env, folder=LOGS, progress=name, check=False, limit=PATIENCE
        )
    except Stop as stop:
        results.one(name, str(stop))
        return
    counts = re.findall(r"(\d+) passed, (\d+) failed", output)
    if not counts:
        results.one(name, "it ended without its figures:\n" + output[-2000:])
        return
    passed, failed = map(int, counts[-1])
    lines = "\n".join(line for line in output.splitlines() if re.search(r"fail", line, re.I))[:2000]
    results.add(passed, failed, f"{name}:\n{lines}" if failed else None)


def pages(results):
    """Every flow in a real browser, once hydrated and once without JavaScript."""
    setup.node_packages()
    browser = results.attempt("a browser", chromium)
    if not browser:
        return
    # Talks wait for nobody with a model that follows a script; summons and one spec ask the real one.
    with live.Provider(words=30) as provider, server("pages", **provider.environment()) as site:
        report = LOGS / "pages.json"
        report.unlink(missing_ok=True)
        env = {
            **os.environ, "BASE_URL": site.url, "CHROMIUM": browser, "SERVER_LOG": str(site.log),
            "PLAYWRIGHT_JSON_OUTPUT_NAME": str(report), "PLAYWRIGHT_JSON_OUTPUT_FILE": str(report),
        }
        common.run(
            ["npx", "--no-install", "playwright", "test", "--reporter=list,json"], "pages", env=env, cwd=END2END,
            folder=LOGS, progress="the pages", check=False, limit=PATIENCE,
        )
    if not report.exists():
        results.one("the page tests ran", (LOGS / "pages.log").read_text()[-3000:])
        return
    told = json.loads(report.read_text())
    stats = told["stats"]
    failed = sorted(failed_specs(told["suites"]))
    if stats["flaky"]:
        say(f"  --  {stats['flaky']} passed at the second attempt")
    if stats["skipped"]:
        say(f"  --  {stats['skipped']} skipped")
    problem = "\n".join(["pages failed:", *failed, str(LOGS / "pages.log")])
    results.add(stats["expected"] + stats["flaky"], stats["unexpected"], problem if stats["unexpected"] else None)
    for error in told.get("errors", []):
        results.one("the page tests", error.get("message", "failed"))


def server(name, **settings):
    """A server to test; its log is of this run alone."""
    log = LOGS / "server.log"
    log.unlink(missing_ok=True)
    return live.Server(name, log, **settings)


def failed_specs(suites):
    """`project: file: title` of every test that failed for good."""
    for suite in suites:
        yield from failed_specs(suite.get("suites", []))
        for spec in suite.get("specs", []):
            for case in spec["tests"]:
                if case["status"] == "unexpected":
                    yield f"  {case['projectName']}: {spec['file']}: {spec['title']}"


def chromium():
    """A browser to test with: Playwright's own, the system's, or Debian's, installed when we are root."""
    own = subprocess.run(
        ["node", "-e", "console.log(require('playwright-core').chromium.executablePath())"], cwd=END2END,
        capture_output=True, text=True, check=False,
    ).stdout.strip()
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    for path in (os.environ.get("CHROMIUM"), own, *map(shutil.which, names)):
        if path and Path(path).exists():
            return path
    if common.is_root() and common.on_path("apt-get"):
        setup.apt("chromium", "a browser for the page tests")
        return shutil.which("chromium")
    raise Stop(
        "The page tests need Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM to its program."
    )


def warnings(output):
    """The warnings about our code in a compiler's output, or `None`. Cargo tells those of an earlier compilation again."""
    found = [text for text in re.findall(r"^warning: .*(?:\n.+)*", output, re.M) if " --> " in text]
    return "\n" + "\n\n".join(found) if found else None


def quiet(command, log):
    """Runs a command for its output."""
    return common.run(command, log, env=common.cargo_environment(), folder=LOGS)


class Background(threading.Thread):
    """Compiles the browser's module beside the other suites: its last half uses one processor only."""

    def __init__(self):
        super().__init__(daemon=True)

    def run(self):
        try:
            setup.wasm_target()
            build.browser()
        except Stop:
            pass  # the suite `site` does it again and says what is wrong

    def join(self, timeout=None):
        if self.ident:
            super().join(timeout)


BACKGROUND = Background()
#: The suites of this run, and scripts that run beside each other with their results.
CHOSEN, BESIDE = [], {}
SUITES = {
    "house": house, "setup": set_up, "lint": lint, "rust": rust, "site": site, "crash": crash, "operations": operations,
    "backup": backup, "nodes": nodes, "api": api, "pages": pages,
}


def main():
    """Runs the suites in their order, cheap ones first, and adds up."""
    named = re.split(r"[,\s]+", os.environ.get("SUITE", "").strip())
    chosen = [name for name in named if name] or list(SUITES)
    unknown = set(chosen) - SUITES.keys()
    if unknown:
        raise Stop(f"There is no suite {', '.join(sorted(unknown))}. The suites: {', '.join(SUITES)}")
    CHOSEN.extend(chosen)
    # Tests need a model that is small and always the same; whoever names another one wants to test that.
    os.environ.setdefault("SOULFORGE_MODEL", "tiny")
    # Suites run beside each other here, and threads of a model that wait for each other would hold up all.
    os.environ.setdefault("SOULFORGE_MODEL_THREADS", "1")
    start = time.monotonic()
    first = not (CARGO_TARGET / "release" / ".fingerprint").exists()
    say("Testing SoulForge" + (": the first time takes about 45 minutes on two cores" if first else ""))
    setup.check_tools()
    if {"site", "lint"} <= set(chosen):
        BACKGROUND.start()
    passed = failed = 0
    failures = []
    for name in chosen:
        results, began = Results(), time.monotonic()
        say(f"\n{name}: {SUITES[name].__doc__}")
        try:
            SUITES[name](results)
        except Stop as stop:
            results.one(name, str(stop))
        passed += results.passed
        failed += results.failed
        failures += [f"{name}: {str(failure).splitlines()[0]}" for failure in results.failures]
        say(f"{name}: {results.passed} passed, {results.failed} failed, {common.seconds(time.monotonic() - began)}")
    say(f"\nAll suites: {common.seconds(time.monotonic() - start)}; outputs in {LOGS.relative_to(ROOT)}")
    for failure in failures:
        say(f"  failed  {failure}")
    say(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    common.main(main)
