"""Cuts the typefaces down to what style/fonts.css declares: the letters and the weights of each face.

The style sheet is the only place that says what a file holds. A file is named after what it was cut from and to, so that
browsers may keep it for ever; the rule `fonts` of the house tells the name when a declaration changed.
"""

import hashlib
import json
import re
from pathlib import Path

import common
import setup
from common import END2END, ROOT, TARGET, Stop, step

DECLARED = ROOT / "style" / "fonts.css"
#: Where the packages of the typefaces lie.
PACKAGES = END2END / "node_modules" / "@fontsource-variable"
#: What a face is cut from, by the start of its name: package and style. `-ext` at the end asks for its larger alphabet.
SOURCES = {
    "literata-italic": ("literata", "italic"),
    "literata": ("literata", "normal"),
    "hanken-grotesk": ("hanken-grotesk", "normal"),
}
#: What a typeface knows beside its letters that pages use: kerning, ligatures, accents in their place, even figures.
FEATURES = ["kern", "liga", "clig", "rlig", "calt", "ccmp", "locl", "mark", "mkmk", "rvrn", "tnum"]


class Face:
    """One `@font-face` of the style sheet."""

    def __init__(self, rule):
        found = re.search(r"url\(/fonts/([a-z0-9-]+)\.([0-9a-f]+)\.woff2\)", rule)
        if not found:
            raise Stop(f"{DECLARED.name}: a face without url(/fonts/NAME.HASH.woff2): {rule.strip()[:80]}")
        self.name, self.hash = found.groups()
        self.file = f"{self.name}.{self.hash}.woff2"
        self.weights = [int(number) for number in self.value(rule, "font-weight").split()]
        self.letters = self.value(rule, "unicode-range")
        start = next((start for start in SOURCES if self.name.startswith(start)), None)
        if not start:
            raise Stop(f"{DECLARED.name}: no package is known for {self.name}")
        self.family, style = SOURCES[start]
        alphabet = "latin-ext" if self.name.endswith("-ext") else "latin"
        self.source = f"{self.family}-{alphabet}-wght-{style}.woff2"

    def value(self, rule, key):
        """What the rule says about `key`."""
        found = re.search(rf"{key}:\s*([^;]+);", rule)
        if not found:
            raise Stop(f"{DECLARED.name}: {self.name} has no {key}")
        return " ".join(found.group(1).split())

    def wanted(self):
        """The hash that belongs into the name: of the letters, the weights, and the tools and files of that version."""
        packages = json.loads((END2END / "package.json").read_text())["devDependencies"]
        made_of = [self.source, self.letters, self.weights, FEATURES, packages["subset-font"],
                   packages[f"@fontsource-variable/{self.family}"]]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:8]

    def order(self, folder):
        """What scripts/fonts.mjs needs to know."""
        ranges = [[int(end, 16) for end in part.strip()[2:].split("-")] for part in self.letters.split(",")]
        return {"source": str(PACKAGES / self.family / "files" / self.source), "target": str(folder / self.file),
                "ranges": [[ends[0], ends[-1]] for ends in ranges], "weights": self.weights, "features": FEATURES}


def declared():
    """The faces of the style sheet."""
    return [Face(rule) for rule in re.findall(r"@font-face\s*\{([^}]*)\}", DECLARED.read_text())]


def cut():
    """Cuts what is not there yet. Returns every file of the typefaces by its place in the site."""
    folder = TARGET / "fonts"
    faces = declared()
    setup.node_packages()
    missing = [face.order(folder) for face in faces if not (folder / face.file).exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        orders = folder / "orders.json"
        orders.write_text(json.dumps(missing))
        with step("cut the typefaces", "4 s"):
            common.run(["node", ROOT / "scripts" / "fonts.mjs", orders], "fonts")
    files = {Path("fonts", face.file): folder / face.file for face in faces}
    for family in sorted({face.family for face in faces}):
        files[Path("fonts", f"{family}-license.txt")] = PACKAGES / family / "LICENSE"
    return files
