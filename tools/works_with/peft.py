"""LoRA on a small GPT-2."""

import torch
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel

PACKAGE, REQUIRES = "peft", ["peft==0.21.2", "transformers==5.24.0"]


def step():
    config = GPT2Config(n_layer=2, n_head=2, n_embd=16, n_positions=16, vocab_size=32, attn_pdrop=0.0)
    lora = LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True)
    model = get_peft_model(GPT2LMHeadModel(config), lora)
    ids = torch.arange(8)[None]
    return model(input_ids=ids, labels=ids).loss, model
