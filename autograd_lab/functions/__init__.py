"""Readable derivative rules: one family a file, one rule a class, its mathematics with it.

A rule is a ``torch.autograd.Function`` that says which ATen operations it stands for, so that ``lab.swap`` can put
it in their place, and that brings its own samples, from which its tests are made. ``rules`` is the registry;
``rule`` enters a class, yours too.

Example:
    >>> import torch
    >>> from autograd_lab.functions import Mul
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> Mul.apply(x, 2.0).grad_fn.name()
    'MulBackward'
"""

from autograd_lab.functions.activation import Gelu as Gelu, Relu as Relu, Silu as Silu
from autograd_lab.functions.arithmetic import Add as Add, Div as Div, Mul as Mul, Neg as Neg, Sub as Sub
from autograd_lab.functions.attention import Attention as Attention
from autograd_lab.functions.average_pooling import AdaptiveAvgPool as AdaptiveAvgPool, AvgPool as AvgPool
from autograd_lab.functions.batch_norm import BatchNorm as BatchNorm
from autograd_lab.functions.clamp import Clamp as Clamp
from autograd_lab.functions.convolution import Convolution as Convolution
from autograd_lab.functions.dropout import Dropout as Dropout
from autograd_lab.functions.exponential import Exp as Exp, Log as Log, Sigmoid as Sigmoid, Tanh as Tanh
from autograd_lab.functions.group_norm import GroupNorm as GroupNorm
from autograd_lab.functions.linear import Addmm as Addmm, Bmm as Bmm, Linear as Linear, Mm as Mm
from autograd_lab.functions.lookup import Embedding as Embedding, Gather as Gather, IndexSelect as IndexSelect
from autograd_lab.functions.loss import MseLoss as MseLoss, NllLoss as NllLoss
from autograd_lab.functions.max_pooling import MaxPool as MaxPool
from autograd_lab.functions.normalization import LayerNorm as LayerNorm, RMSNorm as RMSNorm
from autograd_lab.functions.power import Pow as Pow
from autograd_lab.functions.reduction import Amax as Amax, Mean as Mean, Sum as Sum, Var as Var
from autograd_lab.functions.roots import Abs as Abs, Rsqrt as Rsqrt, Sqrt as Sqrt
from autograd_lab.functions.rule import (
    Adapter as Adapter,
    Rule as Rule,
    as_own_code as as_own_code,
    in_own_code as in_own_code,
    own_code as own_code,
    rule as rule,
    rules as rules,
)
from autograd_lab.functions.samples import Sample as Sample
from autograd_lab.functions.selection import MaskedFill as MaskedFill, Where as Where
from autograd_lab.functions.softmax import LogSoftmax as LogSoftmax, Softmax as Softmax
