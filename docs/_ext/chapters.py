"""The tour's chapters: read from percent files, and linked to their notebooks and to their twins in the other language.

MyST-NB executes each chapter and writes it, outputs and all, as a notebook. The links are put below the title of the
page, and aren't in the notebook.
"""

from __future__ import annotations

import os
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx

_WORDS = {"en": "Download this page as a notebook", "zh": "下載這一頁的 notebook"}
_OTHER = {"en": "繁體中文", "zh": "English"}
_BEFORE_SPHINX_COLLECTS_DOWNLOADS = 400


def language_of(docname: str) -> str:
    """Returns the language of a page: ``"zh"`` or ``"en"``."""
    return "zh" if docname.startswith("zh/") else "en"


def _links(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    if app.env.doc2path(docname).suffix != ".py":
        return
    notebook = Path(app.env.mystnb_config.output_folder, f"{docname}.ipynb")
    link = download_reference(
        "", _WORDS[language_of(docname)], reftarget="/" + os.path.relpath(notebook, app.srcdir)
    )
    links = nodes.paragraph("", "", link, classes=["chapter-links"])
    twin = docname.removeprefix("zh/") if language_of(docname) == "zh" else f"zh/{docname}"
    if twin in app.env.found_docs:
        links += [nodes.Text(" · "), _link_to(twin, _OTHER[language_of(docname)])]
    title = next(doctree.findall(nodes.title))
    title.parent.insert(1, links)


def _link_to(docname: str, text: str) -> nodes.Element:
    return pending_xref(
        "",
        nodes.inline("", text),
        refdomain="std",
        reftype="doc",
        reftarget=f"/{docname}",
        refexplicit=True,
        refwarn=True,
    )


def _language(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:  # noqa: ARG001
    if language_of(pagename) == "zh":
        context["language"] = "zh-Hant-TW"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects to the build."""
    app.connect("doctree-read", _links, priority=_BEFORE_SPHINX_COLLECTS_DOWNLOADS)
    app.connect("html-page-context", _language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
