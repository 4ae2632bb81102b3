"""Search in Chinese, which writes no spaces between words: each pair of neighbouring characters is a word of the index.

A query is taken apart likewise, by the same rule in JavaScript. What isn't Chinese is split as in English.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

_RUNS = re.compile("[\u4e00-\u9fff]+|[^\u4e00-\u9fff]+")

_IN_JAVASCRIPT = r"""
function splitQuery(query) {
  const runs = query.match(/[\u4e00-\u9fff]+|[^\u4e00-\u9fff]+/g) ?? [];
  return runs.flatMap((run) => {
    if (!/[\u4e00-\u9fff]/.test(run)) {
      return run.split(/[^\p{Letter}\p{Number}_\p{Emoji_Presentation}]+/gu).filter((word) => word);
    }
    return run.length < 2 ? [run] : [...run].slice(1).map((character, place) => run[place] + character);
  });
}
"""


class EnglishAndChinese(SearchEnglish):
    """How the index and the search box tell words apart."""

    js_splitter_code = _IN_JAVASCRIPT

    def split(self, text: str) -> list[str]:
        """Splits a text into words.

        Args:
            text: What a page says, or what somebody looks for.

        Returns:
            English words whole, Chinese in pairs of characters.
        """
        return [word for run in _RUNS.findall(text) for word in self._words(run)]

    def _words(self, run: str) -> list[str]:
        if not "\u4e00" <= run[0] <= "\u9fff":
            return super().split(run)
        return [run[place : place + 2] for place in range(max(1, len(run) - 1))]


def setup(app: Sphinx) -> dict[str, bool]:
    """Takes the place of Sphinx's English, the language of the site."""
    app.add_search_language(EnglishAndChinese)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
