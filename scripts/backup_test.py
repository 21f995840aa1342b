#!/usr/bin/env python3
"""Back up while the site serves, lose everything, restore: the same rows, the same walls, the same sign-in.

Whoever was erased after the backup is erased again. Plays it with the private cluster, and then moves the archive to a PostgreSQL of somebody else's with another owner. Archives that
somebody else wrote or changed are refused, and what they hold is never executed.
Ends with the line `N passed, N failed`.
"""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

import common
import database
import run
from crash_place import expect, until
from live import PASSWORD, Node, Person, play, remove, scratch

BINARY = Path(os.environ.get("SOULFORGE_BIN") or common.SERVER)
#: Seconds that a reply of the local model may take while other suites run.
PATIENCE = 240
#: A picture of one pixel.
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


class Site:
    """A server with a data folder of its own, and its commands."""

    def __init__(self, folder, env):
        folder.mkdir(mode=0o755)
        self.env = env
        self.node = Node(BINARY, folder, env, "site")

    def command(self, *words):
        """Runs `soulforge WORDS` on the data folder; gives the exit code and what it said."""
        done = subprocess.run(
            [str(BINARY), *map(str, words), "--data", str(self.node.data)], env=self.node.env, cwd=common.ROOT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
        return done.returncode, done.stdout

    def must(self, *words):
        """The same, and it must succeed."""
        code, said = self.command(*words)
        expect(code == 0, f"soulforge {words[0]}: {said[-800:]}")
        return said

    def refused(self, *words, because):
        """The same, and it must fail for this reason."""
        code, said = self.command(*words)
        expect(code != 0, f"soulforge {words} was not refused: {said[-300:]}")
        expect(because in said, f"{because!r} is not in {said[-500:]}")


def avatar(person):
    """Uploads a picture as the settings page does."""
    mark = "----soulforge"
    body = (
        f'--{mark}\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n'
    ).encode() + PIXEL + f"\r\n--{mark}--\r\n".encode()
    response = person.ask("POST", "/settings/avatar", body, {"content-type": f"multipart/form-data; boundary={mark}"})
    text = response.read().decode(errors="replace")
    expect(response.status < 300, f"avatar: {response.status} {text[:300]}")


def main():
    """Plays everything and tidies."""
    folder = scratch("backup")
    env = {name: value for name, value in run.environment().items() if name.startswith(("SOULFORGE_", "LEPTOS_"))}
    first = Site(folder / "first", env)
    sites = [first]
    with database.Cluster() as cluster:
        cluster.psql(FOREIGN, "postgres")
        cluster.psql(EXTENSIONS, "forge")
        away = {**env, "DATABASE_URL": cluster.url("forge", "forge"), "PATH": os.environ["PATH"]}
        second = Site(folder / "second", away)
        sites.append(second)
        todo = cases(first, second, cluster, folder)
        try:
            done = play(todo)
        finally:
            for site in sites:
                site.node.clean()
            if os.environ.get("KEEP"):
                print(f"kept: {folder}")
            else:
                remove(folder)
    print(f"{done} passed, {len(todo) - done} failed")
    sys.exit(0 if done == len(todo) else 1)


#: A database of somebody else's, whose owner may neither make roles nor go round row level security.
FOREIGN = """
create role forge login nosuperuser nocreaterole nobypassrls;
grant sf_app, sf_worker, sf_backup to forge with set true, inherit false;
create database forge owner forge;
"""
EXTENSIONS = "create extension vector; create extension pg_trgm; create extension citext;"


def cases(first, second, cluster, folder):
    """The cases, in their order."""
    node = first.node
    ada, bea = Person(node, "ada"), Person(node, "bea")
    archive = folder / "archives" / "all.tar"
    keys = folder / "archives" / "keys.tar"
    state = {}

    def look():
        """What a person sees of their own things."""
        me = ada.get("/api/me").json()
        talks = [talk["id"] for talk in ada.get("/api/conversations").json()["items"]]
        picture = ada.ask("GET", me["avatar_url"]).read()
        return {
            "me": {name: me[name] for name in ("id", "username", "avatar_url")}, "picture": picture,
            "messages": [ada.messages(talk) for talk in talks],
            "ocs": [(oc["id"], oc["name"], oc["slug"]) for oc in ada.get("/api/ocs?limit=50").json()["items"]],
        }

    def written_while_serving():
        node.start()
        ada.sign_up()
        bea.sign_up()
        bea.say(bea.oc(1), "Nobody shall read this again").json()
        avatar(ada)
        avatar(bea)
        (node.data / "master.key").write_text("a key of the test\n") if not (node.data / "master.key").exists() else None
        sent = ada.say(ada.oc(), "Good evening").json()
        ada.follow(f"/api/runs/{sent['run_id']}/events").end(PATIENCE)
        stop, signed = threading.Event(), []

        def load():
            while not stop.is_set():
                name = f"busy_{len(signed)}"
                Person(node, name).sign_up()
                signed.append(name)

        busy = threading.Thread(target=load, daemon=True)
        busy.start()
        try:
            said = first.must("backup", "--to", archive)
            first.must("backup", "--with-keys", "--to", keys)
        finally:
            stop.set()
            busy.join()
        state["before"], state["signed"] = look(), signed
        expect("backup written" in said, said[-300:])
        expect(archive.stat().st_mode & 0o777 == 0o600, "others may read the archive")
        with tarfile.open(archive) as tar:
            names = tar.getnames()
            manifest = json.load(tar.extractfile("manifest.json"))
        state["manifest"] = manifest
        expect(names[-2:] == ["manifest.json", "manifest.sig"] and "tables/public.users.copy" in names, f"{names}")
        expect(not any(name.endswith((".dump", ".sql")) for name in names), f"statements in {names}")
        expect(any(name.startswith("files/") for name in names), f"no uploaded file in {names}")
        expect(not any(name.startswith("keys/") for name in names), "the master key is in it, and nobody asked for it")
        expect("keys/master.key" in tarfile.open(keys).getnames(), "the master key is not in the other")
        expect(manifest["rows"]["public.users"] >= 1 and len(manifest["rows"]) > 20, f"{manifest['rows']}")
        first.refused("backup", "--to", archive, because="is there already")
        return f"{sum(manifest['rows'].values())} rows, {len(signed)} sign-ups meanwhile"

    def refusals():
        first.refused("restore", archive, because="running on this data folder")
        node.stop()
        first.refused("restore", archive, because="is not empty")
        broken = folder / "broken.tar"
        data = bytearray(archive.read_bytes())
        data[data.index(b"ada@example.org")] ^= 1
        broken.write_bytes(data)
        first.refused("restore", broken, "--force", because="has changed since")
        broken.write_bytes(archive.read_bytes()[:-8192])
        first.refused("restore", broken, "--force", because="not a whole backup")
        first.must("restore", archive, "--check")
        repack(archive, broken, lambda manifest, files: manifest["migrations"].update({"9999": "00"}))
        first.refused("restore", broken, "--force", "--unsigned", because="Use a newer program")
        node.start()
        expect(look() == state["before"], "a refused restore changed something")
        node.stop()

    def forged():
        mark = Path(tempfile.gettempdir()) / f"sf-executed-{os.getpid()}"
        forgery = folder / "forged.tar"

        def make_admin(_, files):
            files["tables/public.user_roles.copy"] += f"{state['before']['me']['id']}\tadmin\t\\N\t2026-01-01\n".encode()

        # A changed part under a manifest that was made to fit: the sums agree, and nobody signed it.
        repack(archive, forgery, make_admin)
        first.refused("restore", forgery, "--check", because="was changed after it was signed")
        first.refused("restore", forgery, "--force", because="was changed after it was signed")
        # Signed by somebody else, and by nobody.
        other = Site(folder / "other", first.env)
        (other.node.data).mkdir(parents=True, exist_ok=True)
        (other.node.data / "master.key").write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
        other.refused("restore", archive, "--check", because="signed with another master key")
        (other.node.data / "master.key").unlink()
        other.refused("restore", archive, "--check", because="there is no master key here")
        repack(archive, forgery, lambda manifest, files: None, signed=False)
        first.refused("restore", forgery, "--check", because="is not signed")
        expect("nobody" not in first.must("restore", archive, "--check"), "a good archive is doubted")
        expect("because of --unsigned" in first.must("restore", forgery, "--check", "--unsigned"), "no warning")

        # What only a restore that executes the archive would do: tables, columns and rows that are statements.
        bad = f"copy (select 1) to program 'touch {mark}'"
        for change, because in [
            (lambda manifest, files: add_table(manifest, files, "public.zz"), "does not know"),
            (lambda manifest, files: add_table(manifest, files, f"public.zz (a) from stdin; {bad}; --"), "strange name|does not know"),
            (lambda manifest, files: manifest["columns"]["public.users"].append(f"x) from stdin; {bad}; --"), "other columns"),
            (lambda manifest, files: files.update({"tables/public.chores.copy": f"\\.\n{bad};\n".encode()}), "could not be read|rows and not"),
        ]:
            repack(archive, forgery, change)
            code, said = first.command("restore", forgery, "--force", "--unsigned")
            expect(code != 0 and any(part in said for part in because.split("|")), f"{because!r} is not in {said[-500:]}")
            expect(not mark.exists(), "something of the archive was executed")
        # A function in the database of whoever takes the backup does not travel.
        second.node.start()
        cluster.psql(f"""
            create function public.zz_f(a int) returns boolean language plpgsql
                as $f$ begin execute $q$copy (select 1) to program 'touch {mark}'$q$; return true; exception when others then return true; end $f$;
            create table public.zz (a int check (public.zz_f(a))); insert into public.zz values (1);
            alter function public.zz_f owner to forge; alter table public.zz owner to forge""", "forge")
        expect(mark.exists(), "the trap does not work, so it would prove nothing")
        mark.unlink()
        said = second.must("backup", "--to", folder / "archives" / "theirs.tar")
        expect("public.zz is no table of SoulForge" in said, said[-500:])
        second.node.stop()
        first.refused("restore", folder / "archives" / "theirs.tar", "--force", because="another master key")
        first.must("restore", folder / "archives" / "theirs.tar", "--force", "--unsigned")
        expect(not mark.exists(), "something of the archive was executed")
        first.must("restore", archive, "--force")
        # Archives of the first form are statements.
        with tarfile.open(forgery, "w") as new:
            add(new, "database.dump", b"PGDMP")
            add(new, "manifest.json", b"{}")
        first.refused("restore", forgery, "--force", "--unsigned", because="was written by an older SoulForge")
        node.start()
        expect(look() == state["before"], "a refused restore changed something")
        node.stop()

    def everything_lost():
        lose(node)
        # The key that lies in the archive vouches for nothing; the one that its owner kept elsewhere does.
        first.refused("restore", keys, because="there is no master key here")
        node.data.mkdir(exist_ok=True)
        with tarfile.open(keys) as tar:
            (node.data / "master.key").write_bytes(tar.extractfile("keys/master.key").read())
        begun = time.monotonic()
        first.must("restore", keys)
        took = time.monotonic() - begun
        expect((node.data / "master.key").read_text(), "the master key is missing")
        node.start()
        after = look()
        for part, value in state["before"].items():
            expect(after[part] == value, f"{part} differs: {str(after[part])[:300]} was {str(value)[:300]}")
        answer = Person(node).post("/api/sessions", {"login": "ada", "password": PASSWORD})
        expect(answer.status < 300, f"cannot sign in: {answer.status} {answer.text}")
        stranger = Person(node, "stranger").sign_up()
        talk = state["before"]["messages"][0][0]
        expect(stranger.get("/api/conversations").json()["items"] == [], f"a stranger sees {talk}")
        sent = ada.say(ada.oc(), "And now?").json()
        # The model reads its whole prompt anew, beside whatever else runs on this machine.
        expect(ada.follow(f"/api/runs/{sent['run_id']}/events").end(PATIENCE) == "done", "no reply after the restore")
        node.stop()
        return f"restored in {took:.1f} s"

    def replaced():
        first.must("restore", archive, "--force")
        expect(list(node.data.glob("files.before-*")), "the files that were there are gone")
        node.start()
        expect(look() == state["before"], "it is not what the archive holds")
        found = ada.get("/u/stranger", {"accept": "text/html"})
        expect(found.status == 404, f"somebody of after the backup is there: {found.status} {found.text[:300]}")
        node.stop()

    def erased_since():
        picture = bea_signs_in().get("/api/me").json()["avatar_url"]
        gone = bea.form("/fn/accounts/delete_account", **{"form[username]": "bea"})
        expect(gone.status < 400, f"the account is not deleted: {gone.status} {gone.text[:300]}")
        listed = node.data / "backups" / "erased.txt"
        until(lambda: listed.exists() and "account" in listed.read_text(), "the list of what was erased")
        expect("bea" not in listed.read_text(), "more than ids is listed")
        node.stop()

        def comes_back(said):
            node.start()
            answer = Person(node).post("/api/sessions", {"login": "bea", "password": PASSWORD})
            expect(answer.status == 422, f"bea is back: {answer.status} {answer.text[:200]}; restore said {said[-600:]}")
            expect(Person(node).ask("GET", picture).status == 404, "her picture is back")
            expect(look() == state["before"], "somebody else was touched")
            node.stop()
            expect("erased again" in said, said[-500:])

        # By the database that is replaced, and by the file beside it.
        comes_back(first.must("restore", archive, "--force"))
        # The database is lost with all that was beside it; the copy beside the archives is what is left.
        shutil.copy(listed, archive.parent / "erased.txt")
        ada_line = f"account {state['before']['me']['id']} 2026-01-01T00:00:00Z {'0' * 64}\n"
        with open(archive.parent / "erased.txt", "a", encoding="utf-8") as file:
            file.write(ada_line)
        lose(node)
        node.data.mkdir()
        with tarfile.open(keys) as tar:
            (node.data / "master.key").write_bytes(tar.extractfile("keys/master.key").read())
        said = first.must("restore", archive)
        expect("not written with a master key of ours" in said, f"no word about the forged line: {said[-500:]}")
        comes_back(said)
        # What comes after this counts the rows of the archive as they are.
        (archive.parent / "erased.txt").unlink()

    def bea_signs_in():
        first.must("restore", archive, "--force")
        node.start()
        answer = bea.post("/api/sessions", {"login": "bea", "password": PASSWORD})
        expect(answer.status < 300, f"bea cannot sign in: {answer.status} {answer.text}")
        return bea

    def moved():
        second.refused("restore", archive, "--force", because="another master key")
        shutil.copy(node.data / "master.key", second.node.data / "master.key")
        second.refused("restore", archive, because="is not empty")
        second.must("restore", archive, "--force")
        expect(cluster.psql("select to_regclass('public.zz') is null", "forge").stdout.strip() == "t", "another's table is still there")
        found = cluster.psql("""
            select count(*) from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'r'
            and relname <> '_sqlx_migrations' and not (relrowsecurity and relforcerowsecurity)
            and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')""", "forge").stdout.strip()
        expect(found == "0", f"row level security is not forced on {found} tables")
        owners = cluster.psql("select distinct tableowner from pg_tables where schemaname = 'public'", "forge").stdout.split()
        expect(owners == ["forge"], f"owners: {owners}")
        for table, rows in state["manifest"]["rows"].items():
            # The bare superuser counts past every wall.
            counted = int(cluster.psql(f"select count(*) from {table}", "forge").stdout)
            expect(counted == rows, f"{table}: {counted} rows of {rows}")
        ada.node = second.node
        second.node.start()
        after = look()
        expect(after == state["before"], "it is not what the archive holds")
        said = second.must("backup", "--to", folder / "archives" / "away.tar")
        expect("backup written" in said, said)
        second.node.stop()
        with tarfile.open(folder / "archives" / "away.tar") as tar:
            manifest = json.load(tar.extractfile("manifest.json"))
        same = {table: rows for table, rows in manifest["rows"].items() if table in ("public.users", "public.messages", "public.ocs")}
        wanted = {table: state["manifest"]["rows"][table] for table in same}
        expect(same == wanted and manifest["owner"] == "forge", f"{same} of {wanted}, owner {manifest['owner']}")

    return [
        ("a backup while people sign up: whole, closed to others, without the master key", written_while_serving),
        ("refused, nothing changed: a running site, a full database, a broken, cut or newer archive", refusals),
        ("forged archives: changed, signed by others or nobody, full of statements, of the old form", forged),
        ("everything is lost and restored: rows, pictures, talks, sign-in, walls, key", everything_lost),
        ("--force replaces what came after the backup, and keeps its files beside", replaced),
        ("who was erased after the backup is erased again, by the lists in the database and beside the archives", erased_since),
        ("moved to a PostgreSQL of somebody else's under another owner, and backed up from there", moved),
    ]


def lose(node):
    """Takes the whole data folder away."""
    shutil.rmtree(node.data.resolve() / "pg", ignore_errors=True)
    for place in [node.data / "pg", node.data]:
        if place.is_symlink():
            shutil.rmtree(place.resolve(), ignore_errors=True)
            place.unlink()
    shutil.rmtree(node.data, ignore_errors=True)
    expect(not node.data.exists(), "it is still there")


def add(tar, name, content):
    """Adds a file to an archive."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def add_table(manifest, files, table):
    """Writes a table into an archive that no migration makes."""
    manifest["columns"][table], manifest["rows"][table] = ["a"], 1
    files[f"tables/{table}.copy"] = b"1\n"


def repack(source, target, change, signed=True):
    """Copies an archive after `change(manifest, files)`, with sums that fit again; the signature stays as it was."""
    with tarfile.open(source) as old:
        files = {member.name: old.extractfile(member).read() for member in old}
    manifest, signature = json.loads(files.pop("manifest.json")), files.pop("manifest.sig")
    change(manifest, files)
    manifest["entries"] = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()]
    with tarfile.open(target, "w") as new:
        for name, content in files.items():
            add(new, name, content)
        add(new, "manifest.json", json.dumps(manifest).encode())
        if signed:
            add(new, "manifest.sig", signature)


if __name__ == "__main__":
    main()
