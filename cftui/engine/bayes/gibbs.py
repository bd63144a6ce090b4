"""Bayesian matrix factorisation by Gibbs sampling: the chain alone, on tensors.

The model (Salakhutdinov and Mnih 2008; with features in the prior's mean as Simm et al. 2017, implicit sets as Koren
2008, and noise that differs by user and by item):

    rating ~ N(p_u . q_i + b_u + c_i, 1 / (alpha a_u a_i))

A user's row is x = [p, b], an item's y = [q, c], d = k + 1 columns each. Of either side, with its groups of features
X_g [n, f_g]:

    x ~ N(m + sum_g X_g B_g, Lambda^-1)
    B_g ~ matrix normal(0, I / tau_g, Lambda^-1),  tau_g ~ Gamma(TAU)
    m ~ N(0, (PULL Lambda)^-1),  Lambda ~ Wishart(d + LAMBDA[0], I / LAMBDA[1])
    a ~ Gamma(s, s),  s uniform on SHAPES;  alpha ~ Gamma(ALPHA)

Every conditional is drawn from exactly, in blocks as large as can be: all rows of a side, then each B_g with all of its
entries, then m and Lambda together. The cost of a sweep, in multiplications, for N ratings and F features of a side:

    2 N (d (d + 1) / 2 + 2 d)  +  (users + items) (d^3 / 3 + 2 F d)

The normal equations of all rows of a side are one sparse product of the incidence with the other side's packed outer
products; sums over the outer products of ratings are never made.

Nothing random is carried from sweep to sweep: each draws from a generator seeded by seed and sweep, so the state in
``state`` is all that going on exactly takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Chi2, Gamma

from cftui.engine.bayes.incidence import Incidence

# Ratings whose residuals are found at a time: bounds the memory, not the result.
RATINGS = 1_000_000
# Weak priors: of tau and alpha (shape, rate), of Lambda the degrees of freedom beyond d, and the scatter of a column.
TAU = (1.0, 1.0)
ALPHA = (1.0, 1.0)
LAMBDA = (0.0, 1.0)
PULL = 2.0
# The shapes that noise precisions may have: from wildly different to practically alike.
SHAPES = torch.logspace(0, 3, 60, dtype=torch.float64)


@dataclass(eq=False)
class Group:
    """Features of one side, and the sampler's weights of them.

    Attributes:
        x: float32 ``[n, f]``.
        basis: float32 ``[f, f]``, the eigenvectors of ``x' x``: in their basis the weights are independent.
        spectrum: float32 ``[f]``, its eigenvalues.
        weights: ``[f, d]`` (B).
        tau: their precision.
    """

    x: Tensor
    basis: Tensor
    spectrum: Tensor
    weights: Tensor
    tau: float = 1.0

    @classmethod
    def of(cls, x: Tensor, d: int) -> Group:
        # In float64: of a float32 product, eigenvalues that are zero come out as noise of either sign.
        wide = x.cpu().double()
        spectrum, basis = torch.linalg.eigh(wide.T @ wide)
        return cls(x, basis.to(x), spectrum.clamp(min=0).to(x), x.new_zeros(x.shape[1], d))


@dataclass(eq=False)
class Side:
    """Users or items: their ratings, their features, and the sampler's state of them.

    Attributes:
        rows: ``[n, d]``, the bias last.
        mean, precision: float64 ``[d]`` (m) and ``[d, d]`` (Lambda), on the CPU: small, and worth their digits.
        noise: ``[n]`` (a), and its ``shape`` (s).
    """

    incidence: Incidence
    groups: list[Group]
    rows: Tensor
    mean: Tensor
    precision: Tensor
    noise: Tensor
    shape: float = 10.0

    def expected(self) -> Tensor:
        """The means of the rows' priors, ``[n, d]``."""
        expected = self.mean.to(self.rows).expand_as(self.rows)
        for group in self.groups:
            expected = expected + group.x @ group.weights
        return expected


class Sampler:
    """One chain.

    Args:
        users, items: the ratings from either side, both of the same ones; centred, since m is drawn towards 0.
        features: for users and for items, the groups ``[n, f]``.
        factors: k.
        seed: of the first rows and, with the sweep, of all that is drawn.

    Attributes:
        sweep: how many were made.
        alpha: the precision of a rating whose user and item are as noisy as most.
        loss: mean squared error of the last draw on the training ratings.
    """

    def __init__(
        self,
        users: Incidence,
        items: Incidence,
        features: tuple[list[Tensor], list[Tensor]],
        factors: int,
        seed: int,
    ) -> None:
        self.seed, self.d, self.sweep = seed, factors + 1, 0
        self.alpha, self.loss = 1.0, float("nan")
        generator = torch.Generator().manual_seed(seed)
        device = users.rating.device
        self.users, self.items = (
            Side(
                incidence=incidence,
                groups=[Group.of(x, self.d) for x in groups],
                rows=torch.randn(incidence.n, self.d, generator=generator).mul_(0.1).to(device),
                mean=torch.zeros(self.d, dtype=torch.float64),
                precision=torch.eye(self.d, dtype=torch.float64),
                noise=torch.ones(incidence.n, device=device),
            )
            for incidence, groups in zip((users, items), features, strict=True)
        )
        self._row, self._column = torch.triu_indices(self.d, self.d, device=device)
        unpack = torch.empty(self.d, self.d, dtype=torch.int64, device=device)
        packed = torch.arange(len(self._row), device=device)
        unpack[self._row, self._column] = unpack[self._column, self._row] = packed
        self._unpack = unpack.flatten()
        # Where each rating of the items' order stands in the users'.
        place = torch.empty_like(users.order, dtype=torch.int32)
        place[users.order] = torch.arange(len(place), dtype=torch.int32, device=device)
        self._by_item = place[items.order]

    def step(self) -> None:
        """One sweep."""
        device = self.users.rows.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed((self.seed << 24) + self.sweep + 1)
            for own, other in ((self.users, self.items), (self.items, self.users)):
                self.draw_rows(own, other)
                self.draw_weights(own)
                self.draw_prior(own)
            self.draw_noise()
        self.sweep += 1

    def draw_rows(self, own: Side, other: Side) -> None:
        """All rows of a side, given everything else: each normal, and independent of one another."""
        design, noise = other.rows.clone(), other.noise.unsqueeze(1)
        design[:, -1] = 1
        outer = design.index_select(1, self._row) * design.index_select(1, self._column) * noise
        # What other users' or items' biases already explain is part of the same product.
        table = torch.cat((outer, design * other.rows[:, -1:] * noise), dim=1)
        design *= noise
        precision = own.precision.to(own.rows)
        pull = own.expected() @ precision
        weight = (self.alpha * own.noise).unsqueeze(1)
        for block, (start, stop) in enumerate(own.incidence.blocks):
            gram, explained = own.incidence.sums(block, table).split((len(self._row), self.d), dim=1)
            moment = own.incidence.weighted_sums(block, design) - explained
            gram = (gram * weight[start:stop]).index_select(1, self._unpack).view(-1, self.d, self.d)
            own.rows[start:stop] = draw_normal(gram + precision, pull[start:stop] + weight[start:stop] * moment)

    def draw_weights(self, own: Side) -> None:
        """Each group's weights of its features, given the rows and the other groups, then their precision."""
        root = torch.linalg.cholesky(own.precision)
        rest = own.rows - own.expected()
        for group in own.groups:
            rest += group.x @ group.weights
            shift = group.basis.T @ (group.x.T @ rest)
            spread = (group.spectrum + group.tau).unsqueeze(1)
            free = torch.randn(shift.shape, dtype=torch.float64)
            free = torch.linalg.solve_triangular(root, free, upper=False, left=False).to(shift)
            group.weights = group.basis @ (shift / spread + free / spread.sqrt())
            rest -= group.x @ group.weights
            size = (group.weights.cpu().double() @ root).square().sum().item()
            group.tau = draw_gamma(TAU[0] + group.weights.numel() / 2, TAU[1] + size / 2)

    def draw_prior(self, own: Side) -> None:
        """m and Lambda of a side together, given its rows and weights."""
        rest = own.rows
        for group in own.groups:
            rest = rest - group.x @ group.weights
        n, d = rest.shape
        centre = rest.mean(dim=0)
        away = rest - centre
        centre, scatter = centre.cpu().double(), (away.T @ away).cpu().double()
        scatter += LAMBDA[1] * torch.eye(d) + PULL * n / (PULL + n) * torch.outer(centre, centre)
        for group in own.groups:
            weights = group.weights.cpu().double()
            scatter += group.tau * weights.T @ weights
        degrees = d + LAMBDA[0] + n + sum(len(group.weights) for group in own.groups)
        own.precision = draw_wishart(degrees, scatter)
        own.mean = draw_normal((PULL + n) * own.precision[None], n * (own.precision @ centre)[None])[0]

    def draw_noise(self) -> None:
        """alpha, then the noise of every user, then that of every item, given the residuals."""
        squares = self._squared_residuals()
        self.loss = squares.mean().item()
        total = self.users.incidence.totals(squares, self.items.noise)
        size = (total * self.users.noise).sum().item()
        self.alpha = draw_gamma(ALPHA[0] + len(squares) / 2, ALPHA[1] + size / 2)
        self._draw_noise_of(self.users, total)
        by_item = squares.index_select(0, self._by_item)
        self._draw_noise_of(self.items, self.items.incidence.totals(by_item, self.users.noise))

    def _draw_noise_of(self, own: Side, total: Tensor) -> None:
        """``total``: of each row, the squared residuals times the other side's noise precision, ``[n]``."""
        shape = own.shape + own.incidence.counts / 2
        rate = own.shape + self.alpha * total / 2
        own.noise = Gamma(shape, rate, validate_args=False).sample()
        own.shape = draw_shape(own.noise)

    def _squared_residuals(self) -> Tensor:
        """``[N]``, in the users' order."""
        ratings = self.users.incidence
        columns = (column.split(RATINGS) for column in (ratings.row, ratings.column, ratings.rating))
        return torch.cat([(rating - self.rate(u, i)).square_() for u, i, rating in zip(*columns, strict=True)])

    def rate(self, user: Tensor, item: Tensor) -> Tensor:
        """The last draw's ratings, centred, for pairs of codes: ``[b], [b] -> [b]``."""
        x, y = self.users.rows.index_select(0, user), self.items.rows.index_select(0, item)
        return (x[:, :-1] * y[:, :-1]).sum(dim=1) + x[:, -1] + y[:, -1]

    def noise_variance(self, user: Tensor, item: Tensor) -> Tensor:
        """The last draw's variance of a rating around that, for pairs of codes: ``[b], [b] -> [b]``."""
        return 1 / (self.alpha * self.users.noise.index_select(0, user) * self.items.noise.index_select(0, item))

    def state(self) -> dict[str, Tensor]:
        """The chain by name, numbers in float64; the features and their bases, which cannot be found again to the bit,
        among it. The ratings are not."""
        numbers = [self.sweep, self.alpha, self.loss]
        tensors = {"numbers": torch.tensor(numbers, dtype=torch.float64)}
        for name, side in (("users", self.users), ("items", self.items)):
            tensors |= {f"{name}.{part}": getattr(side, part) for part in ("rows", "mean", "precision", "noise")}
            taus = [group.tau for group in side.groups]
            tensors[f"{name}.numbers"] = torch.tensor([side.shape, *taus], dtype=torch.float64)
            for at, group in enumerate(side.groups):
                parts = ("x", "basis", "spectrum", "weights")
                tensors |= {f"{name}.group{at}.{part}": getattr(group, part) for part in parts}
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of ``state``. Raises KeyError or ValueError where the tensors are another chain's."""
        sweep, self.alpha, self.loss = tensors["numbers"].tolist()
        self.sweep = int(sweep)

        def like(name: str, old: Tensor) -> Tensor:
            new = tensors[name]
            if new.shape != old.shape or new.dtype != old.dtype:
                raise ValueError(f"{name} is {list(new.shape)}, not {list(old.shape)}")
            return new.to(old.device, copy=True)

        for name, side in (("users", self.users), ("items", self.items)):
            for part in ("rows", "mean", "precision", "noise"):
                setattr(side, part, like(f"{name}.{part}", getattr(side, part)))
            side.shape, *taus = tensors[f"{name}.numbers"].tolist()
            for at, (group, tau) in enumerate(zip(side.groups, taus, strict=True)):
                group.tau = tau
                for part in ("x", "basis", "spectrum", "weights"):
                    setattr(group, part, like(f"{name}.group{at}.{part}", getattr(group, part)))


def draw_normal(precision: Tensor, moment: Tensor) -> Tensor:
    """From N(P^-1 h, P^-1), for every ``precision [n, d, d]`` and ``moment [n, d]``: ``[n, d]``."""
    root = torch.linalg.cholesky_ex(precision).L
    free = torch.randn(moment.shape, dtype=moment.dtype, device=moment.device)
    half = torch.linalg.solve_triangular(root, moment.unsqueeze(2), upper=False) + free.unsqueeze(2)
    return torch.linalg.solve_triangular(root.mT, half, upper=True).squeeze(2)


def draw_gamma(shape: float, rate: float) -> float:
    return Gamma(*torch.tensor([shape, rate], dtype=torch.float64)).sample().item()


def draw_wishart(degrees: float, scatter: Tensor) -> Tensor:
    """From Wishart(degrees, scatter^-1), by Bartlett's decomposition: float64 ``[d, d] -> [d, d]``."""
    d = len(scatter)
    # Symmetric to the bit, or the factorisation may not be that of its inverse.
    root = torch.linalg.cholesky((scatter + scatter.T) / 2)
    bartlett = torch.randn(d, d, dtype=torch.float64).tril(-1)
    bartlett += Chi2(degrees - torch.arange(d, dtype=torch.float64)).sample().sqrt().diag()
    half = torch.linalg.solve_triangular(root.T, bartlett, upper=True)
    return half @ half.T


def draw_shape(noise: Tensor) -> float:
    """The shape s of Gamma(s, s), given draws from it ``[n]``, s uniform on ``SHAPES``."""
    wide = noise.cpu().double()
    fit = SHAPES * SHAPES.log() - SHAPES.lgamma()
    likelihood = len(wide) * fit + (SHAPES - 1) * wide.log().sum() - SHAPES * wide.sum()
    return SHAPES[torch.multinomial(likelihood.softmax(0), 1)].item()
