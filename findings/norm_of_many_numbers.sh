#!/usr/bin/env bash
# torch 2.13.0, CPU, one thread: the norm of many float32 numbers is wrong in its second or third digit.
#
# torch.linalg.vector_norm adds up the squares of a float32 tensor in a few float32 lanes, so small numbers are rounded
# away once a lane's sum is large. torch.sum adds in blocks and doesn't have this. For 38 million numbers of 0.01, the
# size of GPT-2's token embedding, the norm is off by more than 1 %; by 0.02 % or more for a million.
# torch.nn.utils.clip_grad_norm_ measures with it. Which digits come depends on how wide the processor's lanes are.
# Seen on a processor with AVX-512: 10.0039 and 60.870. The script fails if the norm is right to four digits.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0

cat > "$folder/expected" <<'END'
1,000,000 numbers: by sum 0.0000 % off, by vector_norm over 0.02 % off: True
38,000,000 numbers: by sum 0.0000 % off, by vector_norm over 0.02 % off: True
END
"$folder/venv/bin/python" -W ignore - > "$folder/seen" <<'END'
import sys

import torch

torch.set_num_threads(1)
for count in (1_000_000, 38_000_000):
    numbers = torch.full((count,), 0.01)
    right = numbers.double().square().sum().sqrt().item()
    by_sum = numbers.square().sum().sqrt().item()
    by_norm = torch.linalg.vector_norm(numbers).item()
    off = [100 * abs(each / right - 1) for each in (by_sum, by_norm)]
    print(f"{count:,} numbers: by sum {off[0]:.4f} % off, by vector_norm over 0.02 % off: {off[1] > 0.02}")
    print(f"right {right:.4f}, by sum {by_sum:.4f}, by vector_norm {by_norm:.4f}", file=sys.stderr)
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen"
