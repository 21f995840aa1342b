"""Builds what is needed and serves: `python3 scripts/run.py [--port 3000] [--data FOLDER] [--no-build]`.

Settings that are already in the environment win over the ones made here; the README has the list.
"""

import argparse
import os
import socket
import time
from pathlib import Path

import build
import common
import models
import setup
from common import ROOT, SERVER, SITE, Stop, say


def arguments():
    """The command line; each option also has a variable."""
    parser = argparse.ArgumentParser(description="Builds SoulForge where needed and serves it.")
    host, _, port = (os.environ.get("SOULFORGE_ADDR") or "127.0.0.1:3000").rpartition(":")
    parser.add_argument("--host", default=host.strip("[]"), help="address to listen on (SOULFORGE_ADDR)")
    parser.add_argument("--port", type=int, default=os.environ.get("PORT") or port, help="port to listen on (PORT)")
    parser.add_argument("--data", default=os.environ.get("SOULFORGE_DATA") or None, help="data folder (SOULFORGE_DATA)")
    parser.add_argument("--no-build", action="store_true", help="serve what was built last")
    return parser.parse_args()


def environment(host="127.0.0.1", port=3000, data=None):
    """The server's settings for this checkout."""
    env = dict(os.environ)
    env.setdefault("LEPTOS_SITE_ROOT", str(SITE))
    env["SOULFORGE_MODEL"] = str(models.chosen_path() or "")
    if not env.get("DATABASE_URL"):
        env.setdefault("SOULFORGE_PG_DIR", str(setup.postgres()))
    env["SOULFORGE_ADDR"] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    env["SOULFORGE_DATA"] = str(Path(data).resolve() if data else ROOT / "data")
    return env


def check_port(host, port):
    """Ends with a plain message when another program has the port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Stop(
                f"Port {port} on {host} cannot be used ({error.strerror}). Another program has it, perhaps an earlier "
                f"SoulForge. Choose another: make run PORT={port + 1}"
            ) from None


def main():
    """Builds, then becomes the server, so that signals reach it directly."""
    start = time.monotonic()
    options = arguments()
    check_port(options.host, options.port)
    # The site is served while the model still arrives, and says how far it is.
    models.in_background()
    if not options.no_build:
        build.everything()
    if not SERVER.exists():
        raise Stop("There is no server yet: run without --no-build.")
    env = environment(options.host, options.port, options.data)
    say(f"Serving at http://{env['SOULFORGE_ADDR']} after {common.seconds(time.monotonic() - start)}; Ctrl-C stops.")
    os.chdir(ROOT)
    os.execve(SERVER, [str(SERVER), "serve"], env)


if __name__ == "__main__":
    common.main(main)
