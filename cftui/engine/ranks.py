"""The processes of one run: which of them this is, and what they tell each other.

``torchrun`` starts a run as several processes. All of them take the same steps in the same order, each with its share
of the ratings. Rank 0, the first, alone has the run folder, the log, the lock and the printing. Without ``torchrun``
there is one process: every method below then returns what it was given, and ``torch.distributed`` is not imported.

A process that meets an error leaves a note for the first one, which reports it, and ends. The others notice it at their
next exchange, as they notice one that was killed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from cftui.errors import CftuiError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

# How long the first process waits for the others' notes, and for the system to take a killed one away.
NOTE_SECONDS = 3.0
_POLL_SECONDS = 0.05
# The note of a process that ends because another one is gone.
_BEREFT = "-"


class RankLost(CftuiError):
    """Another process of this run has ended in the middle of it."""


class Reported(Exception):
    """This process is not the first, and has left its error to that one: it ends without a word."""


class Launched(NamedTuple):
    """What ``torchrun`` says of this process: its rank, the number of processes, its rank on this machine."""

    rank: int = 0
    size: int = 1
    local: int = 0


def launched(environment: Mapping[str, str] = os.environ) -> Launched:
    """How this process was started. Other programs set ``RANK`` too, so only what ``torchrun`` started counts."""
    if "TORCHELASTIC_RUN_ID" not in environment:
        return Launched()
    try:
        return Launched(*(int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))
    except (KeyError, ValueError) as error:
        raise CftuiError(f"torchrun's environment is incomplete: {error}") from None


@dataclass(frozen=True, eq=False)
class Ranks:
    """The processes that work on one fit.

    Attributes:
        rank: which this is, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1
    _store: Any = field(default=None, repr=False)
    _processes: Sequence[Any] = field(default=(), repr=False)

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def gather(self, mine: Tensor, counts: Sequence[int]) -> list[Tensor]:
        """What every process has: ``[counts[r], ...]`` for each rank r, in the order of the ranks.

        Args:
            mine: this process's part, ``[counts[rank], ...]``.
        """
        if self.size == 1:
            return [mine]
        import torch.distributed as dist

        # All parts of an exchange have the same size.
        padded = mine.new_zeros(max(counts), *mine.shape[1:])
        padded[: len(mine)] = mine
        parts = [padded.new_empty(padded.shape) for _ in counts]
        with self._exchange():
            dist.all_gather(parts, padded)
        return [part[:count] for part, count in zip(parts, counts, strict=True)]

    def sum(self, tensor: Tensor) -> Tensor:
        """Add up what the processes have, in place."""
        if self.size > 1:
            import torch.distributed as dist

            with self._exchange():
                dist.all_reduce(tensor)
        return tensor

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether it is true in any process."""
        if self.size == 1:
            return flags
        import torch

        return tuple((self.sum(torch.tensor(flags, dtype=torch.int32)) > 0).tolist())

    def wait_for_all(self) -> None:
        """Return once every process has come this far."""
        self.any(False)

    def from_first(self, find: Callable[[], T]) -> T:
        """What the first process finds; the others do not look for it."""
        if self.size == 1:
            return find()
        import torch.distributed as dist

        box = [find() if self.is_first else None]
        with self._exchange():
            dist.broadcast_object_list(box)
        return box[0]  # type: ignore[return-value]

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        import torch

        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise RankLost(self._who_is_lost() if self.is_first else f"lost the other processes: {error}") from None

    def _who_is_lost(self) -> str:
        """Why an exchange failed, as far as the notes and the system tell."""
        until = time.monotonic() + NOTE_SECONDS
        others = range(1, self.size)
        while True:
            notes = {rank: note for rank in others if (note := self._note_of(rank))}
            for rank, note in notes.items():
                if note != _BEREFT:
                    return f"process {rank} of {self.size} ended: {note}"
            gone = [rank for rank in others if rank not in notes and self._is_gone(rank)]
            if gone:
                return f"process {gone[0]} of {self.size} is gone: it was killed or has crashed"
            if time.monotonic() > until:
                return f"one of the {self.size} processes cannot be reached any more"
            time.sleep(_POLL_SECONDS)

    def _note_of(self, rank: int) -> str:
        with suppress(RuntimeError):
            if self._store.check([f"note/{rank}"]):
                return str(self._store.get(f"note/{rank}").decode())
        return ""

    def _is_gone(self, rank: int) -> bool:
        """Whether a process of this machine no longer runs."""
        from cftui.engine.runs.folder import is_alive, process_identity

        process = self._processes[rank]
        return process["host"] == process_identity()["host"] and not is_alive(process)

    def leave_note(self, error: BaseException) -> None:
        with suppress(RuntimeError):
            self._store.set(f"note/{self.rank}", _BEREFT if isinstance(error, RankLost) else str(error) or repr(error))


ALONE = Ranks()
_current = ALONE


def current() -> Ranks:
    """The processes that work on what is fitted now."""
    return _current


def own_device(wanted: str) -> str:
    """The name of the device for this process. Each process of a machine has a GPU of its own."""
    _, size, local = launched()
    if size == 1 or wanted not in ("auto", "cuda"):
        return wanted
    import torch

    if not torch.cuda.is_available():
        return wanted
    if local < torch.cuda.device_count():
        torch.cuda.set_device(local)
    return f"cuda:{local}"


@contextmanager
def joined() -> Iterator[Ranks]:
    """Meet the other processes that ``torchrun`` started, for as long as the context lasts.

    Raises:
        Reported: an error in a process other than the first.
    """
    global _current
    rank, size, _ = launched()
    if size == 1:
        yield ALONE
        return
    import torch
    import torch.distributed as dist

    from cftui.engine.runs.folder import process_identity

    store, _, _ = next(dist.rendezvous("env://", rank, size))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=dist.PrefixStore("cftui", store), rank=rank, world_size=size)
    processes: list[Any] = [None] * size
    dist.all_gather_object(processes, process_identity())
    _current = Ranks(rank, size, store, processes)
    try:
        yield _current
        # Nobody hangs up while another is still reading.
        with _current._exchange():
            dist.barrier()
    except Exception as error:
        if rank == 0:
            raise
        _current.leave_note(error)
        raise Reported from error
    finally:
        _current = ALONE
        with suppress(RuntimeError):
            dist.destroy_process_group()
