"""Models that nobody here wrote, trained with every rule swapped in: the losses are PyTorch's own.

GPT-2, BERT and a ResNet from ``transformers``, small, with random weights, with their dropout on, in double precision.
"""

from __future__ import annotations

import contextlib
from collections import Counter

import pytest
import torch

import autograd_lab as lab

STEPS = 20

MOVES_DATA = {
    "AliasBackward0", "AsStridedBackward0", "CatBackward0", "CloneBackward0", "CopyBackwards", "ExpandBackward0",
    "PermuteBackward0", "ReshapeAliasBackward0", "SelectBackward0", "SliceBackward0", "SplitBackward0",
    "SqueezeBackward1", "TBackward0", "ToCopyBackward0", "TransposeBackward0", "UnsafeViewBackward0",
    "UnsqueezeBackward0", "ViewBackward0",
}  # fmt: skip
"""Nodes that compute nothing: they copy data, to another dtype too, or see it in another shape. All others must be the
lab's."""


def gpt2(attention):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        n_layer=2, n_embd=16, n_head=2, vocab_size=30, n_positions=16, bos_token_id=0, eos_token_id=0,
        loss_type="ForCausalLM", attn_implementation=attention,
    )  # fmt: skip
    ids = torch.randint(0, 30, (2, 6))
    return GPT2LMHeadModel(config), {"input_ids": ids, "labels": ids}


def bert(attention):
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, vocab_size=30,
        attn_implementation=attention,
    )  # fmt: skip
    ids = torch.randint(0, 30, (2, 6))
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
    return BertForMaskedLM(config), {"input_ids": ids, "labels": ids, "attention_mask": mask}


def resnet(_):
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], num_labels=3)
    inputs = {"pixel_values": torch.randn(4, 3, 32, 32).double(), "labels": torch.tensor([0, 2, 1, 1])}
    return ResNetForImageClassification(config), inputs


CASES = [(gpt2, "sdpa"), (gpt2, "eager"), (bert, "sdpa"), (bert, "eager"), (resnet, None)]


def train(build, attention, setting):
    """Trains a model and gives each step's loss, and the native nodes of the graphs."""
    torch.manual_seed(0)
    model, inputs = build(attention)
    model.double().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses, native = [], Counter()
    with setting:
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = model(**inputs).loss
            native.update(node.name for node in lab.capture(loss).nodes if node.kind == "op")
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses, native


@pytest.mark.parametrize(
    ("build", "attention"), CASES, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_twenty_steps_of_training_have_the_same_losses_and_no_compute_node_of_pytorchs(build, attention):
    expected, nodes = train(build, attention, contextlib.nullcontext())
    swapped = lab.swap()
    losses, left = train(build, attention, swapped)
    assert set(nodes) - MOVES_DATA  # natively there are others
    assert set(left) <= MOVES_DATA, set(left) - MOVES_DATA
    assert not swapped.left
    worst = max(abs(found / wanted - 1) for found, wanted in zip(losses, expected, strict=True))
    print(f"{build.__name__} {attention}: {STEPS} steps, losses within {worst:.1e} relative")
    assert worst <= 1e-5
    assert losses[-1] < losses[0]
