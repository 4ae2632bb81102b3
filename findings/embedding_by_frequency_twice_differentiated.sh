#!/usr/bin/env bash
# torch 2.13.0: the second derivative of an embedding with scale_grad_by_freq=True forgets the scale.
#
# The first derivative divides the gradient of a row by how often the row was looked up in the batch. With respect to
# the incoming gradient it is linear, so its own derivative has to divide by the same number. It doesn't: for a row that
# was looked up twice, finite differences give 0.5 for each of the two, and autograd gives 1. Nothing warns.
# Seen with the output below; the script fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0

cat > "$folder/expected" <<'END'
first derivative, row 1: 1.0
its derivative, by finite differences: [0.5, 0.5]
its derivative, by autograd: [1.0, 1.0]
END
"$folder/venv/bin/python" -W ignore - > "$folder/seen" <<'END'
import torch
from torch.nn import functional

weight = torch.ones(3, 1, dtype=torch.float64, requires_grad=True)
rows = torch.tensor([1, 1])


def of_row_1(incoming, create_graph=False):
    looked_up = functional.embedding(rows, weight, scale_grad_by_freq=True)
    (grad,) = torch.autograd.grad(looked_up, weight, incoming, create_graph=create_graph)
    return grad[1].sum()


incoming = torch.ones(2, 1, dtype=torch.float64, requires_grad=True)
print("first derivative, row 1:", of_row_1(incoming).item())
steps = torch.eye(2, dtype=torch.float64).reshape(2, 2, 1)
slopes = [(of_row_1(incoming.detach() + step) - of_row_1(incoming.detach() - step)) / 2 for step in steps]
print("its derivative, by finite differences:", [slope.item() for slope in slopes])
(second,) = torch.autograd.grad(of_row_1(incoming, create_graph=True), incoming)
print("its derivative, by autograd:", second.flatten().tolist())
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen"
