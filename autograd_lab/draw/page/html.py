"""Records → the page: one file that needs nothing from outside.

Relies on ``data`` and ``bundle``. Promises that nothing which a record says can be anything but data: see Note [Names
are data].

Note [Names are data]
Names of modules, variables and files come from anyone. They stand in one place only, a ``<script>`` of JSON, in which
every character but plain ASCII, and ``<``, ``>`` and ``&``, is written as an escape: no name can end the element, open
a comment in it or turn the direction of a line. The page's script writes them as text, never as markup. The
Content-Security-Policy allows the one script and the one style of the page, by their hashes, and no request to
anywhere.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from autograd_lab.draw.page.bundle import LANGUAGES, must_be_language, policy, script, style, words
from autograd_lab.draw.page.data import ROWS, VERSION, Writer
from autograd_lab.draw.page.scalar import played, scalars
from autograd_lab.draw.page.shared import Shared
from autograd_lab.errors import RenderError
from autograd_lab.records import Graph, Record, ScalarGraph, Trace

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def to_html(
    record: Record | Sequence[Trace],
    *,
    title: str | None = None,
    language: str = "en",
    histograms: Sequence[Mapping[str, Any]] = (),
    connect: str = "'none'",
    live: str | None = None,
) -> str:
    """Writes a page.

    Args:
        record: A ``Graph``, a ``Trace``, a ``ScalarGraph`` or a list of traces.
        title: The page's title; ``None`` leaves it to the page.
        language: The language in which it opens: a key of ``LANGUAGES``. It can be changed in the page.
        histograms: For each trace the histograms of its gradients, where these were kept.
        connect: See ``bundle.policy``.
        live: Where more traces come from, a path beside the page's own; ``None`` for a page that is whole.

    Returns:
        The file's text.

    Raises:
        RenderError: There's no such language, or the record has no page.

    Example:
        >>> to_html(Graph((), ())).startswith("<!doctype html>")
        True
    """
    must_be_language(language)
    data = page_data(record, title=title, language=language, histograms=histograms)
    if live is not None:
        data["live"] = live
    code, looks = script(), style()
    return _PAGE.format(
        language=LANGUAGES[language],
        policy=html.escape(policy(code, looks, connect=connect)),
        title=_text(title or "autograd_lab"),
        style=looks,
        data=as_json(data),
        words=as_json(words()),
        script=code,
        needs_script=_text(words()[language]["needs script"]),
    )


def page_data(
    record: Record | Sequence[Trace],
    *,
    title: str | None = None,
    language: str = "en",
    histograms: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Returns what the page shows, as Note [The page's data] has it.

    Args:
        record: As for ``to_html``.
        title: As for ``to_html``.
        language: As for ``to_html``.
        histograms: As for ``to_html``.

    Raises:
        RenderError: The record has no page.

    Example:
        >>> sorted(page_data(Graph((), ())))
        ['files', 'graphs', 'language', 'rows', 'strings', 'title', 'traces', 'version']
    """
    writer = Writer()
    graphs: list[dict[str, Any]]
    traces: list[dict[str, Any]] = []
    if isinstance(record, Graph):
        graphs = [writer.graph(record)]
    elif isinstance(record, ScalarGraph):
        trace = played(record)
        graphs = [writer.graph(trace.graph) | {"scalar": scalars(record, writer.strings)}]
        traces = [{**_WHICH, **writer.trace(trace, {})}]
    else:
        every = [record] if isinstance(record, Trace) else record
        if not isinstance(every, Sequence):
            raise RenderError(
                f"a page is of a Graph, a Trace or a ScalarGraph, not of a {type(record).__name__}"
            )
        shared = Shared(writer)
        which = [shared.add(trace.graph) for trace in every]
        graphs = shared.distinct
        kept = [*histograms, *({} for _ in every[len(histograms) :])]
        traces = [
            {**place, **writer.trace(trace, each)}
            for trace, place, each in zip(every, which, kept, strict=True)
        ]
    return {
        "version": VERSION,
        "language": language,
        "title": title,
        "rows": ROWS,
        "files": writer.files(),
        "graphs": graphs,
        "traces": traces,
        "strings": writer.strings.texts,
    }


def as_json(data: Any) -> str:
    r"""Writes data as JSON that nothing can end but the page: see Note [Names are data].

    Args:
        data: What JSON can hold.

    Example:
        >>> as_json(["</script>", "\u202e", "ŷ"])
        '["\\u003c/script\\u003e","\\u202e","\\u0177"]'
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def _text(text: str) -> str:
    """Writes a text into markup, as ASCII; what no page can hold becomes a question mark."""
    seen = "".join(character if character.isprintable() else "?" for character in text)
    return html.escape(seen).encode("ascii", "xmlcharrefreplace").decode("ascii")


_WHICH = {"graph": 0, "sequence0": 0, "versions": ()}

_PAGE = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<noscript>{needs_script}</noscript>
<header id="top"></header>
<main id="stage"></main>
<aside id="card"></aside>
<section id="player"></section>
<section id="panels"></section>
<script type="application/json" id="data">{data}</script>
<script type="application/json" id="words">{words}</script>
<script>{script}</script>
</body>
</html>
"""
