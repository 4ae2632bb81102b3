"""What chapters show: text in a plain run, files where a folder is named, pictures in a notebook."""

from __future__ import annotations

import pytest
import torch

import autograd_lab as lab
from autograd_lab.draw import traces_table
from autograd_lab.errors import GraphError, RenderError
from autograd_lab.tour import plot, show


@pytest.fixture
def loss(monkeypatch):
    monkeypatch.delenv("AUTOGRAD_LAB_FIGURES", raising=False)
    return (torch.tensor(0.0, requires_grad=True) * 2.0 - 4.0) ** 2


@pytest.fixture
def figures(tmp_path, monkeypatch):
    folder = tmp_path / "made" / "figures"
    monkeypatch.setenv("AUTOGRAD_LAB_FIGURES", str(folder))
    return folder


def small_plot():
    figure, axes = plot("A line", x="w", y="loss")
    axes.plot([0, 1], [1, 0])
    return figure


def test_a_record_is_its_table(loss, capsys):
    graph = lab.capture(loss)
    show(graph, saved=True)
    assert capsys.readouterr().out == f"{graph}\n"


def test_live_outputs_are_captured(loss, capsys):
    show(loss, "chain", view="scalar", names={"loss": loss})
    out = capsys.readouterr().out
    assert out.startswith("6 variables, 3 operations\n")
    assert "∂loss/∂·" in out


def test_several_traces_are_one_table(loss, capsys):
    traces = [lab.trace(loss, retain_graph=True), lab.trace(loss)]
    show(traces, view="norms")
    assert capsys.readouterr().out == traces_table(traces)


def test_what_is_not_text_is_said_in_a_line(loss, capsys):
    show(small_plot())
    show(loss, view="torchviz")
    assert capsys.readouterr().out == "[plot: A line]\n[picture: the graph as torchviz draws it]\n"


def test_no_file_is_left_without_a_folder_for_figures(loss, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    show(loss, "graph")
    show(small_plot(), "plot")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["slope", None])
def test_figures_are_written_where_the_variable_says(loss, figures, name):
    loss = lab.capture(loss)
    show(loss, name, title="The graph")
    stem = f"test_figures-{name}" if name else "test_figures"
    assert {path.name for path in figures.iterdir()} == {f"{stem}.svg", f"{stem}.png"}
    assert (figures / f"{stem}.svg").read_text("utf-8") == lab.render(loss, format="svg", title="The graph")
    assert (figures / f"{stem}.png").read_bytes().startswith(b"\x89PNG")


def test_plots_are_written_too(figures):
    show(small_plot(), "line")
    assert "<svg" in (figures / "test_figures-line.svg").read_text("utf-8")
    assert (figures / "test_figures-line.png").read_bytes().startswith(b"\x89PNG")


def test_a_notebook_gets_the_picture_and_the_text(loss, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "autograd_lab.tour.figures._notebook", lambda: lambda *given, **how: shown.append((given, how))
    )
    show(lab.capture(loss))
    show(small_plot())
    for (bundle,), how in shown:
        assert how == {"raw": True}
        assert bundle["image/svg+xml"].startswith("<?xml")
    assert [bundle["text/plain"] for (bundle,), _ in shown] == [str(lab.capture(loss)), "[plot: A line]"]


def test_ipython_is_a_notebook(loss, tmp_path, monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance(user_ns={"loss": loss}, history_manager=None)
    try:
        with capture_output() as captured:
            shell.run_cell("from autograd_lab.tour import show; show(loss)").raise_error()
    finally:
        InteractiveShell.clear_instance()
    (output,) = captured.outputs
    assert set(output.data) == {"image/svg+xml", "text/plain"}


@pytest.mark.parametrize("figures_too", [False, True])
def test_a_wrong_option_is_an_error_in_every_run(loss, figures_too, tmp_path, monkeypatch):
    if figures_too:
        monkeypatch.setenv("AUTOGRAD_LAB_FIGURES", str(tmp_path))
    with pytest.raises(RenderError, match="has no option 'colour'"):
        show(loss, colour="red")
    with pytest.raises(GraphError):
        show(torch.ones(3))


def test_a_surface_has_three_axes():
    assert plot("Loss", projection="3d")[1].name == "3d"
