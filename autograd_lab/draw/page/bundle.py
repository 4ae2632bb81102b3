"""The page's script modules, styles and words, each put together into one text.

Relies on the files beside it. Promises that the bundle is the modules' own code, each in a
function of its own in the order of their imports, so that no name of one meets a name of another; and that a module
which does what the bundle can't carry over is refused by name: see Note [Modules of the page].

Note [Modules of the page]
``script/*.js`` are ES modules, so that an editor and a browser's tests can load them one by one. A page that is
opened from disk can't: a browser lets no module be imported from a file. So the bundle makes a function of each:

    import { decode } from "./model.js";     const { decode } = modules["model.js"];
    export function mount(host) {…}          function mount(host) {…} … return { mount };

What it carries over: ``import { a, b as c } from "./x.js"``, ``import * as x from "./x.js"``, ``import "./x.js"``, and
``export`` before ``function``, ``async function``, ``class`` and ``const``, each at the beginning of a line. No
default, no ``export let`` (whose value may change), no ``export { … }``, no ``import(…)``, no circle.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Callable
from importlib import resources

from autograd_lab.errors import RenderError, nearest

LANGUAGES = {"en": "en", "zh": "zh-Hant-TW"}
"""Language of the page → what HTML calls it."""

_IMPORT = re.compile(
    r"""^import\b(?:\s*(?P<what>\*\s*as\s+[\w$]+|\{[^}]*\})\s*from)?\s*["']\./(?P<file>[\w./-]+)["'][ \t]*;?""",
    re.MULTILINE,
)
_EXPORT = re.compile(
    r"^export\s+(?P<code>(?:(?:async\s+)?function\b\s*\*?|class|const)\s+(?P<name>[\w$]+))", re.MULTILINE
)
_LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
_ENDS = re.compile(r"</script|<!--|\r", re.IGNORECASE)


class BundleError(ValueError):
    """A module of the page's script can't be put into the bundle."""


def bundle(entry: str, read: Callable[[str], str], name: str | None = None) -> str:
    r"""Puts a module and all that it imports into one script.

    Args:
        entry: The module's file.
        read: Returns a module's code.
        name: What a page's other scripts call the module's exports; ``None`` for nothing.

    Returns:
        The script.

    Raises:
        BundleError: See Note [Modules of the page].

    Example:
        >>> files = {"a.js": 'import { b } from "./b.js";\nexport const a = b + 1;', "b.js": "export const b = 1;"}
        >>> print(bundle("a.js", files.__getitem__, "a"))
        "use strict";
        (() => {
        const modules = {};
        modules["b.js"] = (() => {
        const b = 1;
        return { b };
        })();
        modules["a.js"] = (() => {
        const { b } = modules["b.js"];
        const a = b + 1;
        return { a };
        })();
        globalThis["a"] = modules["a.js"];
        })();
    """
    code = {}
    for file in _in_order(entry, read):
        code[file] = f"modules[{json.dumps(file)}] = (() => {{\n{_carried_over(file, read(file))}\n}})();\n"
    named = f"globalThis[{json.dumps(name)}] = modules[{json.dumps(entry)}];\n" if name else ""
    made = f'"use strict";\n(() => {{\nconst modules = {{}};\n{"".join(code.values())}{named}}})();'
    if found := _ENDS.search(made):
        raise BundleError(f"the script holds {found[0]!r}, which may end the element that it stands in")
    return made


def _in_order(entry: str, read: Callable[[str], str]) -> list[str]:
    """The modules, each after those that it imports."""
    order: dict[str, None] = {}
    around: list[str] = []

    def visit(file: str) -> None:
        if file in around:
            raise BundleError(f"imports lead in a circle: {' → '.join([*around, file])}")
        if file in order:
            return
        around.append(file)
        for found in _IMPORT.finditer(read(file)):
            visit(found["file"])
        around.pop()
        order[file] = None

    visit(entry)
    return list(order)


def _carried_over(file: str, code: str) -> str:
    names = [found["name"] for found in _EXPORT.finditer(code)]
    body = _EXPORT.sub(lambda found: found["code"], _IMPORT.sub(_as_constant, code)).strip("\n")
    if left := _LEFT.search(body):
        raise BundleError(f"{file}: the bundle can't carry over {left[0]!r}")
    return f"{body}\nreturn {{ {', '.join(names)} }};"


def _as_constant(found: re.Match[str]) -> str:
    what, module = found["what"], f"modules[{json.dumps(found['file'])}]"
    if what is None:  # imported for what it does
        return ""
    if what.startswith("*"):
        return f"const {what.split()[-1]} = {module};"
    names = re.sub(r"\s+as\s+", ": ", what)
    return f"const {names} = {module};"


# --- what the package carries --------------------------------------------------------


def source(file: str) -> str:
    """Returns a file of the page's, such as ``"script/main.js"``."""
    return resources.files(__package__).joinpath(file).read_text("utf-8")


@functools.cache
def script(entry: str = "main.js", name: str | None = None) -> str:
    """Returns the page's script, or that of one of its modules, as ``bundle`` makes it."""
    return bundle(entry, lambda file: source(f"script/{file}"), name)


@functools.cache
def style() -> str:
    """Returns the page's styles, file by file in the order of their names."""
    made = "\n".join(source(file) for file in files("style", ".css"))
    if "</" in made or "\r" in made:
        raise BundleError("the style holds '</', which may end the element that it stands in")
    return made


@functools.cache
def words() -> dict[str, dict[str, str]]:
    """Returns what the page says: language → key → text. Each part of the page has a file of its own."""
    found: dict[str, dict[str, str]] = {}
    for language in LANGUAGES:
        found[language] = {}
        for file in files(f"words/{language}", ".json"):
            more = json.loads(source(file))
            if twice := found[language].keys() & more.keys():
                raise BundleError(f"{file}: {sorted(twice)[0]!r} is in another file of words already")
            found[language] |= more
    return found


def must_be_language(language: object) -> None:
    """Raises for what is no key of ``LANGUAGES``.

    Raises:
        RenderError: As said.

    Example:
        >>> must_be_language("zh")
    """
    if not isinstance(language, str) or language not in LANGUAGES:
        raise RenderError(f"no language {language!r}: {nearest(str(language), LANGUAGES)}")


def files(folder: str, ending: str) -> list[str]:
    """Returns the package's files in a folder that end so, in the order of their names."""
    inside = resources.files(__package__).joinpath(folder)
    return sorted(f"{folder}/{file.name}" for file in inside.iterdir() if file.name.endswith(ending))


def policy(script: str, style: str, *, connect: str = "'none'") -> str:
    """Returns the Content-Security-Policy of a page: its own script and style, and nothing from outside.

    Args:
        script: The one script.
        style: The one style.
        connect: To where the script may open connections: a page that a server brings up to date says ``"'self'"``.

    Returns:
        The policy, for a ``<meta>``.

    Example:
        >>> policy("", "").split("; ")[:2]
        ["default-src 'none'", "script-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"]
    """
    rules = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": _hash(style),
        "img-src": "data: blob:",
        "connect-src": connect,
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
