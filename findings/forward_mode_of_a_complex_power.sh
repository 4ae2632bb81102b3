#!/usr/bin/env bash
# torch 2.13.0, forward mode: the tangent of a real base to a complex power lacks its imaginary part.
#
# d(x ** y)/dx = y * x ** (y - 1) is complex where y is. torch.pow's forward-mode formula takes the tangent through the
# function that makes a *gradient* real again for a real input, and so drops the imaginary part. Reverse mode is right.
# Seen with the output below; the script fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0

cat > "$folder/expected" <<'END'
slope, by finite differences: 0.053+0.911j
tangent, by forward mode:     0.053+0.000j
END
"$folder/venv/bin/python" -W ignore - > "$folder/seen" <<'END'
import torch
from torch.autograd import forward_ad

base = torch.tensor(1.5, dtype=torch.float64)
power = torch.tensor(0.5 + 1j, dtype=torch.complex128)
step = 1e-6


def written(number):
    return f"{number.real:.3f}+{abs(number.imag):.3f}j"


slope = (torch.pow(base + step, power) - torch.pow(base - step, power)) / (2 * step)
print("slope, by finite differences:", written(slope.item()))
with forward_ad.dual_level():
    result = torch.pow(forward_ad.make_dual(base, torch.ones_like(base)), power)
    print("tangent, by forward mode:    ", written(forward_ad.unpack_dual(result).tangent.item()))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen"
