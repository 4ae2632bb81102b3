"""Looking around in the page: opening and closing, search, cards, links, colours, notices."""

from __future__ import annotations

import page_records
import pytest

from autograd_lab.draw import digits
from autograd_lab.records import Graph

pytestmark = pytest.mark.browser


def keys(page):
    """What is seen: nodes, closed boxes and open ones."""
    return page.evaluate(
        "[...document.querySelectorAll('.drawing [data-key]')].map((each) => each.dataset.key)"
    )


def titles(page):
    """The titles of what is seen, and its key."""
    return page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.drawing [data-key]')].map("
        "(each) => [each.querySelector('.title').firstChild.textContent, each.dataset.key]))"
    )


def corner(page, key):
    """Where something is on the screen, once all has come to rest."""
    page.wait_for_selector(".drawing:not(.moving)")
    return page.evaluate(
        "(key) => { const at = document.querySelector(`[data-key='${key}']`).getBoundingClientRect();"
        " return [Math.round(at.left), Math.round(at.top)]; }",
        key,
    )


def test_a_box_opens_in_place_and_closes_again(opened):
    page = opened(page_records.net())
    box = next(key for title, key in titles(page).items() if title.startswith("blocks"))
    before, drawn = corner(page, box), set(keys(page))
    page.dispatch_event(f"[data-key={box}]", "dblclick")
    blocks = set(keys(page)) - drawn
    assert page.get_attribute(f"[data-key={box}]", "aria-expanded") == "true"
    assert len(blocks) == 3, "the blocks that are alike"
    assert corner(page, box) == pytest.approx(before, abs=2)
    page.click(f".frame[data-key={box}] .sign rect >> nth=0", force=True)
    assert set(keys(page)) == drawn
    assert corner(page, box) == pytest.approx(before, abs=2)


def test_arrows_to_a_closed_box_are_counted(opened):
    page = opened(page_records.net())
    tags = page.evaluate(
        "[...document.querySelectorAll('.tag')].map((tag) => tag.textContent).filter(Boolean)"
    )
    assert tags, "the residual stream and the branch lead into the blocks"
    assert all(tag.startswith("× ") for tag in tags)


def test_search_opens_what_must_be_opened_and_selects(opened):
    page = opened(page_records.net())
    node = page_records.net().graph.find("blocks.1.linear.weight")[0]
    assert f"n{node.id}" not in keys(page)
    page.keyboard.press("/")
    page.keyboard.type("blocks.1.linear.weig")
    assert page.text_content(".found-count") == "1 found"
    page.keyboard.press("Enter")
    page.wait_for_selector(f".item.selected[data-key=n{node.id}]")
    page.wait_for_timeout(300)
    place = page.evaluate(
        "(key) => { const at = document.querySelector(`[data-key=${key}]`).getBoundingClientRect();"
        " const stage = document.querySelector('#stage').getBoundingClientRect();"
        " return at.left >= stage.left && at.right <= stage.right"
        " && at.top >= stage.top && at.bottom <= stage.bottom; }",
        f"n{node.id}",
    )
    assert page.text_content("#card h2") == f"blocks.1.linear.weight #{node.id}"
    assert place


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        ("#3", " #3", 1),
        ("head.w", "head.weight #", 1),
        ("accumulategrad", "AccumulateGrad", 15),
        ("page_records.py:28", "page_records", 6),
        ("LayerNorm", "norm", 3),
        ("no such thing", None, 0),
    ],
)
def test_search_finds_by_number_name_class_and_line(opened, query, first, count):
    page = opened(page_records.net())
    page.fill("#search", query)
    assert page.locator("#found li").count() >= count
    if first is None:
        assert page.text_content(".found-count") == "Nothing found."
    else:
        assert first in page.text_content("#found li >> nth=0") + "page_records"


def section(page, name):
    """A section of the card as text, or None."""
    found = page.locator(f"#card [data-section={name}], #card .{name}")
    return found.first.inner_text() if found.count() else None


def test_a_nodes_card_says_what_the_record_says(opened):
    trace = page_records.net()
    page = opened(trace)
    nodes = {(node.name, bool(node.hooks), bool(node.saved)): node for node in trace.graph.nodes}
    for node in nodes.values():
        page.evaluate("(node) => { location.hash = `#node=${node}`; }", node.id)
        page.wait_for_function(
            "(id) => document.querySelector('#card h2 small')?.textContent === `#${id}`", arg=node.id
        )
        step = trace.step(node.id)
        card = page.inner_text("#card")
        assert (node.variable or node.name) in card
        for stats in (*step.grad_outputs, *step.grad_inputs):
            if stats is not None:
                assert f"norm\n{digits.number(stats.norm)}" in card
                assert str(stats.meta) in card
        for saved in node.saved:
            assert saved.name in section(page, "saved")
        for kernel in step.kernels:
            assert kernel.name in section(page, "kernels")
        for hook in node.hooks:
            assert hook.name in section(page, "hooks")
        assert (section(page, "hooks") is None) == (not node.hooks)
        assert (section(page, "grad") is not None) == (step.accumulation is not None)
        if node.source is not None:
            here = page.text_content("#card .code-line.here")
            assert f"▸{node.source.line}" in here.replace(" ", "")


def test_a_boxs_card_says_what_is_inside_and_what_went_through(opened):
    trace = page_records.net()
    page = opened(trace)
    page.click(f"[data-key={titles(page)['head']}] .title", force=True)
    inside = [node for node in trace.graph.nodes if (node.module or node.variable or "").startswith("head")]
    ids = {node.id for node in inside}
    (came,) = (
        trace.step(tail).grad_inputs[slot].norm
        for tail, slot, edge in trace.graph.edges
        if tail not in ids and edge.node in ids
    )
    (went,) = (
        trace.step(tail).grad_inputs[slot].norm
        for tail, slot, edge in trace.graph.edges
        if tail in ids and edge.node not in ids
    )
    card = page.inner_text("#card")
    assert page.text_content("#card h2") == "head"
    assert f"{len(inside)} nodes" in card
    assert f"norm that came in\n{digits.number(came)}" in card
    assert f"norm that went out\n{digits.number(went)}" in card
    saved = Graph(tuple(inside), ()).saved_activation_nbytes
    assert f"saved activations\n{digits.nbytes(saved)}" in card
    leaves = page.evaluate(
        "[...document.querySelectorAll('#card .leaves bdi')].map((each) => each.textContent)"
    )
    assert sorted(leaves) == ["head.bias", "head.weight"]


def test_a_link_to_a_node_opens_the_page_there(opened):
    node = page_records.net().graph.find("blocks.2.norm.bias")[0]
    page = opened(page_records.net(), address=f"#node={node.id}")
    page.wait_for_selector(f".item.selected[data-key=n{node.id}]")
    assert page.evaluate("location.hash") == f"#node={node.id}"
    page.locator(".drawing").press("Escape")
    assert page.evaluate("location.hash") == ""
    page.click(f"[data-key=n{node.id}]", force=True)
    assert page.evaluate("location.hash") == f"#node={node.id}"


@pytest.mark.parametrize("address", ["#node=99999", "#node=x", "#box=-1", "#trace=7&node=1", "#<script>"])
def test_an_address_that_names_nothing_is_no_harm(opened, address):
    page = opened(page_records.net(), address=address)
    assert page.locator(".drawing .item").count() > 5


@pytest.mark.parametrize("colour", ["kind", "norm", "time", "saved", "dtype", "module"])
def test_each_measure_colours_and_has_a_legend(opened, colour):
    page = opened(page_records.net())
    page.select_option("#colour", colour)
    classes = page.evaluate("[...document.querySelectorAll('.item')].flatMap((item) => [...item.classList])")
    family = {"kind": "kind-", "dtype": "hue-", "module": "hue-"}.get(colour, "heat-")
    assert any(each.startswith(family) for each in classes)
    assert page.locator(".legend .swatch, .legend .step").count() >= 1


def test_pointing_at_a_node_lights_the_paths_to_its_leaves(opened):
    trace = page_records.net()
    page = opened(trace)
    node = next(node for node in trace.graph.nodes if node.module == "head")
    page.hover(f"[data-key=n{node.id}]", force=True)
    page.wait_for_selector(".drawing.trailing")
    lit = set(page.evaluate("[...document.querySelectorAll('.item.lit')].map((each) => each.dataset.key)"))
    seen = {key for key in keys(page) if key[0] == "n"}
    below, waiting = set(), [node.id]
    while waiting:
        at = waiting.pop()
        below.add(f"n{at}")
        waiting += [edge.node for edge in trace.graph.node(at).next if edge is not None]
    assert {key for key in lit if key[0] == "n"} == below & seen
    page.mouse.move(2, 300)
    page.wait_for_selector(".drawing:not(.trailing)")


def test_what_is_worth_a_look_stands_at_the_top(opened):
    page = opened(page_records.troubled())
    lines = page.locator(".notice").all_inner_texts()
    text = "\n".join(lines)
    assert "not finite" in text
    assert "got no gradient: lost" in text
    assert "gradient of zeros: dead" in text
    page.click(".notice:has-text('zeros') button")
    assert page.text_content("#card h2").startswith("dead")


def test_hooks_and_unreached_parameters_are_noticed(opened):
    page = opened(page_records.net())
    text = page.inner_text(".notices")
    assert "2 unreached" in text
    assert "unused.weight" in text
    assert "1 with hooks that may change gradients: head.weight" in text


def test_a_page_without_troubles_has_no_notices(opened):
    import torch

    import autograd_lab as lab

    w = torch.ones(2, requires_grad=True)
    page = opened(lab.trace((w * 2).sum(), names={"w": w}))
    assert page.locator(".notice").count() == 0


def test_a_graph_alone_is_drawn_without_numbers(opened):
    page = opened(page_records.net().graph)
    assert page.locator(".item").count() > 5
    assert page.evaluate("[...document.querySelectorAll('.value')].every((each) => each.textContent === '')")
    assert page.locator("#colour option").all_text_contents() == [
        "kind",
        "saved activations",
        "dtype",
        "module",
    ]


def test_the_language_changes_and_all_stays_where_it_is(opened):
    node = page_records.net().graph.find("head.weight")[0]
    page = opened(page_records.net(), address=f"#node={node.id}")
    page.click("text=中文")
    assert page.evaluate("document.documentElement.lang") == "zh-Hant-TW"
    page.wait_for_selector(f".item.selected[data-key=n{node.id}]")
    assert "流入的梯度" in page.inner_text("#card")
    page.click("text=English")
    assert "Gradients that came in" in page.inner_text("#card")


def test_a_long_chain_opens_folded_and_says_what_it_folds(opened):
    from autograd_lab.records import Edge

    count = 20_000
    nodes = tuple(
        page_records.Node(
            at, "SinBackward0", "op", count - at, next=(Edge(at + 1, 0),) if at + 1 < count else ()
        )
        for at in range(count)
    )
    page = opened(Graph(nodes, (Edge(0, 0),)))
    assert 2 <= page.locator(".item").count() <= 150
    assert "20,000 nodes" in page.inner_text("#card")
    page.dispatch_event(".item.kind-segment >> nth=0", "dblclick")
    assert page.locator(".frame").count() == 1


def test_the_legend_is_folded_where_room_is_short_and_as_the_reader_leaves_it(opened):
    page = opened(page_records.net())

    def shown():
        return page.is_visible(".legend-body")

    assert shown()
    page.set_viewport_size({"width": 1000, "height": 700})
    page.wait_for_selector(".legend-body", state="hidden")
    page.locator(".legend button").press("Enter")
    assert shown()
    page.click("text=中文")
    page.set_viewport_size({"width": 900, "height": 700})
    page.wait_for_timeout(50)
    assert shown(), "also in another language and another size"
    page.locator(".legend button").press("Space")
    assert not shown()


def test_what_runs_and_what_is_chosen_is_not_under_the_legend(opened):
    page = opened(page_records.net())
    page.click(".zoom button >> nth=0")
    under = """(each) => { const [at, over] = [each, document.querySelector('.legend')].map(
        (one) => one.getBoundingClientRect());
        return at.left < over.right && at.right > over.left && at.bottom > over.top && at.top < over.bottom; }"""
    for _ in range(12):
        page.click(".play-button.forward")
        page.wait_for_selector(".drawing:not(.moving)")
        running = page.locator(".item.status-running .body")
        assert not running.evaluate(under)


def unrolled():
    """A backward through a recurrent cell in which the gradient vanishes."""
    import torch

    import autograd_lab as lab

    torch.manual_seed(0)
    cell = torch.nn.RNNCell(2, 3)
    model = torch.nn.ModuleDict({"cell": cell, "out": torch.nn.Linear(3, 1)})
    with lab.watch(model) as watcher:
        state = torch.zeros(1, 3)
        for _ in range(8):
            state = cell(torch.ones(1, 2), state)
        model["out"](state).sum().backward()
    return watcher.traces[0]


def test_folded_blocks_say_the_least_and_the_most_that_came_into_one(opened):
    trace = unrolled()
    page = opened(trace)
    page.click(".item.kind-repeats .title", force=True)
    norms = [
        trace.step(node.id).grad_outputs[0].norm for node in trace.graph.nodes if node.name == "TanhBackward0"
    ][:-1]
    said = f"{digits.number(min(norms))} … {digits.number(max(norms))}"
    assert page.text_content(".item.kind-repeats .value") == f"‖g‖ {said}"
    assert f"over these blocks\n{said}" in page.inner_text("#card")
    listed = page.locator("#card .copies .norm").all_text_contents()
    assert listed == [f"‖g‖ {digits.number(norm)}" for norm in norms]
    assert page.get_attribute(".item.kind-repeats", "data-heat") in ("0", "1"), "coloured by the smallest"
    assert "by their smallest" in page.inner_text(".legend")


def test_all_inside_opens_in_view_one_block_straight_below_the_other(opened):
    page = opened(unrolled())
    page.click(".item.kind-repeats .title", force=True)
    page.click("text=Open all inside")
    page.wait_for_selector(".drawing:not(.moving)")
    frames = page.evaluate("""[...document.querySelectorAll('.frame')].map((frame) => {
        const {left, right, top, bottom} = frame.querySelector('.ground').getBoundingClientRect();
        return {title: frame.querySelector('.title').firstChild.textContent, left, right, top, bottom}; })""")
    blocks = [frame for frame in frames if frame["title"].startswith("cell#") and "×" not in frame["title"]]
    assert len(blocks) == 7
    assert {round(block["left"]) for block in blocks[1:-1]} == {round(blocks[1]["left"])}
    stage = page.locator("#stage").bounding_box()
    assert stage["x"] <= blocks[0]["left"] < blocks[0]["right"] <= stage["x"] + stage["width"]
    assert stage["y"] <= blocks[0]["top"] < stage["y"] + stage["height"] / 2


def test_nothing_stands_on_the_lower_side_of_a_frame(opened):
    page = opened(page_records.net())
    page.dispatch_event(".item[data-key^=b] >> nth=-1", "dblclick")
    page.wait_for_selector(".drawing:not(.moving)")
    least = page.evaluate("""() => {
      const boxes = (name) => [...document.querySelectorAll(name)].map((one) => one.getBoundingClientRect());
      const [items, frames] = [boxes('.item .body'), boxes('.frame .ground')];
      return Math.min(...frames.flatMap((frame) => items
        .filter((item) => item.left >= frame.left && item.right <= frame.right
          && item.top >= frame.top && item.top < frame.bottom)
        .map((item) => frame.bottom - item.bottom))); }""")
    assert least > 5


def test_words_say_one_of_one_and_nothing_twice(opened):
    import torch

    import autograd_lab as lab

    w = torch.ones((), requires_grad=True)
    page = opened(lab.trace(w, names={"w": w}), address="#node=0")
    assert page.text_content("#card .card-kind") == "leaf: AccumulateGrad"
    assert page.text_content(".play-position") == "1 step"
    page.click(".card-close")
    assert "the whole graph: 1 node" in page.inner_text("#card").splitlines()
    page = opened(page_records.net())
    page.fill("#search", "AddmmBackward0")
    hits = page.locator("#found .found-more").all_text_contents()
    assert hits
    assert all(" · " in hit and ".py:" in hit for hit in hits), "the module and the line"


def test_a_module_at_the_top_is_named_once(opened):
    trace = page_records.net()
    node = next(node for node in trace.graph.nodes if node.module == "head")
    page = opened(trace, address=f"#node={node.id}")
    facts = page.inner_text("#card .facts dl").splitlines()
    assert facts[facts.index("module") + 1] == "head"
