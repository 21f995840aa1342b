"""The rules of the house that no compiler knows. Each function returns the places that break its rule.

The name of a rule is the first line of its function's text.
"""

import re
from pathlib import Path

import fonts
from common import ROOT

SRC = ROOT / "src"
LONGEST = 600


def sources(*ends, below=SRC):
    """Every file with one of these endings, and its lines."""
    for path in sorted(below.rglob("*")):
        if path.suffix in ends and "node_modules" not in path.parts and path.is_file():
            yield path, path.read_text().splitlines()


def find(pattern, files, unless=lambda path: False):
    """`place:line: text` for every line of code that matches; comments do not count."""
    expression = re.compile(pattern)
    found = []
    for path, lines in files:
        if unless(path):
            continue
        for number, line in enumerate(lines, 1):
            if expression.search(line) and not line.lstrip().startswith("//"):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    return found


def inside(*rooms):
    """Whether a file belongs to one of these folders of src."""
    return lambda path: path.relative_to(SRC).parts[0] in rooms


def titles():
    """<Title> only in ui (its text is not escaped: use PageTitle)"""
    return find(r"<Title\b", sources(".rs"), inside("ui"))


def textareas():
    """<textarea> only in ui (its text is not escaped: use TextArea)"""
    return find(r"<textarea\b", sources(".rs"), inside("ui", "tests"))


def style_attributes():
    """no style attributes in views (the content security policy refuses them)"""
    attribute = r'(?:^|\s)style(?::[\w-]+)?=(?!=)["{(\w]'
    # A component (`<Palette style=...`) may have a property of that name.
    component = re.compile(r"<[A-Z]\w*[^<>]*\sstyle=")
    return [place for place in find(attribute, sources(".rs"), inside("tests")) if not component.search(place)]


def allowances():
    """#[expect(lint, reason)] instead of #[allow]"""
    return find(r"#!?\[allow\b", sources(".rs"))


def module_texts():
    """every module says what it is for (//!)"""
    return [str(path.relative_to(ROOT)) for path, lines in sources(".rs") if not lines or not lines[0].startswith("//!")]


def long_files():
    """no file has more than 600 lines"""
    places = [sources(".rs"), sources(".py", ".mjs", below=ROOT / "scripts"), sources(".ts", below=ROOT / "end2end")]
    return [
        f"{path.relative_to(ROOT)}: {len(lines)} lines" for files in places for path, lines in files if len(lines) > LONGEST
    ]


def unfinished():
    """nothing is left to do later, and no debugging is left behind"""
    pattern = r"\b(TODO|FIXME|XXX)\b|\b(todo|dbg|unimplemented)!\("
    found = []
    for path, lines in sources(".rs"):
        found += [
            f"{path.relative_to(ROOT)}:{number}" for number, line in enumerate(lines, 1) if re.search(pattern, line)
        ]
    return found


def server_functions():
    """every server function names its prefix /fn and its endpoint"""
    found = []
    for path, lines in sources(".rs"):
        for match in re.finditer(r"^\s*#\[server(\([^\]]*\))?\]\s*$", "\n".join(lines), re.M):
            text = match.group(1) or ""
            if 'prefix = "/fn"' not in text or "endpoint" not in text:
                found.append(f"{path.relative_to(ROOT)}: #[server{text}]")
    return found


def queries():
    """SQL only in store.rs, seed.rs and server"""
    def at_home(path):
        parts = path.relative_to(SRC).parts
        return parts[0] in ("server", "tests") or path.name in ("store.rs", "seed.rs") or "store" in parts or "tests" in parts

    return find(r"\bsqlx::query|\bquery(_as|_scalar)?!\(", sources(".rs"), at_home)


def settings():
    """Leptos.toml and Cargo.toml agree on the keys that both have"""
    def table(path):
        text = path.read_text().split("[package.metadata.leptos]", 1)[1].split("\n[", 1)[0]
        return dict(re.findall(r"^([\w-]+)\s*=\s*(.+?)\s*$", text, re.M))

    run, build = table(ROOT / "Leptos.toml"), table(ROOT / "Cargo.toml")
    return [f"{key}: {run[key]} and {build[key]}" for key in run.keys() & build.keys() if run[key] != build[key]]


def migrations():
    """migrations are numbered without gaps and begin with a comment"""
    paths = sorted((ROOT / "migrations").glob("*.sql"))
    found = [f"{path.name} is not number {number:04d}" for number, path in enumerate(paths, 1)
             if not path.name.startswith(f"{number:04d}_")]
    return found + [f"{path.name} begins without a comment" for path in paths if not path.read_text().startswith("--")]


def pins():
    """the glue generator's version equals wasm-bindgen in Cargo.lock"""
    ours = re.search(r'"=([\d.]+)"', Path(ROOT, "scripts/bindgen/Cargo.toml").read_text()).group(1)
    lock = re.search(r'name = "wasm-bindgen"\nversion = "([\d.]+)"', Path(ROOT, "Cargo.lock").read_text()).group(1)
    return [] if ours == lock else [f"{ours} and {lock}"]


def typefaces():
    """every typeface is named after what it is cut to, and what pages ask for is one that the build serves"""
    faces = fonts.declared()
    found = [
        f"style/fonts.css: {face.file} must be {face.name}.{face.wanted()}.woff2"
        for face in faces if face.hash != face.wanted()
    ]
    served = {face.file for face in faces}
    asked = re.compile(r"/fonts/([\w.-]+)")
    places = [*sources(".rs"), *sources(".css", below=ROOT / "style")]
    return found + [
        f"{path.relative_to(ROOT)}: {name}"
        for path, lines in places for line in lines for name in asked.findall(line) if name not in served
    ]


RULES = [
    titles, textareas, style_attributes, allowances, module_texts, long_files, unfinished, server_functions, queries,
    settings, migrations, pins, typefaces,
]
