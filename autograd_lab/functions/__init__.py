"""Readable derivative rules: one family a file, one rule a class, its mathematics as its docstring.

Imports torch only. A rule is a ``torch.autograd.Function`` that says which ATen operations it stands for, so that
``lab.swap`` can put it in their place, and that brings its own samples, from which its tests are made. ``rules`` is the
registry; ``rule`` enters a class, yours too.

Example:
    >>> import torch
    >>> from autograd_lab.functions import Mul
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> Mul.apply(x, 2.0).grad_fn.name()
    'MulBackward'
"""

from autograd_lab.functions.arithmetic import Add as Add
from autograd_lab.functions.arithmetic import Div as Div
from autograd_lab.functions.arithmetic import Mul as Mul
from autograd_lab.functions.arithmetic import Neg as Neg
from autograd_lab.functions.arithmetic import Sub as Sub
from autograd_lab.functions.power import Pow as Pow
from autograd_lab.functions.rule import Adapter as Adapter
from autograd_lab.functions.rule import Rule as Rule
from autograd_lab.functions.rule import in_own_code as in_own_code
from autograd_lab.functions.rule import own_code as own_code
from autograd_lab.functions.rule import rule as rule
from autograd_lab.functions.rule import rules as rules
from autograd_lab.functions.samples import Sample as Sample
