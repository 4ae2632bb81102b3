"""Models that nobody here wrote: GPT-2, BERT and a ResNet from ``transformers``, small and with random weights."""

from __future__ import annotations

import pytest
import torch
import torchviz

import autograd_lab as lab


def gpt2(attention):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        n_layer=2, n_embd=16, n_head=2, vocab_size=30, n_positions=16, bos_token_id=0, eos_token_id=0,
        loss_type="ForCausalLM", attn_implementation=attention,
    )  # fmt: skip
    ids = torch.randint(0, 30, (2, 6))
    model = GPT2LMHeadModel(config)
    return model, model(input_ids=ids, labels=ids)


def bert(attention):
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, vocab_size=30,
        attn_implementation=attention,
    )  # fmt: skip
    ids = torch.randint(0, 30, (2, 6))
    model = BertForMaskedLM(config)
    return model, model(input_ids=ids, labels=ids)


def resnet(_):
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], num_labels=3)
    model = ResNetForImageClassification(config)
    return model, model(pixel_values=torch.randn(2, 3, 32, 32), labels=torch.tensor([0, 2]))


@pytest.fixture(
    params=[(gpt2, "sdpa"), (gpt2, "eager"), (bert, "sdpa"), (bert, "eager"), (resnet, None)],
    ids=lambda param: f"{param[0].__name__}-{param[1]}",
)
def model_and_output(request):
    build, attention = request.param
    return build(attention)


def test_every_parameter_that_gets_a_gradient_is_a_named_leaf(model_and_output):
    model, output = model_and_output
    graph = lab.capture(output.loss, model=model)
    output.loss.backward()
    expected = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert {leaf.variable for leaf in graph.leaves} == expected


def test_tied_weights_show_both_names():
    model, output = gpt2("sdpa")
    leaves = {leaf.variable: leaf.aliases for leaf in lab.capture(output.loss, model=model).leaves}
    assert leaves["transformer.wte.weight"] == ("lm_head.weight",)


def test_what_a_model_returned_is_captured_whole(model_and_output):
    _, output = model_and_output
    assert len(lab.capture(output).roots) == len([t for t in output.values() if isinstance(t, torch.Tensor)])


@pytest.mark.filterwarnings("ignore:distutils Version classes:DeprecationWarning")
def test_the_nodes_are_torchvizs(model_and_output):
    model, output = model_and_output
    graph = lab.capture(output.loss, model=model)
    dot = torchviz.make_dot(output.loss, params=dict(model.named_parameters()))
    nodes = [line for line in dot.body if "->" not in line and "Backward" in line.partition("[")[2]]
    accumulators = [line for line in dot.body if "->" not in line and "label=AccumulateGrad" in line]
    assert len(nodes) == len([node for node in graph.nodes if node.kind != "accumulate"])
    assert len(accumulators) == len(graph.leaves)


def test_the_trace_runs_in_the_captured_order_and_changes_no_bit(model_and_output):
    model, output = model_and_output
    model.eval()
    output.loss.backward(retain_graph=True)
    plain = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    trace = lab.trace(output.loss, model=model)
    assert [step.node for step in trace.steps] == list(range(len(trace.graph)))
    for name, parameter in model.named_parameters():
        if name in plain:
            assert torch.equal(parameter.grad, plain[name])


def test_it_is_drawn(model_and_output, tmp_path):
    model, output = model_and_output
    svg = lab.render(output.loss, tmp_path / "graph.svg", model=model).read_text("utf-8")
    for leaf in lab.capture(output.loss, model=model).leaves:
        assert leaf.variable in svg
    png = lab.render(output.loss, tmp_path / "graph.png", model=model, saved=True).read_bytes()
    assert png.startswith(b"\x89PNG")


def test_the_glass_engine_is_the_native_one(model_and_output):
    model, output = model_and_output
    check = lab.check_engine(output.loss, model=model)
    assert check.ok, check
    assert check.deterministic
    assert check.gradients >= len(list(model.parameters()))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_step_with_rules_swapped_in_has_the_same_gradients(model_and_output):
    model, output = model_and_output
    del output
    inputs = {
        "GPT2LMHeadModel": lambda: model(input_ids=(ids := torch.ones(2, 6, dtype=torch.long)), labels=ids),
        "BertForMaskedLM": lambda: model(input_ids=(ids := torch.ones(2, 6, dtype=torch.long)), labels=ids),
        "ResNetForImageClassification": lambda: model(
            pixel_values=torch.ones(2, 3, 32, 32), labels=torch.tensor([0, 2])
        ),
    }
    report = lab.verify(lambda: (inputs[type(model).__name__]().loss, model), swap="all")
    assert report.ok, report.failed
    assert report.swapped
    assert report.checks[-1].samples > 10  # calls that were compared, not only gradients at the leaves
