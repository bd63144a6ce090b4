"""A simulated CUDA device: its tensors say that they are on ``cuda:0`` and hold their numbers on the CPU.

Every operation computes real numbers, autograd included, so whole trainings run on it and can be compared with the
CPU's to the bit. What CUDA refuses raises here as well: tensors on two devices, a generator of the other device, and,
as torch 2.6 to 2.9 do, a first call of cuBLAS without its workspace being set. So does whatever differs from run to run
on a GPU: cuSPARSE, sums by atomic additions outside deterministic mode, and a generator that nobody seeded. Each time
that the host would wait for the device is recorded with its place.

It cannot judge time, the digits of CUDA's own kernels, or the memory they need beside their results.
"""

from __future__ import annotations

import collections
import operator
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

from tests.cuda import rules

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
WORKSPACES = (":4096:8", ":16:8")
Generator = torch.Generator
# As Python sees it: a type checker knows its attributes by their values.
Plain: Any = Tensor
to = torch._C.TensorBase.to


class DeviceError(RuntimeError):
    """What a GPU would refuse, or do differently in every run."""


class Device:
    """The device that is simulated.

    Attributes:
        waits: how often the host waited, by the place in the package.
        memory: the bytes of the largest tensor that fits; None for no limit.
        cublas_fits: whether cuBLAS finds memory for its workspace.
        seeded: whether somebody has seeded the device's own generator.
    """

    def __init__(self) -> None:
        self.waits: collections.Counter[str] = collections.Counter()
        self.memory: int | None = None
        self.cublas_fits = True
        self.seeded = False
        self._generators: list[torch.Generator] = []
        self._cublas_configured: bool | None = None

    def wait(self) -> None:
        self.waits[rules.caller()] += 1

    def generator_class(self) -> type:
        """A class that takes the place of ``torch.Generator``: PyTorch's annotations need a class."""

        def new(_: type, device: Any = "cpu") -> torch.Generator:
            made = Generator()
            if torch.device(device).type == "cuda":
                self._generators.append(made)
            return made

        return type("Generator", (), {"__new__": new})

    def _is_here(self, generator: torch.Generator) -> bool:
        # The same generator comes back from C++ as another object.
        address: Any = operator.attrgetter("_cdata")
        return address(generator) in map(address, self._generators)

    def check(self, kernel: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], on_device: bool) -> None:
        """Raise what CUDA raises for this operator, and record what it waits for."""
        flat = [*_leaves(args), *_leaves(kwargs)]
        tensors = [one for one in flat if isinstance(one, Tensor)]
        elsewhere = [one for one in tensors if not one.is_cuda and one.dim() > 0]
        if on_device and elsewhere and not (kernel in rules.INDEXING and args[0].is_cuda):
            shapes = ", ".join(str(list(one.shape)) for one in elsewhere)
            raise DeviceError(f"{func}: tensors on cuda:0 and cpu ({shapes}) in {rules.caller()}")
        generators = [one for one in flat if isinstance(one, Generator)]
        if any(self._is_here(one) != on_device for one in generators):
            raise DeviceError(f"{func}: a generator of the other device in {rules.caller()}")
        if not on_device:
            return
        if torch.Tag.nondeterministic_seeded in func.tags and not generators and not self.seeded:
            raise DeviceError(f"{func}: draws from CUDA's own generator, which nobody seeded, in {rules.caller()}")
        if any(one.layout is not torch.strided for one in tensors) or "sparse" in kernel:
            raise DeviceError(f"{func}: cuSPARSE's sums differ from run to run, in {rules.caller()}")
        if torch.are_deterministic_algorithms_enabled():
            if rules.has_no_deterministic_version(kernel, args, kwargs):
                raise DeviceError(f"{func} does not have a deterministic implementation, in {rules.caller()}")
        elif rules.differs_between_runs(kernel, args, kwargs):
            raise DeviceError(f"{func}: outside deterministic mode it differs from run to run, in {rules.caller()}")
        if kernel in rules.PRODUCTS:
            self._check_cublas(func)
        if rules.waits(kernel, func, args, kwargs):
            self.wait()

    def _check_cublas(self, func: Any) -> None:
        if not self.cublas_fits:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
        # Asked at the first call in a process, and remembered (aten/src/ATen/Context.cpp).
        if self._cublas_configured is None:
            self._cublas_configured = os.environ.get("CUBLAS_WORKSPACE_CONFIG") in WORKSPACES
        if torch.are_deterministic_algorithms_enabled() and not self._cublas_configured:
            raise DeviceError(
                f"{func}: CUBLAS_WORKSPACE_CONFIG was not set at the first call of cuBLAS, in {rules.caller()}"
            )

    def check_memory(self, made: Any) -> None:
        """Raise what PyTorch raises when a result is too large."""
        if self.memory is None:
            return
        for one in _leaves(made):
            if isinstance(one, Tensor) and one.numel() * one.element_size() > self.memory:
                raise torch.OutOfMemoryError("CUDA out of memory")


# The device that is simulated now.
_current: list[Device] = []


class SimulatedTensor(Tensor):
    """A tensor on ``cuda:0``. C++ takes it for one on the CPU, so that autograd works in builds without CUDA."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> SimulatedTensor:
        made = Tensor._make_wrapper_subclass(
            cls, held.size(), dtype=held.dtype, device=CPU, strides=held.stride(), storage_offset=held.storage_offset()
        )
        made.held = held
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CUDA

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return True

    def tolist(self) -> Any:
        _current[-1].wait()
        return self.held.tolist()

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self.numpy()

    def cpu(self, *args: Any) -> Tensor:
        return self.to("cpu")

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        return _to(self, *args, **kwargs)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func == Plain.data.__set__:
            args[0].held = args[1].held
        if func == Plain.device.__get__:
            return CUDA
        if func in (to, Tensor.cpu):
            return _to(*args, **(kwargs or {})) if func is to else _to(args[0], "cpu")
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return _run(func, args, kwargs or {})


def _to(tensor: Tensor, *args: Any, copy: bool = False, **kwargs: Any) -> Tensor:
    """``Tensor.to``, of which C++ would ask for a driver."""
    like = args[0] if args and isinstance(args[0], Tensor) else kwargs.pop("other", None)
    if like is not None:
        device, dtype = like.device, like.dtype
    else:
        device, dtype, _, _ = torch._C._nn._parse_to(*args, **kwargs)
    device, dtype = device or tensor.device, dtype or tensor.dtype
    if device.type == tensor.device.type and dtype == tensor.dtype and not copy:
        return tensor
    return torch.ops.aten._to_copy(tensor, dtype=dtype, device=device)


def _leaves(value: Any) -> Iterator[Any]:
    """What is in the arguments of an operator: PyTorch's own ``tree_flatten`` takes ten times as long."""
    if isinstance(value, (tuple, list)):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    else:
        yield value


def _map(function: Callable[[Any], Any], value: Any) -> Any:
    """The same arguments or results with a function applied to each leaf."""
    if isinstance(value, (tuple, list)):
        return type(value)([_map(function, one) for one in value])
    if isinstance(value, dict):
        return {name: _map(function, one) for name, one in value.items()}
    return function(value)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, SimulatedTensor) else value


def _wrapped(value: Any) -> Any:
    return SimulatedTensor(value) if isinstance(value, Tensor) and not isinstance(value, SimulatedTensor) else value


def _goes_to(tensor: Tensor, device: Any) -> bool:
    """Whether a copy of ``tensor`` comes to be on the simulated device."""
    return tensor.is_cuda if device is None else torch.device(device).type == "cuda"


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Check one operator against the rules of the device, and compute it on the CPU."""
    device, kernel = _current[-1], rules.kernel_of(func)
    wanted = kwargs.get("device")
    ours = any(isinstance(one, SimulatedTensor) for part in (args, kwargs) for one in _leaves(part))
    # C++ takes our tensors for the CPU's, and asks for new ones beside them there.
    on_device = ours or (wanted is not None and torch.device(wanted).type == "cuda")
    plain, named = _map(_held, args), _map(_held, kwargs)
    if wanted is not None:
        named["device"] = CPU
    if kernel == "copy" or func is torch.ops.aten._to_copy.default:
        source, target = (args[1].is_cuda, args[0].is_cuda) if kernel == "copy" else (ours, _goes_to(args[0], wanted))
        if source and not target:
            device.wait()
        found = func(*plain, **named)
        device.check_memory(found if target else None)
        if kernel == "copy":
            return args[0]
        return SimulatedTensor(found) if target else found
    if not ours and not on_device:
        device.check(kernel, func, args, kwargs, on_device=False)
        return func(*plain, **named)
    device.check(kernel, func, args, kwargs, on_device)
    found = func(*plain, **named)
    device.check_memory(found)
    found = _map(_wrapped, found)
    if func._schema.is_mutable or any(one.alias_info is not None for one in func._schema.returns):
        return return_and_correct_aliasing(func, args, kwargs, found)
    return found


class _Functions(TorchFunctionMode):
    """Moves ordinary tensors to the device: C++ would ask for a driver before anybody else is asked."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is to:
            return _to(*args, **(kwargs or {}))
        if func is torch.tensor and kwargs and kwargs.get("device") is not None:
            return _to(func(*args, **{**kwargs, "device": "cpu"}), kwargs["device"])
        return func(*args, **(kwargs or {}))


class _Operators(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


_apply = torch.nn.Module._apply


def _apply_by_swapping(*args: Any, **kwargs: Any) -> torch.nn.Module:
    """``Module._apply``, with new tensors in place of the parameters: ``Parameter.data`` cannot take another class."""
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        return _apply(*args, **kwargs)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


@contextmanager
def simulated_cuda() -> Iterator[Device]:
    """In this context, the machine has one CUDA device."""
    device = Device()

    def seed(number: int) -> None:
        device.seeded = True

    def fork(*args: Any) -> Tensor:
        # What is drawn from here on must have been seeded from here on.
        device.seeded = False
        return Generator().get_state()

    stand_ins: dict[str, Any] = {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "is_current_stream_capturing": lambda: False,
        "empty_cache": lambda: None,
        "synchronize": lambda *args: None,
        "get_device_name": lambda *args: "simulated GPU",
        "max_memory_allocated": lambda *args: 0,
        "mem_get_info": lambda *args: (60 * 2**30, 80 * 2**30),
        "get_rng_state": fork,
        "set_rng_state": lambda *args: None,
        "manual_seed": seed,
        "manual_seed_all": seed,
        "device": lambda *args: mock.MagicMock(),
    }
    with (
        mock.patch.multiple(torch.cuda, **stand_ins),
        mock.patch.object(torch, "Generator", device.generator_class()),
        mock.patch.object(torch.nn.Module, "_apply", _apply_by_swapping),
        _Functions(),
        _Operators(),
    ):
        _current.append(device)
        try:
            yield device
        finally:
            _current.pop()
