#!/usr/bin/env bash
# torch 2.13.0 with tensorboard 2.21.0: SummaryWriter makes float16 of bfloat16, so small gradients are written as 0.
#
# torch.utils.tensorboard converts a tensor with make_np, and there `x.to(torch.float16)` stands for bfloat16, since NumPy
# has none. But bfloat16 has the range of float32 and float16 hasn't: what is below 3e-8 becomes 0, what is above 65504
# becomes inf. Gradients of a training in bfloat16 are often that small: add_histogram then shows a dead layer, and
# add_scalar a norm of 0. Large ones make add_scalar write inf and add_histogram raise "The histogram is empty, please
# file a bug report." A tensor on the meta device, which has no numbers, gets a histogram of one random number
# (make_np returns np.random.randn(1)). The script fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 tensorboard==2.21.0

cat > "$folder/expected" <<'END'
1e-08 in float32: scalar 1e-08, histogram from 1e-08 to 1e-08
1e-08 in bfloat16: scalar 0.0, histogram from 0.0 to 0.0
1e+05 in float32: scalar 1e+05, histogram from 1e+05 to 1e+05
1e+05 in bfloat16: scalar inf, ValueError: The histogram is empty, please file a bug report.
1,000 numbers on the meta device: a histogram of 1 number
END
"$folder/venv/bin/python" -W ignore - > "$folder/seen" <<'END'
import sys
import tempfile

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter


def written(write):
    """What TensorBoard reads of what a function writes: by its tag, scalars and histograms."""
    with tempfile.TemporaryDirectory() as folder:
        with SummaryWriter(folder) as writer:
            write(writer)
        read = EventAccumulator(folder)
        read.Reload()
        scalars = {tag: read.Scalars(tag)[0].value for tag in read.Tags()["scalars"]}
        return scalars, {tag: read.Histograms(tag)[0].histogram_value for tag in read.Tags()["histograms"]}


def short(number):
    return f"{number:.2g}" if 0 < abs(number) < float("inf") else str(number)


for value in (1e-8, 1e5):
    for dtype in (torch.float32, torch.bfloat16):
        gradient = torch.full((100,), value, dtype=dtype)
        scalars, _ = written(lambda writer: writer.add_scalar("norm", gradient.max(), 0))
        try:
            _, histograms = written(lambda writer: writer.add_histogram("gradient", gradient, 0))
            said = f"histogram from {short(histograms['gradient'].min)} to {short(histograms['gradient'].max)}"
        except ValueError as error:
            said = f"ValueError: {error}"
        print(f"{value:.0e} in {str(dtype).removeprefix('torch.')}: scalar {short(scalars['norm'])}, {said}")
_, histograms = written(lambda writer: writer.add_histogram("gradient", torch.zeros(1000, device="meta"), 0))
print(f"1,000 numbers on the meta device: a histogram of {histograms['gradient'].num:.0f} number")
print("that number:", histograms["gradient"].min, file=sys.stderr)
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen"
