"""The engine's order. The oracles are torch's engine as it runs, its own plan, and ``std::priority_queue`` itself."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, strategies as st
from models import CASES, Several, backward, flat, leaves, live_nodes, shared

from autograd_lab.capture.graph import live
from autograd_lab.capture.order import ReadyQueue, dependencies, execution_order


def ran_in(outputs):
    """Runs the native engine with a hook on every node, and gives the nodes in the order in which they ran."""
    ran = []
    handles = [
        node.register_prehook(lambda grads, node=node: ran.append(node)) for node in live_nodes(outputs)
    ]
    backward(outputs)
    for handle in handles:
        handle.remove()
    return ran


def plan_of(output):
    """Asks the native engine for its plan, in a pre-hook of the one root."""
    plan = []
    root = torch.autograd.graph.get_gradient_edge(output).node
    handle = root.register_prehook(lambda grads: plan.extend(torch._C._current_graph_task_execution_order()))
    with torch.autograd.set_multithreading_enabled(False):
        backward(output)
    handle.remove()
    return plan


def test_ids_are_the_order_in_which_the_native_engine_ran_the_nodes(built):
    _, nodes = live(built.outputs, model=built.model, names=built.names)
    assert nodes == ran_in(built.outputs)


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if len(flat(shared(name).outputs)) == 1]
)
def test_ids_are_torchs_own_plan(name):
    """With one output only: torch gives no plan to a graph's root where there are several."""
    outputs = shared(name).outputs
    _, nodes = live(outputs)
    assert nodes == plan_of(flat(outputs)[0])


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7, 8, 12, 17, 40])
@pytest.mark.parametrize(
    "join", [torch.cat, lambda tensors: Several.apply(*tensors)[0]], ids=["cat", "function"]
)
def test_leaves_that_are_ready_at_once(join, count):
    output = join(leaves(count, 2)).sum()
    _, nodes = live(output)
    assert nodes == ran_in(output) == plan_of(output)


def test_nodes_of_several_threads_have_equal_numbers():
    """That the registry's model is what it says; the tests above hold its order."""
    graph, _ = live(shared("made_in_two_threads").outputs)
    numbers = [node.sequence_nr for node in graph.nodes if node.kind == "op"]
    assert len(set(numbers)) < len(numbers) / 2


@given(st.data())
def test_any_graph(data):
    """Random graphs: skips, parallel edges, several roots, one root above another."""
    made = leaves(data.draw(st.integers(1, 5)), 1)
    roots = data.draw(st.integers(1, 3))
    for _ in range(data.draw(st.integers(roots, 20))):
        several = data.draw(st.lists(st.sampled_from(range(len(made))), min_size=1, max_size=4))
        made.append(torch.stack([made[place] for place in several]).sum(0))
    outputs = data.draw(st.lists(st.sampled_from(made), min_size=1, max_size=roots))
    graph, nodes = live(outputs)
    assert nodes == ran_in(outputs)
    assert [node.id for node in graph.nodes] == list(range(len(nodes)))


def test_dependencies_count_every_edge_and_every_root():
    nexts = [[(1, 0), (1, 1), None, (2, 0)], [(2, 0)], []]
    assert dependencies(nexts, [(0, 0), (1, 0)]) == [1, 3, 2]
    assert execution_order([5, 4, 3], nexts, [(0, 0), (1, 0)]) == [0, 1, 2]


# What a C++ program printed that was compiled with g++ 12.2 -O2 for this test. It keeps a
# ``std::priority_queue<std::pair<uint64_t, int>>`` that compares ``first`` only, and a linear congruential generator:
#
#   auto draw = [&] { state = state * 1664525u + 1013904223u; return state >> 16; };  // uint32_t state = 1
#   for (int step = 0; step < 600; ++step) {
#     if (queue.empty() || draw() % 5 < 3) queue.push({draw() % 4, pushed++});
#     else { print(queue.top().second); queue.pop(); }
#   }
#   while (!queue.empty()) { print(queue.top().second); queue.pop(); }
POPPED = """
1 3 5 4 7 8 2 11 14 15 17 23 9 13 26 24 28 29 12 10 31 22 21 33 34 37 36 25 16 44 43 45 54 51 52 53 57 47
59 61 48 35 38 20 58 64 66 65 70 71 73 67 68 74 40 19 72 75 76 69 77 79 82 81 39 63 27 83 85 89 90 86 88 92
93 96 98 100 91 101 95 18 102 103 97 104 106 107 109 114 116 118 113 117 119 120 121 124 126 127 111 123
133 125 108 136 137 128 139 129 131 141 145 146 151 150 132 152 154 153 84 138 158 160 155 162 163 166 167
171 172 164 165 168 174 159 161 148 175 147 60 176 142 169 110 157 178 177 156 50 179 181 144 183 143 186
188 185 193 187 189 192 197 195 198 194 196 199 180 201 182 203 99 200 202 49 205 149 0 184 206 209 207 204
62 210 211 212 215 216 218 219 221 224 226 235 223 236 239 240 247 251 241 248 253 260 255 261 262 263 264
265 267 270 272 275 282 227 274 266 268 286 269 237 238 228 232 245 289 290 276 291 284 231 287 288 294 295
301 283 305 307 302 306 311 314 315 308 321 323 317 309 322 324 331 333 336 332 339 340 296 258 217 257 220
214 213 256 252 246 249 250 297 335 225 326 316 319 271 242 312 278 299 304 298 300 6 334 78 254 281 229 42
329 208 130 112 46 55 191 244 243 80 337 170 134 94 222 190 115 233 30 292 259 140 173 280 279 328 56 320
41 310 32 135 293 277 318 230 285 303 327 122 87 325 313 330 273 338 105 234
"""


def as_the_program_did():
    state, pushed = 1, 0
    queue = ReadyQueue()

    def draw():
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return state >> 16

    for _ in range(600):
        if not queue or draw() % 5 < 3:
            queue.push(draw() % 4, pushed)
            pushed += 1
        else:
            yield queue.pop()
    while queue:
        yield queue.pop()


def test_ties_come_out_as_in_libstdcxx():
    assert list(as_the_program_did()) == list(map(int, POPPED.split()))


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3)))
def test_what_is_popped_is_what_was_pushed_highest_first(keys):
    queue = ReadyQueue()
    for index, key in enumerate(keys):
        queue.push(key, index)
    assert len(queue) == len(keys)
    popped = [queue.pop() for _ in keys]
    assert sorted(popped) == list(range(len(keys)))
    assert [keys[place] for place in popped] == sorted(keys, reverse=True)
    assert not queue
