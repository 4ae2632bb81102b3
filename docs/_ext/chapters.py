"""The tour's chapters: read from percent files, and given a link to the notebook that the build made of them.

MyST-NB executes each chapter and writes it, outputs and all, as a notebook. The link is put below the title of the
page, and isn't in the notebook.
"""

from __future__ import annotations

import os
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import download_reference
from sphinx.application import Sphinx

_WORDS = {"en": "Download this page as a notebook", "zh": "下載這一頁的 notebook"}
_BEFORE_SPHINX_COLLECTS_DOWNLOADS = 400


def language_of(docname: str) -> str:
    """Gives the language of a page: ``"zh"`` or ``"en"``."""
    return "zh" if docname.startswith("zh/") else "en"


def _link(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    if app.env.doc2path(docname).suffix != ".py":
        return
    notebook = Path(app.env.mystnb_config.output_folder, f"{docname}.ipynb")
    link = download_reference(
        "", _WORDS[language_of(docname)], reftarget="/" + os.path.relpath(notebook, app.srcdir)
    )
    title = next(doctree.findall(nodes.title))
    title.parent.insert(1, nodes.paragraph("", "", link, classes=["notebook-link"]))


def _language(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:  # noqa: ARG001
    if language_of(pagename) == "zh":
        context["language"] = "zh-Hant-TW"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects to the build."""
    app.connect("doctree-read", _link, priority=_BEFORE_SPHINX_COLLECTS_DOWNLOADS)
    app.connect("html-page-context", _language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
