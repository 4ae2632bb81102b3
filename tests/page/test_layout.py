"""The page's layout: nothing overlaps, no arrow goes through a box, every edge is there, and nothing changes places."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

SUPPORT = Path(__file__).parent.parent / "support"

MODULES = {
    "graphs": "graph.js",
    "levels": "levels.js",
    "layouts": "layout.js",
    "flats": "flat.js",
    "orders": "layers.js",
    "tracking": "tracks.js",
}


@pytest.fixture
def bench(loaded):
    page = loaded(**MODULES)
    page.evaluate((SUPPORT / "layouts.js").read_text())
    return page


def test_nothing_overlaps_and_no_arrow_goes_through_a_box(bench):
    wrong = bench.evaluate("""() => {
      for (let seed = 1; seed <= 40; seed++) {
        const next = random(seed * 7919);
        const some = (least, more) => least + Math.floor(next() * more);
        const graph = makeGraph(seed, some(15, 70), some(1, 10), some(1, 8));
        const layoutOf = layoutFor(graph);
        for (const share of [0, 0.5, 1]) {
          const open = [0];
          for (let box = 1; box < graph.boxCount; box++) if (next() < share) open.push(box);
          const found = faults(layoutOf(open));
          if (found.length) return `seed ${seed}, open ${open}: ${found[0]}`;
        }
      }
      return null;
    }""")
    assert wrong is None


def test_every_edge_ends_at_what_stands_for_its_head(bench):
    wrong = bench.evaluate("""() => {
      for (let seed = 1; seed <= 20; seed++) {
        const next = random(seed * 104729);
        const graph = makeGraph(seed, 40, 8, 6);
        const layoutOf = layoutFor(graph);
        const open = new Set([0]);
        for (let box = 1; box < graph.boxCount; box++) if (next() < .6) open.add(box);
        const flat = flats.flatten(layoutOf(open));
        const places = new Map(flat.items.map((place) => [place.item, place]));
        const ended = new Map();
        const at = (place, [x, y], up) => x >= place.x && x <= place.x + place.width
          && (Math.abs(y - place.y) < .01 || Math.abs(y - place.y - place.height) < .01);
        for (const wire of flat.wires.filter(({isEnd}) => isEnd)) {
          for (const edge of wire.edges) {
            const head = graph.shownFor(graph.headOf(edge), open);
            if (!at(places.get(head), wire.points.at(-1))) return `seed ${seed}: edge ${edge} misses item ${head}`;
            ended.set(edge, (ended.get(edge) ?? 0) + 1);
          }
        }
        const seen = new Set(graph.links(open).flatMap(({edges}) => edges));
        const wrong = [...seen].find((edge) => ended.get(edge) !== 1);
        if (wrong !== undefined) return `seed ${seed}: edge ${wrong} ends ${ended.get(wrong)} times`;
        if (ended.size !== seen.size) return `seed ${seed}: ${ended.size} edges are drawn of ${seen.size}`;
      }
      return null;
    }""")
    assert wrong is None


def test_the_parts_of_an_arrow_meet_at_the_frames(bench):
    wrong = bench.evaluate("""() => {
      for (let seed = 1; seed <= 20; seed++) {
        const graph = makeGraph(seed, 40, 6, 6);
        const open = new Set(Array.from({length: graph.boxCount}, (_, box) => box));
        const flat = flats.flatten(layoutFor(graph)(open));
        const byEdge = new Map();
        for (const {edges, points} of flat.wires) {
          for (const edge of edges) byEdge.set(edge, [...(byEdge.get(edge) ?? []), points]);
        }
        for (const [edge, ways] of byEdge) {
          const goesOn = (way, other) => way !== other && Math.abs(way.at(-1)[0] - other[0][0]) < .2
            && Math.abs(way.at(-1)[1] - other[0][1]) <= layouts.HEADER + .2;
          const loose = ways.filter((way) => !ways.some((other) => goesOn(way, other)));
          if (loose.length !== 1) return `seed ${seed}: ${ways.length} parts of edge ${edge} have ${loose.length} ends`;
        }
      }
      return null;
    }""")
    assert wrong is None


def test_opening_a_box_swaps_nothing_and_changes_nothing_inside_others(bench):
    wrong = bench.evaluate("""() => {
      const order = (layout) => [...layout.items].sort((a, b) => a.y - b.y || a.x - b.x).map(({item}) => item).join();
      for (let seed = 1; seed <= 20; seed++) {
        const graph = makeGraph(seed, 60, 8, 6);
        const layoutOf = layoutFor(graph);
        const before = layoutOf([0, 1]);
        const inner = before.items.find(({item}) => item === graph.boxItem(1))?.inner;
        for (const other of graph.childrenOf(0).filter(graph.isBox).map(graph.boxOf)) {
          if (other === 1) continue;
          const after = layoutOf([0, 1, other]);
          if (order(before) !== order(after)) return `seed ${seed}: opening ${other} changes the order`;
          const now = after.items.find(({item}) => item === graph.boxItem(1))?.inner;
          if (JSON.stringify(inner) !== JSON.stringify(now)) return `seed ${seed}: opening ${other} changes box 1`;
        }
      }
      return null;
    }""")
    assert wrong is None


def test_a_chain_is_straight_though_long_arrows_run_beside_it(bench):
    found = bench.evaluate("""() => {
      const count = 40;
      const graph = makeGraph(3, count, 1, 1);
      const {edges} = graph.columns;
      const skips = Array.from({length: 12}, (_, at) => 3 * at);
      const tail = [...edges.tail, ...skips];
      const head = [...edges.head, ...skips.map((node) => node + 3)];
      const none = tail.map(() => -1);
      const columns = {...graph.columns, edges: {tail, head, slot: none, input: none, name: none}};
      const layout = layoutFor(graphs.createGraph(columns, {text: () => "name"}))([0]);
      const chain = layout.wires.filter(({edges: [edge]}) => head[edge] === tail[edge] + 1 || edge >= tail.length);
      return {
        bends: chain.filter(({points}) => points.length > 2).length, chain: chain.length,
        side: layout.wires.length - chain.length,
      };
    }""")
    assert found == {"bends": 0, "chain": 40, "side": 12}


def test_a_leaf_stands_right_below_its_user(bench):
    layers = bench.evaluate("""() => orders.arrange(
      [0, 1, 2, 3].map((rank) => ({row: null, rank, hint: 0})),
      [{tail: 0, head: 1}, {tail: 1, head: 2}, {tail: 0, head: 3}],
    ).layerOf""")
    assert layers == [1, 2, 3, 2]


def test_a_circle_of_boxes_is_drawn(bench):
    """Two modules that call each other in turn: their boxes lead to each other."""
    found = bench.evaluate("""() => {
      const graph = makeGraph(1, 12, 3, 1, (node) => 1 + (node % 2));
      const upward = layoutFor(graph)([0]).wires.filter(({points}) => points[0][1] > points.at(-1)[1]).length;
      return {upward, faults: faults(layoutFor(graph)([0, 1, 2]))};
    }""")
    assert found["faults"] == []
    assert found["upward"] >= 1


def test_the_uses_of_one_weight_leave_a_box_by_one_port(bench):
    found = bench.evaluate("""() => {
      const count = 30;
      const graph = makeGraph(1, count, 2, 1, (node) => (node === count - 1 ? 0 : 1));
      const {edges} = graph.columns;
      const columns = {...graph.columns, edges: {...edges, tail: [...edges.tail], head: [...edges.head]}};
      for (let node = 0; node < count - 2; node++) {
        columns.edges.tail.push(node);
        columns.edges.head.push(count - 1);
      }
      columns.edges.name = columns.edges.tail.map(() => -1);
      const many = graphs.createGraph(columns, {text: () => "name"});
      return layoutFor(many)([0, 1]).items.find(({inner}) => inner).inner.ports.size;
    }""")
    assert found == 2, "one for the output that comes in, one for the weight"


def test_arrows_to_different_heads_have_tracks_of_their_own(bench):
    found = bench.evaluate("""() => {
      const {of, count} = tracking.tracksOf([
        {net: "a", upper: 0, lower: 100}, {net: "b", upper: 50, lower: 150},
        {net: "c", upper: 400, lower: 300}, {net: "d", upper: 450, lower: 350}, {net: "e", upper: 7, lower: 7},
      ]);
      return {tracks: Object.fromEntries(of), count};
    }""")
    assert found["tracks"]["a"] > found["tracks"]["b"], "the other way round, they'd cross twice"
    assert found["tracks"]["c"] < found["tracks"]["d"]
    assert "e" not in found["tracks"]
    assert found["count"] == 2


def test_a_level_of_150_is_laid_out_in_time(bench):
    best = bench.evaluate("""() => Math.min(...[1, 2, 3].map((seed) => {
      const graph = makeGraph(seed, 150, 1, 6);
      const begin = performance.now();
      layoutFor(graph)([0]);
      return performance.now() - begin;
    }))""")
    assert best < 400, "10 on an idle machine"
