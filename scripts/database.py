"""A PostgreSQL of the tests' own, and the query cache `.sqlx` that is made with it.

`python3 scripts/database.py sqlx` writes `.sqlx` again. The cluster lives in a temporary folder, speaks through a socket
only and forgets: its data need not outlive a crash, so it does not wait for the disk. Never use it for anything else.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import common
import setup
from common import ROOT, Stop, say, step

DATABASE = "soulforge"
#: The roles that migrations grant to, as the server makes them.
ROLES = """
create role sf_app login nosuperuser nobypassrls;
create role sf_worker login nosuperuser nobypassrls;
create role sf_backup login nosuperuser bypassrls;
"""


class Cluster:
    """`with Cluster() as cluster:` starts it with our roles and an empty database, and removes it afterwards."""

    def __init__(self):
        self.bin = (setup.postgres() or Path("/nowhere")) / "bin"
        if not (self.bin / "initdb").exists():
            raise Stop(f"The tests need PostgreSQL's programs, and {self.bin} has none. Set SOULFORGE_PG_DIR.")
        # A socket's path may have about 100 bytes, so not below the checkout.
        self.folder = Path(tempfile.mkdtemp(prefix="sf-", dir="/tmp"))
        self.process = None
        self.account = {}
        if common.is_root():
            # PostgreSQL refuses to run as root.
            for name in ("soulforge", "postgres", "nobody"):
                try:
                    found = pwd.getpwnam(name)
                except KeyError:
                    continue
                self.account = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
                os.chown(self.folder, found.pw_uid, found.pw_gid)
                break
        self.env = {**os.environ, "HOME": str(self.folder), "LC_ALL": "C", "TZ": "UTC"}

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Makes the cluster and waits until it answers."""
        data = self.folder / "data"
        made = subprocess.run(
            [self.bin / "initdb", "-D", data, "-U", "sf_owner", "--auth=trust", "--encoding=UTF8", "--no-sync",
             "--locale-provider=builtin", "--locale=C.UTF-8"],
            env=self.env, cwd="/", capture_output=True, text=True, check=False, **self.account,
        )
        if made.returncode != 0:
            raise Stop(f"initdb failed:\n{made.stdout}{made.stderr}")
        settings = {
            "listen_addresses": "", "unix_socket_directories": str(self.folder), "max_connections": "200",
            "shared_buffers": "128MB", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
            "autovacuum": "off", "max_wal_size": "4GB", "timezone": "UTC",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", data, *options], env=self.env, cwd="/", stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=end_with_us, **self.account,
            )
        until = time.monotonic() + 60
        while self.psql("select 1", "postgres", check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > until:
                raise Stop(f"The tests' PostgreSQL did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.1)
        self.psql(ROLES, "postgres")
        self.psql(f"create database {DATABASE} owner sf_owner", "postgres")

    def migrate(self, database=DATABASE):
        """Applies every migration, each in one transaction, as the server does."""
        for path in sorted((ROOT / "migrations").glob("*.sql")):
            result = self.psql(f"begin;\n{path.read_text()}\n;commit;", database, check=False)
            if result.returncode != 0:
                raise Stop(f"migrations/{path.name} failed:\n{result.stderr}")

    def psql(self, statements, database=DATABASE, check=True):
        """Runs statements as the owner."""
        result = subprocess.run(
            [self.bin / "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "sf_owner",
             "-d", database],
            input=statements, env=self.env, cwd="/", capture_output=True, text=True, check=False,
        )
        if check and result.returncode != 0:
            raise Stop(f"The tests' PostgreSQL refused a statement:\n{result.stderr}")
        return result

    def url(self, role="sf_owner", database=DATABASE):
        """How to connect, in the form that sqlx reads."""
        return f"postgres://{role}@localhost/{database}?host={quote(str(self.folder), safe='')}&sslmode=disable"

    def stop(self):
        """Stops it and removes everything."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


def end_with_us():
    """Asks the kernel to stop the cluster when this process dies, however it dies (Linux only)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(1, signal.SIGINT)


def queries(cluster, out, command=("check", "--all-targets"), more=None):
    """Compiles our crate against a live database, so that sqlx describes every query into the folder `out`.

    Cargo does not know that the macros read a database: touching the roots makes it expand them again. Their times are
    put back, so that nothing else is compiled because of this. `more` is added to the environment. Returns the compiler's
    output.
    """
    env = {**setup.compiler_environment(), **(more or {})}
    env.pop("SQLX_OFFLINE")
    env["DATABASE_URL"] = cluster.url()
    env["SQLX_OFFLINE_DIR"] = str(out)
    roots = [ROOT / "src" / "lib.rs", ROOT / "src" / "main.rs"]
    times = [path.stat() for path in roots]
    for path in roots:
        path.touch()
    try:
        return common.run(
            ["cargo", *command, "--release", "--locked", "--features", "ssr"], "queries", env=env,
            progress="the server's queries",
        )
    finally:
        for path, before in zip(roots, times):
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def differences(fresh, committed=ROOT / ".sqlx"):
    """The names of queries that are missing, changed or no longer used in the committed cache."""
    ours = {path.name: path.read_text() for path in committed.glob("query-*.json")} if committed.exists() else {}
    made = {path.name: path.read_text() for path in fresh.glob("query-*.json")}
    notes = [f"{name} is missing" for name in sorted(made.keys() - ours.keys())]
    notes += [f"{name} is no longer used" for name in sorted(ours.keys() - made.keys())]
    return notes + [f"{name} differs" for name in sorted(made.keys() & ours.keys()) if made[name] != ours[name]]


def write_cache():
    """`make sqlx`. Keeps what it learned also when the crate does not compile yet, which new queries may be the reason of."""
    committed = ROOT / ".sqlx"
    committed.mkdir(exist_ok=True)
    with Cluster() as cluster, tempfile.TemporaryDirectory() as temporary:
        cluster.migrate()
        out = Path(temporary)
        try:
            with step("describe the queries"):
                queries(cluster, out)
        finally:
            changes = differences(out)
            for path in out.glob("query-*.json"):
                shutil.copyfile(path, committed / path.name)
        for path in committed.glob("query-*.json"):
            if not (out / path.name).exists():
                path.unlink()
    say(f".sqlx holds {len(list(committed.iterdir()))} queries; {len(changes)} changed.")


if __name__ == "__main__":
    if sys.argv[1:] != ["sqlx"]:
        sys.exit("usage: database.py sqlx")
    common.main(write_cache)
