"""A decoder with rotary embeddings."""

import torch
from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper

PACKAGE, REQUIRES = "x-transformers", ["x-transformers==2.31.10"]


def step():
    layers = Decoder(dim=16, depth=2, heads=2, attn_dim_head=8, rotary_pos_emb=True)
    model = AutoregressiveWrapper(TransformerWrapper(num_tokens=20, max_seq_len=16, attn_layers=layers))
    return model(torch.arange(12)[None]), model
