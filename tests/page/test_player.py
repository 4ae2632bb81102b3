"""The page's player beside the lab's own engine, stepped at its side: equal after every step."""

from __future__ import annotations

import random

import models
import pytest
import torch

import autograd_lab as lab
from autograd_lab.draw.page.html import page_data
from autograd_lab.records import Edge, Graph, Node, Saved, Step, Trace

pytestmark = pytest.mark.browser

HELD = """({data, times}) => {
  const model = models.createModel(data);
  return times.map((time) => {
    const state = player.playerAt(model.traces[0], time);
    const buffers = state.buffers.map((node) => {
      const {arrived, awaited, slots} = state.buffer(node);
      const each = ({slot, source, sender_slot, stats}) => [slot, source, sender_slot, stats !== null];
      return [node, arrived.map(each), awaited, slots];
    });
    return {current: state.current, next: state.next, ready: state.ready, buffers, saved: state.saved};
  });
}"""


def held(engine):
    """What the engine holds now, as the player says it."""
    buffers = []
    for node, buffer in engine.buffers.items():
        arrived = [[each.input_nr, each.source, each.slot, each.stats is not None] for each in buffer.arrived]
        slots = [sum(each[0] == slot for each in arrived) for slot in range(len(buffer.grads))]
        buffers.append([node, arrived, buffer.awaited, slots])
    return {"current": engine.current, "next": engine.next, "ready": engine.ready, "buffers": buffers}


def stepped(engine):
    """What it held at the start and after steps, as far as it gets: time → state, for forty of many."""
    count = len(engine.graph)
    times = set(random.Random(0).sample(range(count), 40)) if count > 60 else range(count + 1)
    states = {0: held(engine)}
    for time in range(1, count + 1):
        try:
            if not engine.done:
                engine.step()
        except ZeroDivisionError:
            return states | {time: held(engine)}
        if time in times and len(engine.steps) == time:
            states[time] = held(engine)
    return states


def wide():
    """Many leaves that are ready at once: ties in the queue, and more steps than from one copy of it to the next."""
    leaves = [torch.ones(2, requires_grad=True) for _ in range(90)]
    late = [torch.ones(2, requires_grad=True) for _ in range(190)]
    return lab.Engine((torch.stack(leaves).sin().sum() + torch.stack(late).sum()) * leaves[0].sum())


def with_inputs():
    w, v = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    return lab.Engine((w * v).exp().sum() + (w * w).sum(), inputs=v)


class Raises(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        raise ZeroDivisionError


def raising():
    w = torch.ones(2, requires_grad=True)
    return lab.Engine((Raises.apply(w * 2).exp() + w.sin()).sum())


MODELS = ("seed", "tied_embedding", "parallel_edges", "random_graph", "several_results", "sparse")
ENGINES = {
    **{name: lambda name=name: lab.Engine(*models.CASES[name].build()[:2]) for name in MODELS},
    "wide": wide,
    "inputs": with_inputs,
    "raises": raising,
}


def test_the_player_holds_what_the_engine_holds_after_each_step(loaded):
    page = loaded(models="model.js", player="player.js")
    for name, make in ENGINES.items():
        engine = make()
        states = stepped(engine)
        times = random.Random(0).sample(
            sorted(states), len(states)
        )  # each can be looked at without those before it
        found = page.evaluate(HELD, {"data": page_data(engine.trace), "times": times})
        for time, state in zip(times, found, strict=True):
            assert {key: state[key] for key in states[time]} == states[time], (name, time)


ALL = """(data) => {
  const model = models.createModel(data);
  const played = player.playerOf(model.traces[0] ?? model.graphs[0]);
  const {graph, length} = played;
  return Array.from({length: length + 1}, (_, time) => {
    const state = played.at(time);
    return {
      failed: state.failed, error: state.error, landed: state.landed.map(({node}) => node), saved: state.saved,
      status: Array.from({length: graph.nodeCount}, (_, node) => state.status(node)),
    };
  });
}"""


def test_saved_memory_is_what_the_nodes_that_have_not_run_keep(loaded):
    """A storage that two nodes hold is free when the second has run; parameters' memory is counted apart."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    trace = lab.Engine(model(torch.ones(3, 4)).exp().sum(), model).run()
    found = loaded(models="model.js", player="player.js").evaluate(ALL, page_data(trace))
    ran = [step.node for step in trace.steps]
    for time, state in enumerate(found):
        left = Graph(tuple(node for node in trace.graph.nodes if node.id not in ran[:time]), ())
        assert state["saved"] == {
            "activations": left.saved_activation_nbytes,
            "parameters": left.saved_parameter_nbytes,
        }
        assert state["landed"] == [
            node for node in ran[:time] if trace.graph.nodes[node].kind == "accumulate"
        ]
    assert found[0]["saved"]["parameters"] > 0
    assert found[0]["saved"]["activations"] > found[4]["saved"]["activations"] > 0


def test_a_backward_that_raised_plays_as_far_as_it_ran(loaded):
    engine = raising()
    stepped(engine)
    *others, last = loaded(models="model.js", player="player.js").evaluate(ALL, page_data(engine.trace))
    assert last["error"] == "ZeroDivisionError()"
    assert last["failed"] == engine.failed
    assert last["status"][engine.failed] == "failed"
    assert all(state["error"] is None and state["failed"] is None for state in others)


def test_what_was_not_needed_is_not_waited_for(loaded):
    engine = with_inputs()
    trace = engine.run()
    found = loaded(models="model.js", player="player.js").evaluate(ALL, page_data(trace))
    ran = {step.node for step in trace.steps}
    left_out = {node for node, status in enumerate(found[0]["status"]) if status == "unneeded"}
    assert left_out == {node.id for node in trace.graph.nodes} - ran != set()


def test_a_graph_that_has_not_run_plays_the_plan(loaded):
    graph = lab.capture(models.CASES["tied_embedding"].build().outputs)
    found = loaded(models="model.js", player="player.js").evaluate(ALL, page_data(graph))
    assert len(found) == len(graph) + 1
    assert [state["status"].index("running") for state in found[1:]] == list(range(len(graph)))
    assert found[-1]["landed"] == [leaf.id for leaf in graph.leaves]


def test_a_node_that_another_thread_ran_out_of_turn_leaves_the_queue(loaded):
    """The order is the trace's own, also where one queue wouldn't have given it."""
    nodes = (
        Node(0, "AddBackward0", "op", 3, next=(Edge(1, 0), Edge(2, 0))),
        Node(1, "ExpBackward0", "op", 2, saved=(Saved("result", nbytes=8, storage=0, storage_nbytes=8),)),
        Node(2, "SinBackward0", "op", 1, saved=(Saved("self", nbytes=8, storage=0, storage_nbytes=8),)),
    )
    trace = Trace(Graph(nodes, (Edge(0, 0),)), (Step(0, 0), Step(1, 2), Step(2, 1)))
    found = loaded(models="model.js", player="player.js").evaluate(
        HELD, {"data": page_data(trace), "times": [0, 1, 2, 3]}
    )
    assert [state["ready"] for state in found] == [[0], [1, 2], [1], []]
    assert [state["saved"]["activations"] for state in found] == [
        8,
        8,
        8,
        0,
    ]  # until the last that holds it has run
