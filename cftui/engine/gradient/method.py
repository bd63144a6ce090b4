"""Fitting by gradients: its options. No torch here, so that recipes can be listed quickly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cftui.engine.models.method import Method
from cftui.engine.models.options import Options, option, whole

# The batch of --fast: as good as 64 over five splits and three times as quick (benchmarks/compare.py).
FAST_BATCH = 256
# fastai's default where the chapter gives none.
DEFAULT_DECAY = 0.01

_COUNT = whole(1, 100_000)


@dataclass(frozen=True)
class GradientOptions(Options):
    """Hyper-parameters of the training loop, with the chapter's settings as defaults.

    Attributes:
        lr: highest learning rate of the one-cycle schedule.
        wd: decoupled weight decay per step, on everything but normalisation and the biases of linear layers.
        wd_bias: weight decay of user and item biases; None means ``wd``.
        bs: ratings per batch.
        factors: k, for the architectures that let it be chosen.
        patience: stop after this many epochs without a better validation loss; None never does.
        keep_best: end with the weights of the best epoch instead of the last.
    """

    LENGTH: ClassVar[str] = "epochs"

    epochs: int = option(5, "epochs", int, "Passes over the training ratings.", **_COUNT, short="epochs")
    bs: int = option(64, "batch size", int, "Ratings per batch.", **whole(2, 2**30), short="batch")
    lr: float = option(
        5e-3,
        "learning rate",
        float,
        "Highest learning rate of the one-cycle schedule.",
        ok=lambda value: 0 < value < 1e3,
        rule="a number above 0, such as 5e-3",
        short="lr",
    )
    wd: float = option(
        DEFAULT_DECAY,
        "weight decay",
        float,
        "Weight decay.",
        ok=lambda value: 0 <= value < 1e3,
        rule="a number from 0, such as 0.1",
        short="wd",
    )
    factors: int = option(50, "factors", int, "Latent factors.", **whole(1, 4096), short="factors")
    patience: int | None = option(
        None,
        "patience",
        int,
        "Stop after this many epochs without a better validation loss.",
        ok=_COUNT["ok"],
        rule="a whole number of epochs from 1",
        empty="off",
        short="patience",
        sweepable=True,
    )
    keep_best: bool = option(
        False,
        "best epoch to keep",
        bool,
        "End with the weights of the best epoch instead of the last.",
        short="best",
        sweepable=False,
    )
    wd_bias: float | None = option(
        None,
        "weight decay of biases",
        float,
        "Weight decay of user and item biases alone.",
        ok=lambda value: 0 <= value < 1e3,
        rule="a number from 0, such as 0.02",
        empty="as wd",
        short="wd bias",
    )

    @property
    def bias_decay(self) -> float:
        """Weight decay of user and item biases."""
        return self.wd if self.wd_bias is None else self.wd_bias

    def fitted_by(self) -> str:
        decay = f"{self.wd:g}" if self.bias_decay == self.wd else f"{self.wd:g}, biases {self.bias_decay:g}"
        return f"weight decay {decay}; AdamW, one-cycle"

    def summary(self) -> dict[str, Any]:
        return {"weight_decay": self.wd, "bias_decay": self.bias_decay}

    def in_words(self) -> str:
        return f"{self.epochs} epochs of batches of {self.bs:,}"


METHOD = Method(
    name="gradient",
    how="trained by gradients",
    unit="epoch",
    options=GradientOptions,
    fitter="cftui.engine.gradient.trainer:Trainer",
    # How strongly the factors are regularised, and how much less the biases.
    grid=("wd=0.1,0.15,0.2,0.3", "wd_bias=0.01,0.02,0.05,0.1"),
    continuation="over a one-cycle of their own",
    more=5,
    has_lr_finder=True,
    shared_fitter="cftui.engine.gradient.shared:SharedTrainer",
)
