"""`make dev`: serves, and builds again whenever a file changes.

The browser's module is compiled in the server's profile here: larger, but quick. A change that does not compile leaves
the old server running. Stop with Ctrl-C.
"""

import signal
import subprocess
import time

import build
import common
import models
import run as runner
import setup
from common import ROOT, SERVER, SITE, Stop, say

WATCHED = ["src", "style", "public", "migrations", "Cargo.toml", "Cargo.lock", "Leptos.toml"]


def snapshot():
    """The time of the last change of every watched file, by folder at the top."""
    times = {}
    for name in WATCHED:
        files = common.files_below(ROOT / name)
        times[name] = {str(path): path.stat().st_mtime_ns for path in files if path.exists()}
    return times


def rebuild(env, changed):
    """Builds what the changes touch."""
    common.stamp("compressed", "")
    code = changed & {"src", "migrations", "Cargo.toml", "Cargo.lock"}
    if code:
        common.together(lambda: build.server(env), lambda: build.browser("release"))
    if code or "style" in changed:
        build.styles()
    build.assemble(small=False)


def start(options):
    """The server, with the settings of `make run` and the framework in development mode."""
    env = runner.environment(options.host, options.port, options.data)
    env.setdefault("LEPTOS_ENV", "DEV")
    say(f"Serving at http://{env['SOULFORGE_ADDR']}; Ctrl-C stops.")
    return subprocess.Popen([SERVER, "serve"], cwd=ROOT, env=env)


def stop(server):
    """Asks the server to end, which closes its streams and its PostgreSQL."""
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def main():
    """Builds once, then waits for changes for ever."""
    options = runner.arguments()
    runner.check_port(options.host, options.port)
    models.in_background()
    setup.check_tools()
    setup.wasm_target()
    env = setup.compiler_environment()
    setup.downloads()
    SITE.mkdir(parents=True, exist_ok=True)
    seen = snapshot()
    rebuild(env, set(WATCHED))
    setup.quantise(SERVER)
    server = start(options)
    try:
        while True:
            time.sleep(0.5)
            if server.poll() is not None:
                say("The server has ended; waiting for a change.")
                while snapshot() == seen:
                    time.sleep(0.5)
            now = snapshot()
            changed = {name for name in WATCHED if now[name] != seen[name]}
            if not changed:
                continue
            seen = now
            try:
                rebuild(env, changed)
            except Stop as failure:
                say(f"\n{failure}\nThe old version stays.\n")
                continue
            stop(server)
            server = start(options)
    finally:
        stop(server)


if __name__ == "__main__":
    common.main(main)
