"""The page's modules in one script, its words in two languages, and the policy that lets nothing else in."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from autograd_lab.draw.page import bundle as page
from autograd_lab.draw.page.bundle import BundleError, bundle


def bundled(name: str | None = None, **modules: str) -> str:
    return bundle("main.js", lambda file: modules[file.removesuffix(".js")], name)


def test_every_way_of_importing_and_exporting_that_is_carried_over():
    made = bundled(
        main='import { a as first,\n  b } from "./x.js";\nimport * as x from \'./x.js\';\nimport "./y.js";\n'
        "run(first, b, x);",
        x="/** @type {import('./y.js').Y} */\nexport const a = 1;\nexport function b() {}\n"
        "export async function c() {}\n"
        "export function* d() {}\nexport class E {}\nconst hidden = 2;",
        y="globalThis.y = 1;",
    )
    assert (
        made.index('modules["x.js"] =') < made.index('modules["y.js"] =') < made.index('modules["main.js"] =')
    )
    assert 'const { a: first,\n  b } = modules["x.js"];\nconst x = modules["x.js"];' in made
    assert "return { a, b, c, d, E };" in made
    assert not re.search(r"^(import|export)\b", made, re.MULTILINE)


def test_a_module_that_two_import_is_there_once():
    made = bundled(
        main='import "./a.js";\nimport "./b.js";', a='import "./c.js";', b='import "./c.js";', c=""
    )
    assert made.count('modules["c.js"] =') == 1


@pytest.mark.parametrize(
    ("modules", "says"),
    [
        ({"main": "export default 3;"}, "main.js: the bundle can't carry over 'export default 3;'"),
        ({"main": "export let a = 3;"}, "can't carry over 'export let a = 3;'"),
        ({"main": "export { a };"}, "can't carry over 'export { a };'"),
        ({"main": "export const { a } = b;"}, "can't carry over"),
        ({"main": 'import d3 from "d3";'}, "can't carry over"),
        ({"main": 'import { a } from "https://x.org/a.js";'}, "can't carry over"),
        ({"main": 'import "./a.js";', "a": 'import "./main.js";'}, "in a circle: main.js → a.js → main.js"),
        ({"main": "const end = '</SCRIPT>';"}, "holds '</SCRIPT', which may end"),
        ({"main": "const open = '<!--';"}, "holds '<!--', which may end"),
    ],
)
def test_what_the_bundle_cannot_carry_over_is_refused(modules, says):
    with pytest.raises(BundleError, match=re.escape(says)):
        bundled(**modules)


def test_the_policy_allows_the_pages_own_script_and_style_alone():
    code, looks = page.script(), page.style()
    rules = dict(rule.split(" ", 1) for rule in page.policy(code, looks).split("; "))
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["default-src"] == rules["connect-src"] == rules["base-uri"] == "'none'"
    assert "unsafe" not in page.policy(code, looks)
    assert "http" not in page.policy(code, looks)


FILES = page.files("script", ".js")
ROOT = Path(__file__).parents[3]


def test_each_module_of_the_script_can_be_had_by_itself():
    for file in FILES:
        name = file.removeprefix("script/")
        assert f'globalThis["x"] = modules["{name}"];' in page.script(name, "x")


def test_no_module_of_the_script_is_left_out():
    """Each is imported by ``main.js`` or by what that imports."""
    code = page.script()
    assert not [file for file in FILES if f'modules["{file.removeprefix("script/")}"] =' not in code]


def test_nothing_keeps_the_pages_files_out_of_the_wheel():
    """Hatchling takes the package's whole folder, but for what git ignores."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["packages"] == ["autograd_lab"]
    assert "autograd_lab" in build["targets"]["sdist"]["include"]
    assert not {"exclude", "only-include", "artifacts"} & {
        *build,
        *build["targets"]["wheel"],
        *build["targets"]["sdist"],
    }
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()]
    for file in (
        *FILES,
        *page.files("style", ".css"),
        *page.files("words/en", ".json"),
        *page.files("words/zh", ".json"),
    ):
        parts = ("autograd_lab", "draw", "page", *file.split("/"))
        assert not [pattern for pattern in ignored if fnmatch.filter(parts, pattern)], file


# --- words ---------------------------------------------------------------------------


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))


def test_both_languages_say_the_same_things():
    words = page.words()
    assert words["en"].keys() == words["zh"].keys()
    for key, text in words["en"].items():
        assert text
        assert placeholders(text) == placeholders(words["zh"][key]), key
        assert words["zh"][key], key


def test_the_words_that_the_script_asks_for_are_there():
    asked = {
        (file, key)
        for file in FILES
        for key in re.findall(r"""\bt\(\s*["']([^"']+)["']""", page.source(file))
    }
    assert not {(file, key) for file, key in asked if key not in page.words()["en"]}


def test_a_word_has_one_home(monkeypatch):
    page.words.cache_clear()
    monkeypatch.setattr(page, "files", lambda folder, ending: [f"{folder}/boxes.json"] * 2)
    with pytest.raises(BundleError, match="is in another file of words already"):
        page.words()
