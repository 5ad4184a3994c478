# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Peak memory of a computation, counted tensor by tensor."""

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary


class PeakMemory(TorchDispatchMode):
    """Largest number of bytes that the tensors created inside held at once.

    What exists before, as the weights, does not count, nor what an operator uses inside itself. It
    is the same on every device and in every process, ``meta`` included, where nothing is computed.
    Not for timing: it slows operators down.

    Attributes:
        peak (int): Bytes.

    Examples:
        >>> with PeakMemory() as memory:
        ...     model(x).sum().backward()
        >>> memory.peak
    """

    def __init__(self) -> None:
        super().__init__()
        self.storages = WeakIdKeyDictionary()
        self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Compute, and count the tensors that are alive."""
        made = func(*args, **(kwargs or {}))
        given, new = _storages((args, kwargs)), _storages(made)
        for address in new.keys() - given.keys():  # else a view, or in place
            self.storages[new[address]] = None
        self.peak = max(self.peak, sum(storage.nbytes() for storage in self.storages))
        return made


def _storages(values) -> dict:
    """Return the storages of the tensors among some values, by address."""
    storages = (
        tensor.untyped_storage() for tensor in tree_leaves(values) if isinstance(tensor, Tensor)
    )
    return {storage._cdata: storage for storage in storages}
