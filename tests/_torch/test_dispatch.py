"""Where kernels are registered, and that they are gone afterwards."""

from __future__ import annotations

import pytest
import torch

import autograd_lab as lab
from autograd_lab._torch import dispatch


@pytest.fixture
def accelerator(monkeypatch):
    """Has torch say that there is an accelerator of some type."""

    def there_is(name):
        device = None if name is None else torch.device(name)
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: device)

    caches = (dispatch.keys, dispatch._ours)
    for cache in caches:
        cache.cache_clear()
    yield there_is
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize(
    ("device", "keys"),
    [
        (None, ("AutogradCPU",)),
        ("cuda", ("AutogradCPU", "AutogradCUDA")),
        ("mps", ("AutogradCPU", "AutogradMPS")),
        ("privateuseone", ("AutogradCPU", "AutogradPrivateUse1")),
    ],
)
def test_the_keys_are_those_of_the_devices_that_there_are(accelerator, device, keys):
    accelerator(device)
    assert dispatch.keys() == keys
    assert all(dispatch._ours().has(torch._C.DispatchKey.__members__[key]) for key in keys)


def registered(key):
    """The file in which the kernel of ``mul`` at a key was registered."""
    lines = torch._C._dispatch_dump_table("aten::mul.Tensor").splitlines()
    return next(line for line in lines if line.startswith(f"{key}:"))


def test_a_swap_reaches_the_accelerators_key_and_leaves_it_as_it_was(accelerator):
    accelerator("cuda")
    keys = ("AutogradCPU", "AutogradCUDA", "AutogradOther")
    before = [registered(key) for key in keys]
    with lab.swap("mul") as swap:
        inside = [registered(key) for key in keys]
        torch.ones(2, requires_grad=True) * 2
    assert swap.calls == {"mul.Tensor": 1}
    assert [now == then for now, then in zip(inside, before, strict=True)] == [False, False, True]
    assert [registered(key) for key in keys] == before
