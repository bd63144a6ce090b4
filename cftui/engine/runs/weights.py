"""Tensors on disk: trained weights, checkpoints, and the item factors as they were after each epoch."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from cftui.engine.models.architectures import Architecture
from cftui.engine.runs.folder import RunFolder
from cftui.errors import CftuiError
from cftui.files import check_ordinary, write_atomic

# So many snapshots of the item factors are kept, spread over the run.
SNAPSHOTS = 64
# In the metadata of a safetensors file: the checksum of its tensors.
CHECKSUM = "crc32"
# Larger files are opened without it: it would take longer than a key press may.
CHECKED_BYTES = 50_000_000


def save_checkpoint(run: RunFolder, state: dict[str, Tensor]) -> None:
    """Raises OSError naming the file if the disk is full; the checkpoint before is then still there."""
    write_atomic(run.checkpoint_file, _packed(state))


def load_checkpoint(run: RunFolder) -> dict[str, Tensor] | None:
    """None where training has not come to its first checkpoint. Raises CftuiError if the file is damaged."""
    return _load(run.checkpoint_file) if run.checkpoint_file.exists() else None


def save_weights(run: RunFolder, model: Architecture) -> None:
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    write_atomic(run.weights_file, _packed(tensors))


def load_weights(run: RunFolder) -> dict[str, Tensor]:
    """The trained weights, or the last checkpoint's where training did not end.

    Raises:
        CftuiError: neither is there, the file is damaged, or the weights hold NaN or infinity.
    """
    if run.weights_file.exists():
        return _finite(run.weights_file, _load(run.weights_file))
    state = load_checkpoint(run)
    if state is None:
        raise CftuiError(f"{run.weights_file}: no such file; the run has no trained weights (status: {run.status()})")
    weights = {name.removeprefix("model."): t for name, t in state.items() if name.startswith("model.")}
    return _finite(run.checkpoint_file, weights)


def save_snapshot(run: RunFolder, epoch: int, model: Architecture) -> None:
    """Keep the item factors and biases after ``epoch``, in half precision; long runs keep every other snapshot.

    A model without factors has no snapshots.
    """
    learned = model.learned()
    if learned.item_factors is None:
        return
    tensors = {"item_factors": learned.item_factors}
    if learned.item_bias is not None:
        tensors["item_bias"] = learned.item_bias
    run.snapshots_folder.mkdir(exist_ok=True)
    halves = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in tensors.items()}
    write_atomic(run.snapshots_folder / f"{epoch:06d}.safetensors", _packed(halves))
    kept = snapshots(run)
    if len(kept) > SNAPSHOTS:
        for path in list(kept.values())[1::2]:
            path.unlink(missing_ok=True)


def snapshots(run: RunFolder) -> dict[int, Path]:
    """The snapshots there are, by epoch, ascending."""
    if not run.snapshots_folder.is_dir():
        return {}
    return {int(path.stem): path for path in sorted(run.snapshots_folder.glob("[0-9]*.safetensors"))}


def load_snapshot(run: RunFolder, epoch: int) -> dict[str, Tensor]:
    """float32 ``item_factors [items, k]`` and, where the recipe has it, ``item_bias [items]``, as after ``epoch``.

    Raises:
        CftuiError: that epoch was not kept, or its file is damaged or holds NaN or infinity.
    """
    path = snapshots(run).get(epoch)
    if path is None:
        raise CftuiError(f"{run.name}: no snapshot of epoch {epoch}; kept are {', '.join(map(str, snapshots(run)))}")
    return _finite(path, {name: value.float() for name, value in _load(path).items()})


def check_file(path: Path) -> None:
    """Compare a file of tensors with its checksum, however large it is. Raises CftuiError if it is damaged."""
    _load(path, largest=None)


def _finite(path: Path, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return ``weights``; no analysis has an answer for those that are not numbers. Raises CftuiError."""
    for name, value in weights.items():
        # A sum is NaN or infinite if a term is, and needs no memory; one that only overflows is looked at in full.
        if value.is_floating_point() and not value.sum().isfinite() and not value.isfinite().all():
            raise CftuiError(f"{name} holds NaN or infinity", where=path, hint="train it again, with a lower lr")
    return weights


def _packed(tensors: dict[str, Tensor]) -> bytes:
    """A safetensors file whose header holds the checksum of its tensors."""
    whole = save(tensors)
    header, data = _parts(whole)
    header["__metadata__"] = {CHECKSUM: _checksum(data)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the tensors
    return b"".join((len(text).to_bytes(8, "little"), text, data))


def _parts(whole: bytes) -> tuple[dict[str, Any], memoryview]:
    """The header and the tensors. Raises ValueError if there is no header."""
    size = int.from_bytes(whole[:8], "little")
    return json.loads(whole[8 : 8 + size]), memoryview(whole)[8 + size :]


def _checksum(data: memoryview) -> str:
    # It is to notice an accident, at more than a gigabyte a second.
    return f"{zlib.crc32(data):08x}"


def _load(path: Path, largest: int | None = CHECKED_BYTES) -> dict[str, Tensor]:
    """The tensors of a file. Those of more than ``largest`` bytes are not compared with their checksum."""
    try:
        check_ordinary(path)
        whole = path.read_bytes()
        tensors = load(whole)
        header, data = _parts(whole)
        # Files of earlier versions have none.
        kept = header.get("__metadata__", {}).get(CHECKSUM)
        if kept is not None and (largest is None or len(data) <= largest) and kept != _checksum(data):
            raise ValueError("its checksum differs")
    except (SafetensorError, OSError, ValueError) as error:
        raise CftuiError(f"{path}: damaged or truncated ({error})") from None
    return tensors
