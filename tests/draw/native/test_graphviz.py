"""The real Graphviz, by either way to it: what's drawn, in which fonts, and what's said when it can't be."""

import io
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader

from autograd_lab.draw.native import graphviz
from autograd_lab.errors import RenderError

WAYS = ["wheel", "program"] if shutil.which("dot") else ["wheel"]
"""The wheel is always tried, a real ``dot`` where there is one; `fake_dot` stands in for it elsewhere."""

SIMPLE = 'digraph { a [label="one"]; b [label="two"]; a -> b }'


@pytest.fixture(params=WAYS)
def way(request, monkeypatch, tmp_path):
    if request.param == "wheel":
        monkeypatch.setenv("PATH", str(tmp_path))
    return request.param


@pytest.fixture
def fake_dot(monkeypatch, tmp_path):
    """Puts a program on the PATH that is named ``dot``, runs the given Python and tells what it was called with."""

    def put(body: str):
        record = tmp_path / "called.json"
        program = tmp_path / "dot"
        program.write_text(
            f"#!{sys.executable}\nimport json, os, signal, sys\n"
            "given = sys.stdin.read() if '-V' not in sys.argv else ''\n"
            "fonts = open(os.environ['FONTCONFIG_FILE']).read() if 'FONTCONFIG_FILE' in os.environ else ''\n"
            f"with open({str(record)!r}, 'a') as file:\n"
            "    print(json.dumps({'argv': sys.argv[1:], 'stdin': given, 'fonts': fonts}), file=file)\n"
            + body,
            encoding="utf-8",
        )
        program.chmod(0o755)
        return record

    monkeypatch.setenv("PATH", str(tmp_path))
    return put


def image(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("L")


def pdf_text(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


# --- what comes out ------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG\r\n"), ("pdf", b"%PDF")])
def test_each_format_begins_as_it_should(way, kind, begins):
    assert graphviz.run(SIMPLE, kind).startswith(begins)


def test_a_picture_is_the_same_each_time(way):
    assert graphviz.run(SIMPLE, "svg") == graphviz.run(SIMPLE, "svg")
    assert graphviz.run(SIMPLE, "png") == graphviz.run(SIMPLE, "png")


def test_pinned_nodes_stay_where_they_are(way):
    text = (
        'digraph { a [pos="50,300"]; b [pos="200,40"]; a -> b [pos="e,200,60 50,280 50,200 200,150 200,70"] }'
    )
    svg = graphviz.run(text, "svg", pinned=True).decode()
    # Graphviz moves the whole picture, so differences are compared; y is turned round in SVG.
    numbers = [line.split('d="')[1].split('"')[0] for line in svg.splitlines() if "<path" in line]
    (curve,) = [value.replace("M", "").replace("C", " ").split() for value in numbers]
    points = [tuple(map(float, point.split(","))) for point in curve]
    assert len(points) == 4
    assert [round(points[3][0] - points[0][0]), round(points[3][1] - points[0][1])] == [150, 210]


def test_unpinned_positions_are_not_looked_at(way):
    here = graphviz.run('digraph { a [pos="0,0"]; b [pos="900,0"]; a -> b }', "svg")
    assert here == graphviz.run("digraph { a; b; a -> b }", "svg")


def test_dpi_sets_the_pixels_of_a_png(way):
    width, height = image(graphviz.run(SIMPLE, "png")).size
    twice = image(graphviz.run(SIMPLE, "png", dpi=192)).size
    assert twice == pytest.approx((2 * width, 2 * height), abs=2)
    assert graphviz.run(SIMPLE, "svg", dpi=192) == graphviz.run(SIMPLE, "svg")


def test_a_brace_after_the_graph_does_not_keep_attributes_out(way):
    width, _ = image(graphviz.run(SIMPLE, "png", dpi=96)).size
    wider, _ = image(
        graphviz.run('digraph { "}" [label="one"]; b [label="two"]; "}" -> b } \n', "png", dpi=192)
    ).size
    assert wider == pytest.approx(2 * width, abs=2)


@pytest.mark.parametrize(("width", "height"), [(400, 300_000), (300_000, 400), (40_000, 30_000)])
def test_a_png_is_small_enough_to_be_opened(way, width, height):
    corners = "".join(f'n{x}_{y} [pos="{x},{y}"];' for x in (0, width) for y in (0, height))
    picture = image(graphviz.run("digraph {" + corners + " " * 9_000 + "}", "png", pinned=True, dpi=600))
    assert max(picture.size) <= 32_767
    assert picture.width * picture.height < 65_000_000
    # And no smaller than it must be.
    assert max(picture.size) > 31_000 or picture.width * picture.height > 60_000_000


@pytest.mark.parametrize("pinned", [True, False])
def test_a_long_graph_fits_on_a_pdf_page_and_a_small_one_keeps_its_size(way, pinned):
    chain = "".join(f'n{i} [pos="0,{72 * (400 - i)}"];' for i in range(400))
    edges = "".join(f"n{i} -> n{i + 1};" for i in range(399))
    page = PdfReader(io.BytesIO(graphviz.run(f"digraph {{{chain}{edges}}}", "pdf", pinned=pinned))).pages[0]
    assert 14_000 < page.mediabox.height <= 14_400
    small = PdfReader(io.BytesIO(graphviz.run(SIMPLE, "pdf"))).pages[0]
    assert 100 < small.mediabox.height < 300


# --- fonts ---------------------------------------------------------------------------

SIGNS = "ŷ = w·x × − ²"

BARE = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from autograd_lab.draw.native import graphviz
    folder = Path(sys.argv[1])
    for word in ("MulBackward0", "AddBackward0"):
        text = 'digraph { node [fontname="DejaVu Sans"]; a [label="%s", width=3] }' % word
        (folder / (word + ".png")).write_bytes(graphviz.run(text, "png"))
    text = 'digraph { node [fontname="DejaVu Sans"]; a [label="MulBackward0"]; b [label="ŷ = w·x × − ²"] }'
    (folder / "text.pdf").write_bytes(graphviz.run(text, "pdf"))
    """
)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Pictures drawn with an empty environment and fontconfig pointed at nothing."""
    folder = tmp_path_factory.mktemp("bare")
    # Only what finds the package itself is kept: the checkout isn't always installed.
    root = str(Path(graphviz.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(folder)],
        env={"FONTCONFIG_FILE": os.devnull, "FONTCONFIG_PATH": str(folder), "PATH": "", "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    return folder


def test_without_any_fonts_a_pdf_holds_its_text(bare):
    text = pdf_text((bare / "text.pdf").read_bytes())
    assert "MulBackward0" in text
    assert "".join(SIGNS.split()) in "".join(text.split())


def test_without_any_fonts_two_words_look_different_in_a_png(bare):
    one, other = ((bare / f"{word}.png").read_bytes() for word in ("MulBackward0", "AddBackward0"))
    assert image(one).size == image(other).size
    assert image(one).tobytes() != image(other).tobytes()


def test_the_check_above_would_see_empty_boxes(monkeypatch, tmp_path):
    def no_fonts(_held: object) -> dict[str, str]:
        return {"FONTCONFIG_FILE": os.devnull}

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(graphviz, "fonts_at_hand", no_fonts)
    one, other = (
        image(graphviz.run(f'digraph {{ a [label="{word}", width=3] }}', "png"))
        for word in ("MulBackward0", "AddBackward0")
    )
    assert one.tobytes() == other.tobytes()


def test_whatever_font_is_asked_for_it_is_dejavu(way):
    families = ["Times", "Helvetica", "Nothing Known", "monospace", "cmr10", "STIXGeneral"]
    nodes = "".join(f'n{i} [label="abc", fontname="{name}"];' for i, name in enumerate(families))
    page = PdfReader(io.BytesIO(graphviz.run(f"digraph {{ {nodes} }}", "pdf"))).pages[0]
    fonts = {str(font.get_object()["/BaseFont"]) for font in page["/Resources"]["/Font"].values()}
    assert {name.split("+")[1] for name in fonts} == {"DejaVuSans", "DejaVuSansMono"}


def test_widths_are_those_of_dejavu(way):
    svg = graphviz.run(
        'digraph { a [label="MulBackward0", fontname="Times", shape=box, margin=0, width=0] }', "svg"
    )
    line = next(line for line in svg.decode().splitlines() if "<polygon" in line and 'stroke="black"' in line)
    xs = [float(point.split(",")[0]) for point in line.split('points="')[1].split('"')[0].split()]
    # 104 points is what DejaVu Sans makes of it at 14 points, 85 what Times does.
    assert max(xs) - min(xs) == pytest.approx(104, abs=3)


# --- what is said --------------------------------------------------------------------


def test_nothing_is_said_and_the_environment_is_left_alone(way, capfd):
    before = dict(os.environ)
    for kind in graphviz.FORMATS:
        graphviz.run(SIMPLE, kind)
    assert capfd.readouterr() == ("", "")
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("text", "pinned", "reason"),
    [
        ("digraph { a -> ", False, "syntax error"),
        ("hello", False, "syntax error in line 1 near 'hello'"),
        ("", False, "no graph in the text"),
        ("digraph { a [label=<<b>x>] }", False, "mismatched tag"),
        ('digraph { a [pos="1,2"]; b }', True, "has no position"),
    ],
)
def test_what_cannot_be_drawn_is_an_error_of_one_line(way, text, pinned, reason):
    with pytest.raises(RenderError, match=reason) as error:
        graphviz.run(text, "svg", pinned=pinned)
    assert "\n" not in str(error.value)


def test_a_warning_of_graphviz_is_a_python_warning(way):
    with pytest.warns(UserWarning, match="unknown shape"):
        graphviz.run("digraph { a [shape=nothing_known] }", "svg")


def test_an_unknown_format_is_refused():
    with pytest.raises(RenderError, match="use one of svg, png, pdf"):
        graphviz.run(SIMPLE, "gif")


# --- which Graphviz ------------------------------------------------------------------


def test_which_says_the_version(way):
    found = graphviz.which()
    assert found.source == {"wheel": "pygraphviz wheel", "program": "dot on the PATH"}[way]
    assert int(found.version.split(".")[0]) >= 2
    assert Path(found.path).exists()


def test_the_dot_on_the_path_is_used(fake_dot):
    record = fake_dot("sys.stdout.write('PICTURE')")
    assert graphviz.run("digraph { ŷ }", "svg") == b"PICTURE"
    (called,) = map(json.loads, record.read_text().splitlines())
    assert called["argv"] == ["-Kdot", "-Tsvg"]
    assert called["stdin"] == "digraph { ŷ }"
    assert "DejaVu" in called["fonts"]


def test_the_dot_on_the_path_draws_what_is_pinned(fake_dot):
    record = fake_dot("sys.stdout.write('PICTURE')")
    graphviz.run("digraph { a }", "pdf", pinned=True)
    (called,) = map(json.loads, record.read_text().splitlines())
    assert sorted(called["argv"]) == ["-Kneato", "-Tpdf", "-n2"]


def test_the_dot_on_the_path_says_its_version(fake_dot, tmp_path):
    fake_dot("sys.stderr.write('dot - graphviz version 9.8.7 (20240101.0000)\\n')")
    expected = graphviz.Graphviz("dot on the PATH", "9.8.7", str(tmp_path / "dot"))
    assert graphviz.which() == expected


def test_a_dot_that_does_not_answer_is_told(fake_dot):
    fake_dot("sys.exit(1)")
    with pytest.raises(RenderError, match="reinstall Graphviz"):
        graphviz.which()


def test_an_error_of_the_dot_on_the_path_is_told(fake_dot):
    fake_dot("sys.stderr.write('Fontconfig warning: old\\nError: <stdin>: bad luck\\n'); sys.exit(1)")
    with pytest.raises(RenderError, match=r"can't draw this: <stdin>: bad luck$"):
        graphviz.run(SIMPLE, "svg")


def test_a_crash_of_the_dot_on_the_path_is_an_error(fake_dot):
    fake_dot("os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(RenderError, match=r"crashed \(SIGSEGV\)"):
        graphviz.run(SIMPLE, "svg")


@pytest.fixture
def fake_wheel(monkeypatch, tmp_path):
    """Puts a package named pygraphviz before the real one, in the child only."""

    def put(body: str) -> None:
        (tmp_path / "pygraphviz.py").write_text(body)

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return put


def test_a_crash_of_the_wheel_is_an_error(fake_wheel):
    fake_wheel("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(RenderError, match=r"crashed \(SIGSEGV\)"):
        graphviz.run(SIMPLE, "svg")


@pytest.mark.parametrize("ask", [graphviz.which, lambda: graphviz.run(SIMPLE, "svg")])
def test_without_any_graphviz_the_error_says_what_to_install(fake_wheel, ask):
    fake_wheel("raise ModuleNotFoundError(\"No module named 'pygraphviz'\", name='pygraphviz')")
    with pytest.raises(RenderError, match="No module named 'pygraphviz': pip install pygraphviz"):
        ask()
