"""The panels below the drawing: the record's numbers, sorted, filtered, and linked to the drawing both ways."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import autograd_lab as lab
from autograd_lab.draw import digits
from autograd_lab.draw.page import bundle
from autograd_lab.draw.plots.measures import word
from autograd_lab.draw.plots.norms import norms
from autograd_lab.records import Edge, GradStats, Graph, Node, Saved, Source, Step, TensorMeta, Trace

pytestmark = pytest.mark.browser

WORDS = {
    "zero": "0 zero",
    "no gradient": "– no gradient",
    "NaN": "× NaN",
    "inf": "∞ infinite",
}
CONTRAST = (Path(__file__).parent.parent / "support" / "contrast.js").read_text()
META = TensorMeta((2, 3), "float32", "cpu")


def leaves_with(*came, number=0):
    """A backward in which these norms arrived at leaves."""
    names = [f"layers.{at}.weight" for at in range(len(came))]
    leaves = [
        Node(at + 1, "AccumulateGrad", "accumulate", 2**64 - 1, (META,), variable=name)
        for at, name in enumerate(names)
    ]
    root = Node(0, "SumBackward0", "op", 1, (META,), tuple(Edge(leaf.id, 0) for leaf in leaves))
    steps = [Step(0, 0, (GradStats(META, 1.0),), (), 0, 1000)]
    for leaf, norm in zip(leaves, came, strict=True):
        stats = None if norm is None else GradStats(META, norm)
        steps.append(Step(leaf.id, leaf.id, (stats,), (), 1000 * leaf.id, 500))
    return Trace(Graph((root, *leaves), (Edge(0, 0),)), tuple(steps), 10_000, number=number)


def trained(count=1, layers=2):
    """Backwards of a small model that was watched."""
    model = torch.nn.Sequential(
        *(module for _ in range(layers) for module in (torch.nn.Linear(4, 4), torch.nn.Tanh()))
    )
    with lab.watch(model) as watched:
        for step in range(count):
            model(torch.ones(3, 4) * (step + 1)).exp().sum().backward()
    return list(watched.traces)


def chain(count):
    nodes = tuple(
        Node(at, "SinBackward0", "op", count - at, (META,), (Edge(at + 1, 0),)) for at in range(count - 1)
    )
    return Graph((*nodes, Node(count - 1, "CosBackward0", "op", 0, (META,))), (Edge(0, 0),))


def bars(page, panel):
    """A name and what is written beside it, for each row."""
    rows = page.locator(f"#panel-{panel} .bars-row").all()
    return {
        row.locator(".bars-name").inner_text(): row.locator(".bars-value, .bars-word").all_inner_texts()
        for row in rows
    }


def written(norm):
    named = word(norm)
    return digits.number(norm) if named is None else WORDS[named]


def test_norms_are_the_records_and_what_is_no_number_has_a_sign_and_a_word(opened):
    trace = leaves_with(3.0, 0.0, 1e-9, math.nan, None, math.inf, 250.0)
    page = opened(trace)
    page.click("#tab-norms")
    found = {name: "".join(texts) for name, texts in bars(page, "norms").items()}
    assert found == {name: written(norm) for name, norm in norms(trace).items()}
    assert list(found) == list(norms(trace))  # the model's first leaf on top
    lengths = {
        row.locator(".bars-name").inner_text(): row.locator(".bars-bar").bounding_box()["width"]
        for row in page.locator("#panel-norms .bars-row").all()
        if row.locator(".bars-bar").count()
    }
    place = math.log(lengths["layers.0.weight"] - lengths["layers.2.weight"]) - math.log(
        lengths["layers.6.weight"] - lengths["layers.2.weight"]
    )
    assert math.exp(place) == pytest.approx(math.log(3.0 / 1e-9) / math.log(250 / 1e-9), abs=0.01)
    page.click("text=layers.3.weight")
    assert page.locator("#stage .item.selected").get_attribute("data-key") == "n4"


def test_parameters_of_large_models_are_taken_together_by_layer(opened):
    trace = trained(layers=35)[0]
    page = opened(trace)
    page.click("#tab-norms")
    of_layer = [norm for name, norm in norms(trace).items() if name.rpartition(".")[0] == "4"]
    assert bars(page, "norms")["4"] == [digits.number(math.hypot(*of_layer))]
    page.click("text=Each parameter")
    assert bars(page, "norms")["4.weight"] == [digits.number(norms(trace)["4.weight"])]


def test_saved_memory_is_read_at_a_step_and_leads_to_it(opened):
    trace = trained()[0]
    page = opened(trace)
    page.click("#tab-memory")
    note = page.inner_text("#panel-memory .panel-note")
    assert digits.nbytes(trace.graph.saved_activation_nbytes) in note
    assert digits.nbytes(trace.graph.saved_parameter_nbytes) in note
    saved = [saved for node in trace.graph.nodes for saved in node.saved]
    largest = max(each.storage_nbytes or 0 for each in saved if each.owner is None)
    assert page.locator(".memory-holders b").first.inner_text() == digits.nbytes(largest)
    page.locator(".plot-area").click()  # in the middle
    step = round(len(trace.steps) / 2)
    ran = {each.node for each in trace.steps[:step]}
    left = Graph(tuple(node for node in trace.graph.nodes if node.id not in ran), ())
    assert page.inner_text(".play-position").startswith(f"step {step} of")
    assert digits.nbytes(left.saved_activation_nbytes) in page.inner_text(".memory-reading")
    page.click(".memory-holders li:first-child button")
    assert page.locator("#stage .selected").count() == 1


def sharing(own=0):
    """A backward whose nodes keep a parameter, three views of one storage of 9 MiB, and so many bytes each."""
    meta = TensorMeta((4, 8), "float32", "cpu")
    view = Saved("mat1", meta=meta, nbytes=128, storage=1, storage_nbytes=9 << 20)
    weight = Saved(
        "mat2", meta=meta, nbytes=128, storage=2, storage_nbytes=128, variable="weight", owner="parameter"
    )
    nodes = [
        Node(
            at,
            "MmBackward0",
            "op",
            3 - at,
            (meta,),
            (Edge(at + 1, 0),) if at < 2 else (),
            module="cell",
            source=Source("/code/train.py", 7, "forward"),
            saved=(view, weight, Saved("result", meta=meta, nbytes=own)),
        )
        for at in range(3)
    ]
    steps = [Step(at, at, (GradStats(meta, 1.0),), (), 1000 * at, 500) for at in range(3)]
    return Trace(Graph(tuple(nodes), (Edge(0, 0),)), tuple(steps), 10_000)


def test_saved_bytes_mean_the_same_in_every_view(opened):
    page = opened(sharing(), address="#node=0")
    page.select_option("#colour", "saved")
    page.click("#tab-nodes")
    heads = page.locator("#panel-nodes [role=columnheader]").all_inner_texts()
    row = dict(zip((head.rstrip(" ▲▼") for head in heads), rows(page)[0], strict=True))
    assert (row["saved activations"], row["saved parameters"]) == ("9 MiB", "128 B")
    assert page.locator('#stage [data-key="n0"]').text_content().endswith("9 MiB")
    assert page.inner_text("#colour option:checked") == "saved activations"
    legend = page.locator(".legend")
    assert legend.locator("h2").inner_text() == "Saved activations"
    assert legend.locator(".ends").inner_text() == "9 MiB"  # rounded in its unit
    assert "128 B of a storage of 9 MiB" in page.inner_text("[data-section=saved]")


def test_what_holds_memory_says_what_it_shares_and_that_parameters_live_on(opened):
    page = opened(sharing())
    page.click("#tab-memory")
    assert page.locator(".memory-holders small").all_inner_texts() == [
        "f32[4,8], 128 B of a storage of 9 MiB that 3 saved values share · cell · train.py:7 · freed by step 3",
        "f32[4,8], one storage that 3 saved values share · a parameter · cell · train.py:7 · "
        "no longer needed by the graph after step 3",
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_a_step_frees_is_seen_whole(opened, language):
    page = opened(sharing(123_456_789), language=language)
    page.click(".play-button.forward")
    page.click(".play-button.forward")
    part = page.locator(".now-part:last-child")
    assert "117.7 MiB" in part.locator("p").nth(1).inner_text()
    assert part.evaluate("(part) => part.scrollHeight - part.clientHeight") == 0


def test_card_and_panel_take_their_percentages_of_the_same_time(opened):
    trace = trained()[0]
    page = opened(trace)
    ofs = [step.duration_ns for step in trace.steps]
    rest = digits_of(page, f"duration({trace.total_ns - sum(ofs)})")
    assert f"{rest} went into the engine, hooks and measuring" in page.inner_text("#card")
    page.click("#tab-time")
    _, share, _ = bars(page, "time")["0"][0].split(" · ")
    page.click("#panel-time .bars-name >> text='0'")
    assert f"({share} of all nodes' time)" in page.inner_text("#card")


def digits_of(page, call):
    page.evaluate(bundle.script("digits.js", "digits"))
    return page.evaluate(f"digits.{call}")


def test_time_by_module_adds_up_and_is_sorted(opened):
    trace = trained()[0]
    page = opened(trace)
    page.click("#tab-time")
    found = {name: texts[0].split(" · ") for name, texts in bars(page, "time").items()}
    times = {}
    for step in trace.steps:
        node = trace.graph.nodes[step.node]
        module = node.variable.rpartition(".")[0] if node.variable else node.module
        name = {None: "(no module)", "": "(the model itself)"}.get(module, module)
        times[name] = times.get(name, 0) + step.duration_ns
    assert list(found) == sorted(times, key=lambda name: -times[name])
    whole = sum(times.values())
    shares = {name: f"{100 * spent / whole:.1f} %" for name, spent in times.items()}
    assert {name: share for name, (_, share, _) in found.items()} == shares
    page.click("text=With what is inside")
    whole_model, *_ = (texts[0].split(" · ") for texts in bars(page, "time").values())
    inside = [
        step
        for step in trace.steps
        if trace.graph.nodes[step.node].module or trace.graph.nodes[step.node].variable
    ]
    assert whole_model[1:] == [
        f"{100 * sum(step.duration_ns for step in inside) / whole:.1f} %",
        f"{len(inside)} nodes",
    ]


def test_a_narrow_window_keeps_a_sign_of_the_choice_and_texts_stand_over_the_lines_of_a_plot(opened):
    page = opened(trained(2))
    page.set_viewport_size({"width": 1000, "height": 800})
    assert "#" in page.inner_text(".backwards").replace("\n", "")
    page.click("#tab-memory")
    page.locator(".plot-area").click()
    order = page.locator(".plot .plot-grid, .plot .plot-mark, .plot .memory-peak-text").evaluate_all(
        "(all) => all.map((each) => each.classList[0])"
    )
    assert order[-1] == "memory-peak-text"
    assert "plot-mark" in order


def rows(page):
    """The cells of each row that is in the document, in their order."""
    found = page.locator("#panel-nodes .rows-inside .table-row").all()
    return [row.locator("[role=gridcell]").all_inner_texts() for row in found]


def test_the_table_says_what_the_record_says_and_sorts_by_every_column(opened):
    trace = trained()[0]
    page = opened(trace)
    page.click("#tab-nodes")
    heads = page.locator("#panel-nodes [role=columnheader]").all_inner_texts()
    steps = {step.node: step for step in trace.steps}
    nodes = sorted(trace.graph.nodes, key=lambda node: node.id)
    wanted = {
        "node": [f"#{node.id}" for node in nodes],
        "name": [node.name for node in nodes],
        "module or leaf": [node.variable or node.module or "" for node in nodes],
        "step": [str(steps[node.id].index + 1) for node in nodes],
        "norm in": [
            digits.number(math.hypot(*(s.norm for s in steps[node.id].grad_outputs))) for node in nodes
        ],
        "gradient": [", ".join(map(str, node.grad_outputs)) for node in nodes],
    }
    table = [dict(zip((head.rstrip(" ▲▼") for head in heads), cells, strict=True)) for cells in rows(page)]
    for head, texts in wanted.items():
        assert [row[head] for row in table] == texts, head
    amounts = {node.id: math.hypot(*(stats.norm for stats in steps[node.id].grad_outputs)) for node in nodes}
    down = sorted(amounts, key=lambda node: -amounts[node])
    page.click("text=norm in")
    assert [row[0] for row in rows(page)] == [f"#{node}" for node in down]
    assert page.get_attribute("[role=columnheader]:has-text('norm in')", "aria-sort") == "descending"
    page.click("text=norm in")
    assert [amounts[int(row[0][1:])] for row in rows(page)] == sorted(amounts.values())
    page.click("[role=columnheader] >> text=name")
    assert [row[1] for row in rows(page)] == sorted((node.name for node in nodes), key=str.casefold)


def test_the_table_filters_and_is_linked_to_the_drawing_both_ways(opened):
    trace = trained()[0]
    page = opened(trace)
    page.click("#tab-nodes")
    page.fill(".table-filter", "accumulate 2.")
    assert [row[2] for row in rows(page)] == ["2.bias", "2.weight"]
    assert page.inner_text("#panel-nodes .panel-note") == f"2 of {len(trace.graph)} nodes"
    page.fill(".table-filter", "#1")
    assert [row[0] for row in rows(page)] == ["#1"]
    page.fill(".table-filter", "")
    page.click("#row-1")
    assert page.locator("#stage .selected").get_attribute("data-key") == "n1"
    page.keyboard.press("ArrowDown")
    assert page.locator("#stage .selected").get_attribute("data-key") == "n2"
    page.click('#stage [data-key="n0"]')
    assert page.get_attribute("#panel-nodes .table-row.selected", "id") == "row-0"
    assert page.get_attribute("#panel-nodes [role=grid]", "aria-activedescendant") == "row-0"


def test_a_long_table_holds_only_the_rows_that_are_seen(opened):
    page = opened(chain(3000), address="#node=2999")
    page.click("#tab-nodes")
    assert page.inner_text("#row-2999 [role=gridcell]:nth-child(2)") == "CosBackward0"
    assert page.locator("#panel-nodes .rows-inside .table-row").count() < 60
    page.evaluate("document.querySelector('.table').scrollTop = 0")
    page.wait_for_selector("#row-0")
    assert page.locator("#row-2999").count() == 0
    page.click("#tab-norms")  # a graph that hasn't run says so
    assert "hasn't run" in page.inner_text("#panel-norms .panel-note")


def test_the_map_of_layers_and_backwards_leads_to_both(opened):
    came = [(1.0, 2.0), (0.5, math.nan), (0.25, None)]
    page = opened([leaves_with(*pair, number=5 + at) for at, pair in enumerate(came)])
    page.click("#tab-steps")
    page.focus(".heat")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#panel-steps .panel-note") == "layers.1.weight, backward 6: NaN"
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#panel-steps .panel-note") == "layers.0.weight, backward 6: 0.5"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator(".traces-choice option:checked").inner_text() == "7"
    assert page.locator("#stage .item.selected").get_attribute("data-key") == "n1"
    legend = page.inner_text(".heat-legend")
    assert "× NaN" in legend
    assert "– no gradient" in legend
    assert "zero" not in legend
    canvas = page.locator(".heat-canvas").bounding_box()
    head = 22
    page.mouse.click(canvas["x"] + canvas["width"] - 1, canvas["y"] + head + 3)  # beside the map: nothing
    assert page.locator(".traces-choice option:checked").inner_text() == "7"


def test_a_choice_of_a_backward_changes_what_all_panels_show(opened):
    traces = trained(3)
    page = opened(traces)
    page.click("#tab-norms")
    for at, trace in enumerate(traces):
        page.select_option(".traces-choice", str(at))
        found = {name: "".join(texts) for name, texts in bars(page, "norms").items()}
        assert found == {name: written(norm) for name, norm in norms(trace).items()}
    page.click("[aria-label='The backward before']")
    assert page.locator(".traces-choice option:checked").inner_text() == "1"
    assert page.is_disabled("[aria-label='The backward after']") is False


def test_where_there_is_nothing_to_show_each_panel_says_so(opened):
    nothing = Graph((), ())
    page = opened([Trace(nothing, (), unread="it's gone"), Trace(nothing, (), error="boom", number=1)])
    page.click(".play-button.play")
    said = {}
    for tab in ("norms", "memory", "time", "nodes", "steps"):
        page.click(f"#tab-{tab}")
        said[tab] = page.inner_text(f"#panel-{tab} .panel-note")
    assert said["norms"] == said["steps"] == "No leaf ran, so there are no gradients."
    assert said["memory"].startswith("No node keeps a tensor alive.")
    assert said["time"] == "This trace has no times."
    assert said["nodes"] == "0 of 0 nodes"
    assert not page.is_visible(".heat")
    page.select_option(".traces-choice", "1")
    assert "boom" in page.inner_text(".now")
    assert "raised boom" in page.inner_text(".play-position")


@pytest.mark.parametrize(
    "settings", [{"color_scheme": "light"}, {"color_scheme": "dark", "reduced_motion": "reduce"}]
)
def test_the_panels_are_tabs_that_can_be_read_and_speak_chinese_too(opened):
    came = (1.0, 0.0, math.nan, None)
    page = opened([leaves_with(*came), *trained(1)], language="zh")
    page.click(".play-button.end")
    page.click("#tab-norms")
    assert page.evaluate(CONTRAST) == []
    for name in ("memory", "time", "nodes", "steps"):
        page.keyboard.press("ArrowRight")
        assert page.get_attribute(f"#tab-{name}", "aria-selected") == "true"
        assert page.is_visible(f"#panel-{name}")
        assert page.evaluate(CONTRAST) == []
    page.select_option(".traces-choice", "1")
    page.click(".play-button.forward")
    assert page.evaluate(CONTRAST) == []
    page.click(".panels-close")
    assert not page.is_visible(".panels-body")
