"""A small BERT, with gradient checkpointing."""

import torch
from transformers import BertConfig, BertForMaskedLM

PACKAGE, REQUIRES = "transformers", ["transformers==5.24.0"]


def step():
    config = BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, vocab_size=40
    )
    model = BertForMaskedLM(config)
    model.gradient_checkpointing_enable()
    ids = torch.arange(8)[None]
    return model.train()(input_ids=ids, labels=ids).loss, model
