"""Compare fitting time and validation loss of ``model4``, fastai, Surprise and myFM in one run on one machine.

    pip install --constraint constraints.txt --editable '.[bench]'
    python benchmarks/compare.py             print the table
    python benchmarks/compare.py --write     also put it into docs/benchmarks.md

Each contender fits ``split(ratings, "random", seed).train`` of MovieLens 100K. This script computes its mean squared
error on ``valid`` from the predictions as the package returns them (Surprise clips them to 1-5, the others do not). The
seconds are those of the call that fits, with the data already in the package's own form. For fastai and cftui they
include a validation after each of the five epochs, which is the default of both. The contenders take turns, so that
other work on the machine slows all of them alike. Fast contenders have three turns per seed, the others one; the table
shows the median.

Everything runs on the CPU, and PyTorch on one thread. cftui chooses one thread itself for such small batches. It is
also best for fastai: a second thread gained nothing on an idle machine and made it up to seven times slower on a busy
one.

- fastai: ``collab_learner``, 50 factors, ``y_range`` (0, 5.5), batch 64, ``fit_one_cycle(5, 5e-3, wd=0.1)``, once as
  released and once with each row drawn once per epoch. Since 2.7.15, its tabular loader draws rows *with replacement*,
  which raises the loss and differs from what the chapter ran.
- Surprise: ``SVD()`` with its defaults (100 factors, 20 epochs).
- myFM: ``MyFMRegressor`` with users and items one-hot and grouped, rank 8, 100 sweeps of which 95 are kept, as in the
  MovieLens example of its documentation.
- ``fast``: ``model4`` with batch 256 and no other change. It was chosen on seeds 5 to 9 (the table shows seeds 0 to 4)
  among about thirty settings: batches of 64 to 2048, learning rates of 4e-3 to 4e-2, 4 to 8 epochs, weight decays of
  0.1 to 0.3. It had the lowest loss of all on those seeds: 0.808, where batch 64 has 0.812. Batch 512 has 0.812 in two
  thirds of its time.

The extra ``bench`` has two peculiarities. fastai requires torchvision, whose build on PyPI cannot be imported beside a
PyTorch for CPUs only (``operator torchvision::nms does not exist``); ``fastai.collab`` and ``fastai.tabular`` never
import it. myFM 0.4.0 imports ``pkg_resources``, which setuptools 82 no longer has, so the extra asks for
``setuptools<81``.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib.metadata import version
from io import StringIO

import numpy as np
import torch
from markdown import put, table

from cftui.data.ratings import Ratings
from cftui.data.splits import Split, split
from cftui.engine.metrics import predict
from cftui.engine.models.recipes import RECIPES
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

CPU = torch.device("cpu")
FAST_BATCH = 256
TURNS = 3

# (ratings, their split, its seed) -> (seconds of fitting, predictions for split.valid)
Fit = Callable[[Ratings, Split, int], tuple[float, np.ndarray]]


def fit_cftui(batch: int) -> Fit:
    def fit(ratings: Ratings, parts: Split, seed: int) -> tuple[float, np.ndarray]:
        trainer = fitter_for(RECIPES["model4"], RECIPES["model4"].options(bs=batch, seed=seed), ratings, parts, CPU)
        start = time.perf_counter()
        trainer.fit()
        seconds = time.perf_counter() - start
        pairs = (torch.from_numpy(column[parts.valid]) for column in (ratings.user, ratings.item))
        return seconds, predict(trainer.model, *pairs).numpy()

    return fit


def fit_fastai(with_replacement: bool) -> Fit:
    def fit(ratings: Ratings, parts: Split, seed: int) -> tuple[float, np.ndarray]:
        import pandas as pd
        from fastai.collab import TabularCollab, collab_learner
        from fastai.data.block import TransformBlock
        from fastai.data.transforms import IndexSplitter
        from fastai.tabular.core import Categorify
        from fastai.torch_core import set_seed

        set_seed(seed)
        frame = pd.DataFrame({"user": ratings.user, "item": ratings.item, "rating": ratings.rating})
        # The same as CollabDataLoaders.from_df, but with this split instead of a random one.
        rows = TabularCollab(
            frame,
            [Categorify],
            ["user", "item"],
            y_names=["rating"],
            y_block=TransformBlock(),
            splits=IndexSplitter(parts.valid)(range(len(frame))),
        )
        loaders = rows.dataloaders(bs=64, device=CPU)
        if not with_replacement:
            loaders.train.get_idxs = lambda: np.random.permutation(loaders.train.n).tolist()
        learner = collab_learner(loaders, n_factors=50, y_range=(0, 5.5))
        with learner.no_bar(), learner.no_logging(), redirect_stdout(StringIO()):
            start = time.perf_counter()
            learner.fit_one_cycle(5, 5e-3, wd=0.1)
            seconds = time.perf_counter() - start
            predicted, _ = learner.get_preds(dl=loaders.valid)
        return seconds, predicted.flatten().numpy()

    return fit


def fit_surprise(ratings: Ratings, parts: Split, seed: int) -> tuple[float, np.ndarray]:
    import pandas as pd
    from surprise import SVD, Dataset, Reader

    frame = pd.DataFrame({"user": ratings.user, "item": ratings.item, "rating": ratings.rating})
    known = Dataset.load_from_df(frame.iloc[parts.train], Reader(rating_scale=ratings.rating_range))
    trainset = known.build_full_trainset()
    start = time.perf_counter()
    model = SVD(random_state=seed).fit(trainset)
    seconds = time.perf_counter() - start
    asked = frame.iloc[parts.valid].itertuples(index=False, name=None)
    return seconds, np.array([answer.est for answer in model.test(list(asked))])


def fit_myfm(ratings: Ratings, parts: Split, seed: int) -> tuple[float, np.ndarray]:
    from myfm import MyFMRegressor
    from scipy.sparse import csr_matrix

    users, items = len(ratings.users), len(ratings.items)

    def one_hot(rows: np.ndarray) -> csr_matrix:
        columns = np.stack([ratings.user[rows], ratings.item[rows] + users], axis=1)
        starts = np.arange(0, columns.size + 1, 2)
        return csr_matrix((np.ones(columns.size), columns.ravel(), starts), shape=(len(rows), users + items))

    known, target = one_hot(parts.train), ratings.rating[parts.train].astype(np.float64)
    model = MyFMRegressor(rank=8, random_seed=seed)
    with redirect_stderr(StringIO()):  # its progress bar
        start = time.perf_counter()
        model.fit(known, target, group_shapes=[users, items], n_iter=100, n_kept_samples=95)
        seconds = time.perf_counter() - start
    return seconds, model.predict(one_hot(parts.valid))


@dataclass
class Contender:
    """One row of the table.

    Attributes:
        package: the distribution whose version the row shows; empty for cftui.
        module: the module that must be importable; empty for cftui.
    """

    name: str
    settings: str
    fit: Fit
    turns: int = TURNS
    package: str = ""
    module: str = ""
    seconds: list[float] = field(default_factory=list)
    losses: dict[int, float] = field(default_factory=dict)

    def missing(self) -> str:
        """Why the contender cannot run, for the table; empty if it can."""
        try:
            if self.module:
                importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            if error.name == self.module.partition(".")[0]:
                return "not installed: `pip install '.[bench]'`"
            return f"does not import: {error}"
        except ImportError as error:
            return f"does not import: {error}"
        return ""

    def run(self, ratings: Ratings, parts: Split, seed: int) -> None:
        seconds, predicted = self.fit(ratings, parts, seed)
        self.seconds.append(seconds)
        error = predicted.astype(np.float64) - ratings.rating[parts.valid]
        self.losses[seed] = float(np.square(error).mean())
        print(f"seed {seed}  {self.name}: {self.losses[seed]:.4f} in {seconds:.2f} s", file=sys.stderr)

    @property
    def time(self) -> float:
        return statistics.median(self.seconds)

    @property
    def loss(self) -> float:
        return statistics.mean(self.losses.values())

    def row(self, ours: Contender) -> list[str]:
        name = f"{self.name} {version(self.package)}" if self.package else f"**{self.name}**"
        ratio = self.time / ours.time
        times = "1" if self is ours else f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"
        return [name, self.settings, f"{self.time:.2f} s", f"{times}x", f"{self.loss:.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    arguments = parser.parse_args()

    warnings.filterwarnings("ignore", module=r"(fastai|myfm|fasttransform)\b")
    torch.set_num_threads(1)

    ours = Contender("cftui `model4`", "batch 64", fit_cftui(64))
    fast = Contender("cftui `model4`, fast", f"batch {FAST_BATCH}", fit_cftui(FAST_BATCH))
    fastai = Contender("fastai", "batch 64, as released", fit_fastai(True), 1, "fastai", "fastai.collab")
    permuted = Contender("fastai", "batch 64, each row once an epoch", fit_fastai(False), 1, "fastai", "fastai.collab")
    surprise = Contender("Surprise", "`SVD()`", fit_surprise, TURNS, "scikit-surprise", "surprise")
    myfm = Contender("myFM", "rank 8, 100 Gibbs sweeps", fit_myfm, 1, "myfm", "myfm")
    contenders = [ours, fast, surprise, myfm, fastai, permuted]
    absent = {id(c): reason for c in contenders if (reason := c.missing())}
    present = [c for c in contenders if id(c) not in absent]

    ratings = open_ratings(Home.find(), "ml-100k")
    for contender in (ours, fast):  # warm up: PyTorch's first steps are slower
        contender.fit(ratings, split(ratings, "random", 0), 0)
    for seed in range(arguments.seeds):
        parts = split(ratings, "random", seed)
        for turn in range(TURNS):
            for contender in present:
                if turn < contender.turns:
                    contender.run(ratings, parts, seed)

    header = ["", "settings", "fitting", f"beside {ours.name}", f"MSE, mean of {arguments.seeds} splits"]
    rows = [[c.name, absent[id(c)], "-", "-", "-"] if id(c) in absent else c.row(ours) for c in contenders]
    notes = []
    if surprise.seconds:
        notes.append(f"`fast` takes {fast.time / surprise.time:.2f} times what Surprise's SVD takes.")
    notes.append(
        f"torch {torch.__version__}, Python {platform.python_version()}, CPU, one thread each, medians; "
        "`python benchmarks/compare.py --write`."
    )
    text = table(header, rows) + "\n\n" + " ".join(notes)
    print(text)
    if arguments.write:
        put("compare", text)


if __name__ == "__main__":
    main()
