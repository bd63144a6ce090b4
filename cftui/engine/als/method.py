"""Fitting iALS: its options. No torch here, so that recipes can be listed quickly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cftui.engine.models.method import NDCG, Method
from cftui.engine.models.options import ChoiceOptions, option, whole


@dataclass(frozen=True)
class AlsOptions(ChoiceOptions):
    """Settings of one fit.

    Attributes:
        unobserved: the weight of a pair without a rating beside one with a rating, whose weight is 1.
        reg: the regularisation, which grows with the number of pairs that a row is fitted to.
    """

    LENGTH: ClassVar[str] = "sweeps"

    sweeps: int = option(
        8,
        "sweeps",
        int,
        "Sweeps over all users and items.",
        **whole(1, 100_000),
        short="sweeps",
        alias="epochs",
        sweepable=False,
    )
    factors: int = option(32, "factors", int, "Latent factors.", **whole(1, 4096), short="factors")
    unobserved: float = option(
        0.4,
        "weight of the unobserved",
        float,
        "Weight of a pair without a rating; one with a rating has 1.",
        ok=lambda value: 0 < value < float("inf"),
        rule="a number above 0",
        short="unobserved",
    )
    reg: float = option(
        0.015,
        "regularisation",
        float,
        "Regularisation, times the weight of all pairs of a user or item.",
        ok=lambda value: 0 < value < float("inf"),
        rule="a number above 0",
        short="reg",
    )

    def fitted_by(self) -> str:
        return f"solved in {self.sweeps} sweeps of alternating least squares"

    def in_words(self) -> str:
        return f"{self.sweeps} sweeps, {self.factors} factors,"


METHOD = Method(
    name="ials",
    how="fitted by alternating least squares",
    unit="sweep",
    options=AlsOptions,
    fitter="cftui.engine.als.ials:Ials",
    grid=("reg=0.005,0.015,0.045", "unobserved=0.2,0.4,0.8"),
    score=NDCG,
    continuation="the sweeps go on where they ended",
    more=8,
    shared_fitter="cftui.engine.als.ials:Ials",
)
