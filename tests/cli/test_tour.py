"""``autograd-lab tour``: the chapters listed, and run cell by cell."""

from __future__ import annotations

import io
import os
import sys

import pytest
from rich.cells import cell_len

from autograd_lab.tour import chapters, reading

SMALL = """\
# %% [markdown]
# # 0 · A small chapter
#
# ## Question
#
# What is $\\hat y$?

# %%
from dataclasses import dataclass, fields

print("live", 6 * 7, __name__)

# %% [markdown]
# ## Figure

# %%
import sys

from autograd_lab.tour import plot, show


@dataclass
class Own:
    size: int


assert fields(Own)[0].type is int
assert sys.modules["__main__"].Own is Own
show(plot("A plot")[0], "line")

# %%
if "fail" in sys.argv:
    raise KeyError("mine")
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    folder = tmp_path / "chapters"
    folder.mkdir()
    path = folder / "00_small.py"
    path.write_text(SMALL)
    monkeypatch.setattr(reading, "_FOLDERS", {"en": (folder,), "zh": (folder / "zh",)})
    return path


class Keys(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """What is typed, on a terminal; whatever isn't typed is the end of the file."""

    def typing(text):
        monkeypatch.setattr(sys, "stdin", Keys(text))
        monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True)

    return typing


def test_without_a_number_it_lists_the_chapters(lab):
    ran = lab("tour")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split(None, 1) for line in ran.out.splitlines()[:-2]] == [
        [str(chapter.number), chapter.title] for chapter in chapters()
    ]


def test_chinese_where_there_is_chinese(lab):
    ran = lab("tour", "--lang", "zh")
    titles = [chapter.title for chapter in chapters("zh")]
    assert ran.code == 0
    assert [line.split(None, 1)[1] for line in ran.out.splitlines()[:-2]] == titles
    assert titles != [chapter.title for chapter in chapters()]


def test_chinese_lines_are_filled_and_cut_no_word(lab, small, monkeypatch):
    sentence = (
        "計算圖裡的每個節點都是 PyTorch 的（由 Python 建立），前向傳播的時候才建立。你能自己寫一個嗎？" * 3
    )
    chinese = small.parent / "zh"
    chinese.mkdir()
    (chinese / small.name).write_text(f"# %% [markdown]\n# # 0 · 小小的一章\n#\n# {sentence}\n", "utf-8")
    for columns in range(40, 60):
        monkeypatch.setenv("COLUMNS", str(columns))
        ran = lab("tour", "0", "--lang", "zh")
        lines = [line.rstrip() for line in ran.out.splitlines() if line.strip()][1:]
        assert "".join("".join(lines).split()) == "".join(sentence.split())
        assert all(cell_len(line) >= columns - 9 for line in lines[:-1]), lines
        assert not any(line.startswith(tuple("，。？）")) or line.endswith("（") for line in lines), lines
        assert "\n".join(lines).count("PyTorch") == 3


def test_a_chapter_runs_cell_by_cell(lab, small):
    main = sys.modules["__main__"]
    ran = lab("tour", "0")
    assert (ran.code, ran.err) == (0, "")
    order = [
        "A small chapter",
        "What is ŷ?",
        'print("live", 6 * 7, __name__)',
        "live 42 __main__",
        "[plot: A plot]",
    ]
    places = [ran.out.index(text) for text in order]
    assert places == sorted(places)
    assert sys.modules["__main__"] is main


def test_a_real_chapter_runs(lab):
    ran = lab("tour", "2")
    assert (ran.code, ran.err) == (0, "")
    assert "PowBackward0 → [('SubBackward0', 0)]" in ran.out


def test_figures_are_written_where_asked(lab, small, tmp_path):
    ran = lab("tour", "0", "--figures", "made")
    assert ran.code == 0
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"00_small-line.svg", "00_small-line.png"}
    assert ran.out.splitlines()[-1] == f"The figures are in {tmp_path / 'made'}."
    assert "AUTOGRAD_LAB_FIGURES" not in os.environ


def test_on_a_terminal_it_waits_for_enter(lab, small, terminal):
    terminal("\n\n\n\n")
    ran = lab("tour", "0")
    assert ran.code == 0
    assert ran.out.count("Enter goes on, q leaves") == 4
    assert ran.out.index("1/5: Enter") < ran.out.index("live 42") < ran.out.index("2/5: Enter")


def test_in_chinese_it_asks_in_chinese(lab, small, terminal):
    chinese = small.parent / "zh"
    chinese.mkdir()
    (chinese / small.name).write_text("# %% [markdown]\n# # 0 · 小小的一章\n\n# %%\nprint(7 * 6)\n", "utf-8")
    terminal("\n")
    ran = lab("tour", "0", "--lang", "zh")
    assert ran.code == 0
    assert ran.out.count("按 Enter 繼續，q 離開") == 1
    assert "Enter goes on" not in ran.out


def test_q_leaves(lab, small, terminal):
    terminal("q\n")
    ran = lab("tour", "0")
    assert (ran.code, ran.err) == (0, "")
    assert "live" not in ran.out


def test_the_end_of_the_input_leaves_too(lab, small, terminal):
    terminal("")
    ran = lab("tour", "0")
    assert (ran.code, ran.err.strip()) == (130, "autograd-lab: stopped")


def test_no_pause_does_not_wait(lab, small, terminal):
    terminal("")
    ran = lab("tour", "0", "--no-pause")
    assert ran.code == 0
    assert "[plot: A plot]" in ran.out
    assert "Enter goes on" not in ran.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("99",), "there is no chapter 99; the tour's chapters are 0"),
        (("-1",), "no option -1: "),
        (("two",), "'two' is not a valid integer."),
        (("--lang", "de"), "no tour in 'de': use one of en, zh"),
        (("0", "1"), "Got unexpected extra argument (1)"),
    ],
)
def test_a_wrong_call_gets_one_line(lab, small, arguments, complaint):
    ran = lab("tour", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.err
    assert ran.err.count("\n") == 1


def test_a_cell_that_fails_says_so_and_names_its_line(lab, small, monkeypatch):
    failing = small.read_text().replace('"fail" in sys.argv', "True")
    small.write_text(failing)
    with pytest.raises(KeyError, match="mine") as raised:
        lab("tour", "0")
    line = failing.splitlines().index('    raise KeyError("mine")') + 1
    assert (raised.traceback[-1].path, raised.traceback[-1].lineno + 1) == (small, line)


def test_figures_are_of_a_chapter(lab, small):
    ran = lab("tour", "--figures", "made")
    assert (ran.code, ran.out) == (2, "")
    assert "--figures writes a chapter's figures: say which chapter" in ran.err
