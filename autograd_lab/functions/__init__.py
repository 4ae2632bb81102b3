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

from autograd_lab.functions.activation import Gelu as Gelu
from autograd_lab.functions.activation import Relu as Relu
from autograd_lab.functions.activation import Silu as Silu
from autograd_lab.functions.arithmetic import Add as Add
from autograd_lab.functions.arithmetic import Div as Div
from autograd_lab.functions.arithmetic import Mul as Mul
from autograd_lab.functions.arithmetic import Neg as Neg
from autograd_lab.functions.arithmetic import Sub as Sub
from autograd_lab.functions.attention import Attention as Attention
from autograd_lab.functions.average_pooling import AdaptiveAvgPool as AdaptiveAvgPool
from autograd_lab.functions.average_pooling import AvgPool as AvgPool
from autograd_lab.functions.batch_norm import BatchNorm as BatchNorm
from autograd_lab.functions.clamp import Clamp as Clamp
from autograd_lab.functions.convolution import Convolution as Convolution
from autograd_lab.functions.dropout import Dropout as Dropout
from autograd_lab.functions.exponential import Exp as Exp
from autograd_lab.functions.exponential import Log as Log
from autograd_lab.functions.exponential import Sigmoid as Sigmoid
from autograd_lab.functions.exponential import Tanh as Tanh
from autograd_lab.functions.group_norm import GroupNorm as GroupNorm
from autograd_lab.functions.linear import Addmm as Addmm
from autograd_lab.functions.linear import Bmm as Bmm
from autograd_lab.functions.linear import Linear as Linear
from autograd_lab.functions.linear import Mm as Mm
from autograd_lab.functions.lookup import Embedding as Embedding
from autograd_lab.functions.lookup import Gather as Gather
from autograd_lab.functions.lookup import IndexSelect as IndexSelect
from autograd_lab.functions.loss import MseLoss as MseLoss
from autograd_lab.functions.loss import NllLoss as NllLoss
from autograd_lab.functions.max_pooling import MaxPool as MaxPool
from autograd_lab.functions.normalization import LayerNorm as LayerNorm
from autograd_lab.functions.normalization import RMSNorm as RMSNorm
from autograd_lab.functions.power import Pow as Pow
from autograd_lab.functions.reduction import Amax as Amax
from autograd_lab.functions.reduction import Mean as Mean
from autograd_lab.functions.reduction import Sum as Sum
from autograd_lab.functions.reduction import Var as Var
from autograd_lab.functions.roots import Abs as Abs
from autograd_lab.functions.roots import Rsqrt as Rsqrt
from autograd_lab.functions.roots import Sqrt as Sqrt
from autograd_lab.functions.rule import Adapter as Adapter
from autograd_lab.functions.rule import Rule as Rule
from autograd_lab.functions.rule import as_own_code as as_own_code
from autograd_lab.functions.rule import in_own_code as in_own_code
from autograd_lab.functions.rule import own_code as own_code
from autograd_lab.functions.rule import rule as rule
from autograd_lab.functions.rule import rules as rules
from autograd_lab.functions.samples import Sample as Sample
from autograd_lab.functions.selection import MaskedFill as MaskedFill
from autograd_lab.functions.selection import Where as Where
from autograd_lab.functions.softmax import LogSoftmax as LogSoftmax
from autograd_lab.functions.softmax import Softmax as Softmax
