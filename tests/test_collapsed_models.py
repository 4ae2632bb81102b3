"""Real models, their nodes' modules known, collapsed and with repeated blocks drawn once."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from modules import in_modules

import autograd_lab as lab
from autograd_lab.draw.plan.collapse import plan


class Loop(torch.nn.Module):
    """A cell called in a loop, its states stacked."""

    def __init__(self):
        super().__init__()
        self.cell = torch.nn.RNNCell(3, 4)

    def forward(self, steps):
        h = torch.zeros(2, 4, requires_grad=True)
        states = []
        for x in steps:
            h = self.cell(x, h)
            states.append(h)
        return torch.stack(states)


def encoder():
    model = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3, enable_nested_tensor=False
    )
    return model, lambda: model(torch.randn(2, 5, 8)).square().mean()


def loop():
    model = Loop()
    return model, lambda: model(torch.randn(6, 2, 3)).square().mean()


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        n_layer=12, n_embd=16, n_head=2, vocab_size=30, n_positions=16, bos_token_id=0, eos_token_id=0,
        loss_type="ForCausalLM", attn_implementation="eager",
    )  # fmt: skip
    ids = torch.randint(0, 30, (2, 6))
    model = GPT2LMHeadModel(config)
    return model, lambda: model(input_ids=ids, labels=ids).loss


def bert():
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, vocab_size=30
    )
    ids = torch.randint(0, 30, (2, 6))
    model = BertForMaskedLM(config)
    return model, lambda: model(input_ids=ids, labels=ids).loss


def seen(model, loss_of):
    with lab.watch(model) as watcher:
        return watcher.capture(loss_of())


@pytest.mark.parametrize("build", [encoder, loop, gpt2, bert], ids=lambda build: build.__name__)
def test_a_watch_finds_the_modules_that_an_independent_count_finds(build):
    model, loss_of = build()
    _, counted = in_modules(model, loss_of)
    names = {name for name, _ in model.named_modules()}
    for ours, theirs in zip(seen(model, loss_of).nodes, counted.nodes, strict=True):
        assert ours.name == theirs.name
        if (
            ours.module is not None and ours.module.split("#")[0] in names
        ):  # not a loss that it makes on the way
            assert ours.module == theirs.module


@pytest.mark.parametrize(
    ("build", "depth", "block"),
    [
        (encoder, 2, "layers.1 … 2 × 2"),  # the input wants no gradient, so that layer 0 has fewer nodes
        (gpt2, 3, "transformer.h.0 … 11 × 12"),
        (bert, 4, "bert.encoder.layer.0 … 3 × 4"),
        (loop, 1, "cell … cell#6 × 6"),
    ],
)
def test_the_blocks_of_a_model_are_found(build, depth, block):
    graph = seen(*build())
    assert block in {part.module for part in plan(graph, depth=depth, repeats=True).parts}
    whole = plan(graph, repeats=True)
    assert Counter(i for part in whole.parts for i in part.nodes) == Counter(range(len(graph)))
    assert len(whole.parts) < len(graph)


def test_gpt2_fits_a_page(tmp_path):
    from PIL import Image

    model, loss_of = gpt2()
    graph = seen(model, loss_of)
    with Image.open(lab.render(graph, tmp_path / "gpt2.png", depth=4, repeats=True)) as picture:
        assert max(picture.size) < 2500
    leaves = {node.variable for node in graph.leaves}
    assert len(leaves) == len(list(model.named_parameters()))


def test_tied_weights_stay_outside_the_modules_that_share_them():
    graph = seen(*gpt2())
    tied = next(
        part
        for part in plan(graph, depth=1).parts
        if part.node is not None and graph.nodes[part.node].aliases
    )
    assert (graph.nodes[tied.node].variable, tied.group) == ("transformer.wte.weight", ())


def test_a_cells_weights_stay_outside_its_calls():
    graph = seen(*loop())
    found = plan(graph, depth=1)
    assert [part.module for part in found.parts if part.module] == [
        "cell#6", "cell#5", "cell#4", "cell#3", "cell#2", "cell"
    ]  # fmt: skip
    drawn = {graph.nodes[part.node].variable for part in found.parts if part.node is not None}
    assert {"cell.weight_hh", "cell.bias_ih"} <= drawn


def test_every_leaf_of_a_model_is_counted_once():
    model, loss_of = encoder()
    graph = seen(model, loss_of)
    (whole,) = (part for part in plan(graph, depth=0).parts if part.module)
    assert sum(graph.nodes[i].kind == "accumulate" for i in whole.nodes) == len(list(model.parameters()))
