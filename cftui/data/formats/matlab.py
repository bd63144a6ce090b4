"""Matlab files, read in a process of their own, because a damaged file crashes the libraries that read it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cftui.errors import CftuiError
from cftui.text import one_line, shorten

HDF5 = b"\x89HDF\r\n\x1a\n"
# What published benchmarks call the matrix of all ratings.
NAMES = ("M", "ratings", "R", "data", "X")
# The masks of those that train and those that test, beside the matrix of all.
PARTS = ("Otraining", "Otest")
# How many rows a sparse matrix of Matlab 7.3 has: an attribute of its group.
_ROWS = "MATLAB_sparse"


def wanted(names: Sequence[str], member: str) -> list[str]:
    """Which of the arrays in a file hold the ratings: one, or all and the masks of two parts; empty if that is unclear.

    Args:
        member: the array that the user named, or empty.
    """
    if member in ("", NAMES[0]) and {NAMES[0], *PARTS} <= set(names):
        return [NAMES[0], *PARTS]
    fits = [name for name in names if name == member] if member else list(names)
    if len(fits) != 1 and not member:
        fits = [name for name in NAMES if name in names][:1]
    return fits if len(fits) == 1 else []


def read(path: Path, found: Path, member: str) -> tuple[list[str], dict[str, Any]]:
    """The names of all arrays in a file, and the ``wanted`` ones by name: as arrays of numpy or sparse matrices.

    Args:
        path: as the user named it; found: where it is.

    Raises:
        CftuiError: the file is damaged.
        ValueError: a sparse matrix in it is damaged.
    """
    from scipy import sparse

    with tempfile.TemporaryDirectory(prefix="cftui-") as folder:
        target = Path(folder, "arrays.npz")
        command = [sys.executable, "-m", __name__, str(found.absolute()), member, str(target)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        if done.returncode or not target.exists():
            why = done.stdout.strip() if done.returncode == 1 else f"its library ended with status {done.returncode}"
            raise CftuiError(f"{path}: not a readable file of arrays: {why or 'it could not be opened'}")
        with np.load(target, allow_pickle=False) as content:
            names = content["names"].tolist()
            arrays: dict[str, Any] = {}
            for at, name in enumerate(wanted(names, member)):
                if f"{at}.array" in content:
                    arrays[name] = content[f"{at}.array"]
                    continue
                data, row, column, shape = (content[f"{at}.{part}"] for part in ("data", "row", "column", "shape"))
                arrays[name] = sparse.coo_matrix((data, (row, column)), shape=tuple(shape.tolist()))
    return names, arrays


def _convert(source: Path, member: str, target: Path) -> None:
    """Write the arrays of ``read`` into a file of numpy."""
    from scipy import sparse

    with source.open("rb") as file:
        is_hdf5 = HDF5 in file.read(520)
    names, load = (_hdf5 if is_hdf5 else _old)(source)
    content: dict[str, Any] = {"names": np.array(names, dtype=np.str_)}
    for at, name in enumerate(wanted(names, member)):
        one = load(name)
        if sparse.issparse(one):
            one.check_format()
            grid = one.tocoo()
            parts = {"data": grid.data, "row": grid.row, "column": grid.col, "shape": np.array(grid.shape)}
            content |= {f"{at}.{part}": values for part, values in parts.items()}
            continue
        array = np.asarray(one)
        if array.dtype.hasobject:
            raise ValueError(f"its array is of {array.dtype} {list(array.shape)} and no matrix of numbers")
        content[f"{at}.array"] = array
    np.savez(target, **content)


def _old(source: Path) -> tuple[list[str], Callable[[str], Any]]:
    from scipy import io

    arrays = {name: one for name, one in io.loadmat(source).items() if not name.startswith("__")}
    return list(arrays), arrays.__getitem__


def _hdf5(source: Path) -> tuple[list[str], Callable[[str], Any]]:
    """Those of version 7.3."""
    import h5py  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from scipy import sparse

    file = h5py.File(source)

    def load(name: str) -> Any:
        entry = file[name]
        if isinstance(entry, h5py.Dataset):
            return np.asarray(entry).T  # Matlab stores columns first.
        starts = np.asarray(entry["jc"], dtype=np.int64)
        # Without values, a matrix has only the starts of its columns.
        values, rows = (np.asarray(entry.get(part, [])) for part in ("data", "ir"))
        shape = (int(entry.attrs[_ROWS]), len(starts) - 1)
        return sparse.csc_matrix((values.astype(np.float64), rows.astype(np.int64), starts), shape=shape)

    return [name for name, entry in file.items() if isinstance(entry, h5py.Dataset) or _ROWS in entry.attrs], load


if __name__ == "__main__":
    try:
        _convert(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    except Exception as error:  # whatever a library makes of a damaged file
        print(shorten(one_line(str(error)), 120))
        sys.exit(1)
