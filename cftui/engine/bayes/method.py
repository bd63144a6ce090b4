"""Fitting by Gibbs sampling: its options. No torch here, so that recipes can be listed quickly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cftui.engine.models.method import Method
from cftui.engine.models.options import Options, option, whole
from cftui.errors import CftuiError

# Sweeps discarded before a chain counts as having forgotten its start; short chains discard a quarter.
BURN_IN = 40


@dataclass(frozen=True)
class BayesOptions(Options):
    """Settings of one Gibbs chain.

    Attributes:
        burn_in: sweeps discarded at the start; None means 40, or a quarter of fewer than 160 sweeps.
        implicit: whether the model learns from who rated what.
        side: whether it learns from genres, years, ages and the like, and from the number of ratings.
    """

    LENGTH: ClassVar[str] = "sweeps"

    sweeps: int = option(
        300, "sweeps", int, "Sweeps of the Gibbs sampler.", **whole(1, 100_000), short="sweeps", alias="epochs"
    )
    burn_in: int | None = option(
        None,
        "burn-in",
        int,
        f"Sweeps discarded at the start [default: {BURN_IN}, or a quarter of a short chain].",
        ok=lambda value: 0 <= value <= 100_000,
        rule="a whole number of sweeps from 0",
        empty="auto",
        short="burn-in",
    )
    factors: int = option(16, "factors", int, "Latent factors.", **whole(1, 4096), short="factors")
    implicit: bool = option(
        True, "implicit sets", bool, "Learn from who rated what.", short="who rated what", sweepable=False
    )
    side: bool = option(
        True,
        "side information",
        bool,
        "Learn from genres, years, ages and the like, and from the number of ratings.",
        short="side information",
        sweepable=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.burn >= self.sweeps:
            raise CftuiError(
                f"burn-in {self.burn} discards all {self.sweeps} sweeps; use more sweeps or a shorter burn-in"
            )

    @property
    def burn(self) -> int:
        """How many sweeps the burn-in discards."""
        return min(BURN_IN, self.sweeps // 4) if self.burn_in is None else self.burn_in

    def fitted_by(self) -> str:
        return f"drawn in each of {self.sweeps} sweeps by Gibbs sampling; the first {self.burn} are discarded"

    def summary(self) -> dict[str, Any]:
        return {"weight_decay": 0.0, "bias_decay": 0.0}  # it has none; kept for readers of the JSON

    def in_words(self) -> str:
        return f"{self.sweeps} sweeps, {self.factors} factors,"


METHOD = Method(
    name="bayes",
    how="sampled, not trained by gradients",
    unit="sweep",
    options=BayesOptions,
    fitter="cftui.engine.bayes.chain:Chain",
    # The sampler estimates the regularisation itself; only the number of factors is left to choose.
    grid=("factors=8,16,32",),
    continuation="the chain goes on where it ended",
    more=100,
    intervals=True,
    shared_fitter="cftui.engine.bayes.chain:Chain",
    revision=2,
)
