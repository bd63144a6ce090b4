"""What tests of several processes fit: ``fit_all`` here, or ``-m tests.engine.sharing ML_100K OUT`` below torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from cftui.data.formats.movielens import read_tables
from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine import ranks
from cftui.engine.models.build import Weights
from cftui.engine.models.recipes import recipe
from cftui.engine.training import fitter_for
from tests.conftest import read_tiny, write_tiny

# The tiny set has 30 users and 19 titles: some processes then have no rows at all.
FITS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bayes": ("bayes", "ml-100k", {"sweeps": 4, "burn_in": 1}),
    "bayes of few": ("bayes", "tiny", {"sweeps": 4, "burn_in": 1, "factors": 3}),
    "model4": ("model4", "ml-100k", {"epochs": 2, "bs": 256, "wd_bias": 0.02}),
    "model2 of few": ("model2", "tiny", {"epochs": 3, "bs": 16, "factors": 1, "keep_best": True}),
    "ials": ("ials", "ml-100k", {"sweeps": 2}),
    "ials of few": ("ials", "tiny", {"sweeps": 2, "factors": 3}),
}


def fit_all(folder: Path) -> dict[str, Weights]:
    """The states after every fit of ``FITS``, by its name; empty in a process that is not the first.

    Args:
        folder: MovieLens 100K.
    """
    with tempfile.TemporaryDirectory() as scratch:
        tables = {"ml-100k": read_tables(folder), "tiny": read_tiny(write_tiny(Path(scratch, "tiny")))}
    sets = {name: Ratings.encode(table) for name, table in tables.items()}
    found = {}
    for name, (which, data, values) in FITS.items():
        row, ratings = recipe(which), sets[data]
        fitter = fitter_for(row, row.options(**values), ratings, split(ratings, "random", 0), torch.device("cpu"))
        assert fitter.fit() == "finished"
        found[name] = fitter.state()
    return found


def torchrun(processes: int, *words: object) -> subprocess.Popen[str]:
    """Start ``python -m WORDS`` as several processes of one thread each, whose output can be read."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", processes, "-m", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([str(word) for word in command], env=environment, **pipes)


if __name__ == "__main__":
    with ranks.joined() as processes:
        for name, state in fit_all(Path(sys.argv[1])).items():
            if processes.is_first:
                save_file(state, Path(sys.argv[2], f"{name}.safetensors"))
