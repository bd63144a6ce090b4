"""Bayesian matrix factorisation by Gibbs sampling: one Markov chain on tensors, without data sets or run folders.

The model is that of Salakhutdinov and Mnih (2008), with features in the prior's mean as in Simm et al. (2017), implicit
sets as in Koren (2008), and noise that differs by user and by item:

    rating ~ N(p_u . q_i + b_u + c_i, 1 / (alpha a_u a_i))

The row of a user is x = [p, b] and the row of an item is y = [q, c]; each has d = k + 1 columns. Each side has groups
of features X_g [n, f_g], and its rows have the prior:

    x ~ N(m + sum_g X_g B_g, Lambda^-1)
    B_g ~ matrix normal(0, I / tau_g, Lambda^-1),  tau_g ~ Gamma(TAU)
    m ~ N(0, (PULL Lambda)^-1),  Lambda ~ Wishart(d + LAMBDA[0], I / LAMBDA[1])
    a ~ Gamma(s, s),  s uniform on SHAPES;  alpha ~ Gamma(ALPHA)

This is the prior of the rows that have training ratings. A row without any has no implicit set, and its number of
ratings says nothing about it: it is new, not unpopular. Its prior is a second regression of the same form on the names
of its side information alone. It is fitted to the current rows that have ratings, and does not act back on them.

Users rate what suits them: over the items that a user rated, what their factors have beyond their names adds something
to the ratings on average, and the user's bias makes up for it. An item without ratings has nothing beyond its names, so
this mean, the ``gain`` of the user, is added to its rating.

The variance of a rating is at least ``floor``: the mean square of the residuals of a user or an item is never taken to
be less, however constant its ratings are.

Every conditional is sampled exactly, in the largest blocks possible: all rows of a side, then all entries of each B_g,
then m and Lambda together. A sweep over N ratings, with F features on each side, takes this many multiplications:

    2 N (d (d + 1) / 2 + 2 d)  +  (users + items) (d^3 / 3 + 2 F d)

One sparse product gives the normal equations of all rows of a side: the incidence times the packed outer products of
the other side's rows. No outer product is formed per rating.

No random state is carried from sweep to sweep: each sweep seeds its generator with the seed and the sweep's number. The
tensors that ``state`` returns are therefore enough to continue a chain exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Chi2, Gamma

from cftui.engine.bayes.incidence import Incidence
from cftui.engine.device import seeded

# Residuals are computed for this many ratings at a time. This bounds the memory and does not change the result.
RATINGS = 1_000_000
# Weak priors: shape and rate for tau and for alpha; for Lambda, the degrees of freedom above d and the scatter of each
# column.
TAU = (1.0, 1.0)
ALPHA = (1.0, 1.0)
LAMBDA = (0.0, 1.0)
PULL = 2.0
# The grid for the shape s of the noise precisions, from very unequal precisions to almost equal ones.
SHAPES = torch.logspace(0, 3, 60, dtype=torch.float64)


@dataclass(eq=False)
class Group:
    """A group of features of the rows of one side, with the sampler's weights for them.

    Attributes:
        x: the features, float32 ``[n, f]``.
        basis: the eigenvectors of ``x' x``, float32 ``[f, f]``; in this basis the weights are independent.
        spectrum: the eigenvalues of ``x' x``, float32 ``[f]``.
        weights: B in the model, ``[f, d]``.
        tau: the precision of the weights.
    """

    x: Tensor
    basis: Tensor
    spectrum: Tensor
    weights: Tensor
    tau: float = 1.0

    @classmethod
    def of(cls, x: Tensor, d: int) -> Group:
        # In float64, because in a float32 product zero eigenvalues become noise of either sign.
        wide = x.cpu().double()
        spectrum, basis = torch.linalg.eigh(wide.T @ wide)
        return cls(x, basis.to(x), spectrum.clamp(min=0).to(x), x.new_zeros(x.shape[1], d))


@dataclass(eq=False)
class Regression:
    """A prior of rows that depends on their features: N(m + sum_g X_g B_g, Lambda^-1).

    Attributes:
        groups: the groups of features of the rows that it is fitted to.
        mean: m in the model, float64 ``[d]``, on the CPU.
        precision: Lambda in the model, float64 ``[d, d]``, on the CPU. Both are small, so float64 costs nothing.
    """

    groups: list[Group]
    mean: Tensor
    precision: Tensor

    @classmethod
    def of(cls, features: list[Tensor], d: int) -> Regression:
        groups = [Group.of(x, d) for x in features]
        return cls(groups, torch.zeros(d, dtype=torch.float64), torch.eye(d, dtype=torch.float64))

    def expected(self, rows: Tensor, features: list[Tensor] | None = None) -> Tensor:
        """The expectations of ``rows [n, d]``: those that it is fitted to, or others that have ``features``."""
        xs = [group.x for group in self.groups] if features is None else features
        expected = self.mean.to(rows).expand_as(rows)
        for group, x in zip(self.groups, xs, strict=True):
            expected = expected + x @ group.weights
        return expected

    def draw(self, rows: Tensor) -> None:
        """Draw the weights, then m and Lambda together, given the rows ``[n, d]`` that they are fitted to."""
        self.draw_weights(rows)
        self.draw_prior(rows)

    def draw_weights(self, rows: Tensor) -> None:
        """Draw the weights of each group given the rows and the other groups, then the precision of the weights."""
        root = torch.linalg.cholesky(self.precision)
        rest = rows - self.expected(rows)
        for group in self.groups:
            rest += group.x @ group.weights
            shift = group.basis.T @ (group.x.T @ rest)
            spread = (group.spectrum + group.tau).unsqueeze(1)
            free = torch.randn(shift.shape, dtype=torch.float64)
            free = torch.linalg.solve_triangular(root, free, upper=False, left=False).to(shift)
            group.weights = group.basis @ (shift / spread + free / spread.sqrt())
            rest -= group.x @ group.weights
            size = (group.weights.cpu().double() @ root).square().sum().item()
            group.tau = draw_gamma(TAU[0] + group.weights.numel() / 2, TAU[1] + size / 2)

    def draw_prior(self, rows: Tensor) -> None:
        """Draw m and Lambda together, given the rows and the weights."""
        rest = rows
        for group in self.groups:
            rest = rest - group.x @ group.weights
        n, d = rest.shape
        centre = rest.mean(dim=0)
        away = rest - centre
        centre, scatter = centre.cpu().double(), (away.T @ away).cpu().double()
        scatter += LAMBDA[1] * torch.eye(d) + PULL * n / (PULL + n) * torch.outer(centre, centre)
        for group in self.groups:
            weights = group.weights.cpu().double()
            scatter += group.tau * weights.T @ weights
        degrees = d + LAMBDA[0] + n + sum(len(group.weights) for group in self.groups)
        self.precision = draw_wishart(degrees, scatter)
        self.mean = draw_normal((PULL + n) * self.precision[None], n * (self.precision @ centre)[None])[0]


@dataclass(eq=False)
class Side:
    """One side of the ratings, users or items: its ratings, its features and the sampler's state for it.

    Attributes:
        rows: the current draw, ``[n, d]``, with the bias in the last column.
        prior: the prior of the rows with ratings.
        newcomers: the prior of the rows without.
        rated, unrated: the codes of these rows, int64.
        names: the features of the unrated rows for ``newcomers``.
        noise: the noise precisions a, ``[n]``.
        shape: s, the shape of their prior.
    """

    incidence: Incidence
    rows: Tensor
    prior: Regression
    newcomers: Regression
    rated: Tensor
    unrated: Tensor
    names: list[Tensor]
    noise: Tensor
    shape: float = 10.0

    @property
    def regressions(self) -> dict[str, Regression]:
        return {"prior": self.prior, "newcomers": self.newcomers}


class Sampler:
    """One Markov chain.

    Args:
        users, items: the same training ratings, seen from either side. They must be centred, because the prior pulls m
            towards 0, and divided by their standard deviation, because the priors are for ratings of that size.
        features: the groups of features ``[n, f]`` for users and for items.
        names: the features of users and of items that are known without ratings, ``[n, f]`` each.
        factors: k in the model.
        seed: seeds the initial rows and, together with the sweep's number, everything that is drawn.
        floor: the least variance of a rating.

    Attributes:
        sweep: the number of sweeps made.
        alpha: the precision of a rating whose user and item have noise precision 1.
        loss: mean squared error of the last draw on the training ratings.
        gain: what the user's items without ratings are worth beyond their factors, ``[users]``.
    """

    def __init__(
        self,
        users: Incidence,
        items: Incidence,
        features: tuple[list[Tensor], list[Tensor]],
        names: tuple[Tensor, Tensor],
        factors: int,
        seed: int,
        floor: float = 0.0,
    ) -> None:
        self.seed, self.d, self.sweep, self._floor = seed, factors + 1, 0, floor
        self.alpha, self.loss = 1.0, float("nan")
        generator = torch.Generator().manual_seed(seed)
        device = users.rating.device
        self.users, self.items = (
            self._side(incidence, groups, own_names, torch.randn(incidence.n, self.d, generator=generator).mul_(0.1))
            for incidence, groups, own_names in zip((users, items), features, names, strict=True)
        )
        self._row, self._column = torch.triu_indices(self.d, self.d, device=device)
        unpack = torch.empty(self.d, self.d, dtype=torch.int64, device=device)
        packed = torch.arange(len(self._row), device=device)
        unpack[self._row, self._column] = unpack[self._column, self._row] = packed
        self._unpack = unpack.flatten()
        self._by_item = self._places(users, items) if len(users.order) == users.size else None
        self.gain = torch.zeros(users.n, device=device)

    @staticmethod
    def _places(users: Incidence, items: Incidence) -> Tensor:
        """The position in the users' order of each rating in the items' order: int32 ``[N]``."""
        place = torch.empty_like(users.order, dtype=torch.int32)
        place[users.order] = torch.arange(len(place), dtype=torch.int32, device=place.device)
        return place[items.order]

    def _side(self, incidence: Incidence, features: list[Tensor], names: Tensor, rows: Tensor) -> Side:
        device = incidence.rating.device
        rated, unrated = ((incidence.counts > 0) == known for known in (True, False))
        rated, unrated = rated.nonzero().squeeze(1), unrated.nonzero().squeeze(1)
        own_names = [names] if names.shape[1] else []
        return Side(
            incidence=incidence,
            rows=rows.to(device),
            prior=Regression.of([x[rated] for x in features], self.d),
            newcomers=Regression.of([x[rated] for x in own_names], self.d),
            rated=rated,
            unrated=unrated,
            names=[x[unrated] for x in own_names],
            noise=torch.ones(incidence.n, device=device),
        )

    def step(self) -> None:
        """Make one sweep: draw everything once, given everything else."""
        device = self.users.rows.device
        with seeded(device, (self.seed << 24) + self.sweep + 1):
            for own, other in ((self.users, self.items), (self.items, self.users)):
                self.draw_rows(own, other)
                rows = own.rows[own.rated]
                own.prior.draw(rows)
                own.newcomers.draw(rows)
                self.draw_newcomers(own)
            self.draw_noise()
        self.gain = self._gains()
        self.sweep += 1

    def draw_rows(self, own: Side, other: Side) -> None:
        """Draw the rows of a side with ratings given everything else. They are normal and independent of each other."""
        design, noise = other.rows.clone(), other.noise.unsqueeze(1)
        design[:, -1] = 1
        outer = design.index_select(1, self._row) * design.index_select(1, self._column) * noise
        # The same product also yields what the biases of the other side explain already.
        table = torch.cat((outer, design * other.rows[:, -1:] * noise), dim=1)
        design *= noise
        precision = own.prior.precision.to(own.rows)
        pull = torch.zeros_like(own.rows)
        pull[own.rated] = own.prior.expected(own.rows[own.rated]) @ precision
        weight = (self.alpha * own.noise).unsqueeze(1)
        drawn = []
        parts = zip(own.incidence.blocks, own.incidence.own, strict=True)
        for block, ((first, last), (start, stop)) in enumerate(parts):
            # Every process draws for the whole block, so that a row's draw depends on no division of the rows.
            free = torch.randn(last - first, self.d, dtype=table.dtype, device=table.device)
            if start == stop:
                continue
            gram, explained = own.incidence.sums(block, table).split((len(self._row), self.d), dim=1)
            moment = own.incidence.weighted_sums(block, design) - explained
            gram = (gram * weight[start:stop]).index_select(1, self._unpack).view(-1, self.d, self.d)
            moment = pull[start:stop] + weight[start:stop] * moment
            drawn.append(draw_normal(gram + precision, moment, free[start - first : stop - first]))
        own.rows = own.incidence.gathered(torch.cat(drawn) if drawn else own.rows[:0])

    def draw_newcomers(self, own: Side) -> None:
        """Draw the rows of a side without ratings."""
        if not len(own.unrated):
            return
        root = torch.linalg.cholesky(own.newcomers.precision)
        free = torch.randn(len(own.unrated), self.d, dtype=torch.float64)
        away = torch.linalg.solve_triangular(root, free, upper=False, left=False).to(own.rows)
        own.rows[own.unrated] = own.newcomers.expected(away, own.names) + away

    def _gains(self) -> Tensor:
        """For each user, the mean product of their factors with what their rated items' have beyond the names."""
        users, items = self.users, self.items
        beyond = torch.zeros_like(items.rows)
        rows = items.rows[items.rated]
        beyond[items.rated] = rows - items.newcomers.expected(rows)
        mean = users.incidence.all_sums(beyond) / users.incidence.counts.clamp(min=1).unsqueeze(1)
        return (users.rows * mean)[:, :-1].sum(dim=1)

    def draw_noise(self) -> None:
        """Draw alpha, then the noise of every user, then the noise of every item, given the residuals."""
        squares = self._squared_residuals()
        self.loss = self._mean_of(squares)
        total = self._at_least(self.users, self.users.incidence.totals(squares, self.items.noise), self.items.noise)
        size = (total * self.users.noise).sum().item()
        self.alpha = draw_gamma(ALPHA[0] + self.users.incidence.size / 2, ALPHA[1] + size / 2)
        self._draw_noise_of(self.users, total)
        by_item = self._squared_residuals(self.items) if self._by_item is None else squares[self._by_item]
        total = self.items.incidence.totals(by_item, self.users.noise)
        self._draw_noise_of(self.items, self._at_least(self.items, total, self.users.noise))

    def _at_least(self, own: Side, total: Tensor, noise: Tensor) -> Tensor:
        """The sums of squared residuals ``total [n]``, or what they are at a variance of ``floor`` where they are less.

        Args:
            noise: the other side's noise precisions ``[m]``, which the residuals were multiplied by.
        """
        return torch.maximum(total, self._floor * own.incidence.all_sums(noise.unsqueeze(1)).squeeze(1))

    def _draw_noise_of(self, own: Side, total: Tensor) -> None:
        """Draw the noise of a side.

        Args:
            total: for each row, the sum of its squared residuals times the other side's noise precision, ``[n]``.
        """
        shape = own.shape + own.incidence.counts / 2
        rate = own.shape + self.alpha * total / 2
        own.noise = Gamma(shape, rate, validate_args=False).sample()
        own.shape = draw_shape(own.noise)

    def _squared_residuals(self, own: Side | None = None) -> Tensor:
        """Return the squared residuals of this process's training ratings, in the order of ``own`` (default: users)."""
        own = own or self.users
        ratings = own.incidence
        columns = (column.split(RATINGS) for column in (ratings.row, ratings.column, ratings.rating))
        squares = []
        for row, column, rating in zip(*columns, strict=True):
            user, item = (row, column) if own is self.users else (column, row)
            squares.append((rating - self._fit(user, item)).square_())
        return torch.cat(squares) if squares else ratings.rating

    def _mean_of(self, squares: Tensor) -> float:
        """The mean of squared residuals in the users' order. It has the same bits for any number of processes."""
        ratings = self.users.incidence
        return float(ratings.totals(squares, squares.new_ones(ratings.m)).double().sum() / ratings.size)

    def rate(self, user: Tensor, item: Tensor) -> Tensor:
        """Return the last draw's centred ratings for pairs of codes: ``[b], [b] -> [b]``."""
        unrated = self.items.incidence.counts.index_select(0, item) == 0
        return self._fit(user, item) + self.gain.index_select(0, user) * unrated

    def _fit(self, user: Tensor, item: Tensor) -> Tensor:
        """The same for pairs whose items have ratings."""
        x, y = self.users.rows.index_select(0, user), self.items.rows.index_select(0, item)
        return (x[:, :-1] * y[:, :-1]).sum(dim=1) + x[:, -1] + y[:, -1]

    def noise_variance(self, user: Tensor, item: Tensor) -> Tensor:
        """Return the last draw's noise variance of a rating for pairs of codes: ``[b], [b] -> [b]``."""
        return 1 / (self.alpha * self.users.noise.index_select(0, user) * self.items.noise.index_select(0, item))

    def state(self) -> dict[str, Tensor]:
        """Return the state of the chain as named tensors, with numbers in float64.

        The features and their bases are included, because computing them again need not give the same bits. The ratings
        are not included.
        """
        numbers = [self.sweep, self.alpha, self.loss]
        tensors = {"numbers": torch.tensor(numbers, dtype=torch.float64)}
        for name, side in (("users", self.users), ("items", self.items)):
            tensors |= {f"{name}.rows": side.rows, f"{name}.noise": side.noise}
            tensors[f"{name}.shape"] = torch.tensor([side.shape], dtype=torch.float64)
            for kind, regression in side.regressions.items():
                tensors |= {f"{name}.{kind}.{part}": getattr(regression, part) for part in ("mean", "precision")}
                taus = [group.tau for group in regression.groups]
                tensors[f"{name}.{kind}.taus"] = torch.tensor(taus, dtype=torch.float64)
                for at, group in enumerate(regression.groups):
                    parts = ("x", "basis", "spectrum", "weights")
                    tensors |= {f"{name}.{kind}{at}.{part}": getattr(group, part) for part in parts}
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Restore what ``state`` returned.

        Raises:
            KeyError, ValueError: the tensors belong to a chain of another shape.
        """
        sweep, self.alpha, self.loss = tensors["numbers"].tolist()
        self.sweep = int(sweep)

        def like(name: str, old: Tensor) -> Tensor:
            new = tensors[name]
            if new.shape != old.shape or new.dtype != old.dtype:
                raise ValueError(f"{name} is {list(new.shape)}, not {list(old.shape)}")
            return new.to(old.device, copy=True)

        for name, side in (("users", self.users), ("items", self.items)):
            for part in ("rows", "noise"):
                setattr(side, part, like(f"{name}.{part}", getattr(side, part)))
            (side.shape,) = tensors[f"{name}.shape"].tolist()
            for kind, regression in side.regressions.items():
                for part in ("mean", "precision"):
                    setattr(regression, part, like(f"{name}.{kind}.{part}", getattr(regression, part)))
                for at, (group, tau) in enumerate(
                    zip(regression.groups, tensors[f"{name}.{kind}.taus"].tolist(), strict=True)
                ):
                    group.tau = tau
                    for part in ("x", "basis", "spectrum", "weights"):
                        setattr(group, part, like(f"{name}.{kind}{at}.{part}", getattr(group, part)))
        self.gain = self._gains()


def draw_normal(precision: Tensor, moment: Tensor, free: Tensor | None = None) -> Tensor:
    """Draw a row ``[n, d]`` from N(P^-1 h, P^-1) for each ``precision`` P ``[n, d, d]`` and ``moment`` h ``[n, d]``.

    Args:
        free: standard normal draws ``[n, d]``, if they have been made.
    """
    root = torch.linalg.cholesky_ex(precision).L
    if free is None:
        free = torch.randn(moment.shape, dtype=moment.dtype, device=moment.device)
    half = torch.linalg.solve_triangular(root, moment.unsqueeze(2), upper=False) + free.unsqueeze(2)
    return torch.linalg.solve_triangular(root.mT, half, upper=True).squeeze(2)


def draw_gamma(shape: float, rate: float) -> float:
    """Draw one number from Gamma(shape, rate), in float64."""
    return Gamma(*torch.tensor([shape, rate], dtype=torch.float64)).sample().item()


def draw_wishart(degrees: float, scatter: Tensor) -> Tensor:
    """Draw from Wishart(degrees, scatter^-1) by Bartlett's decomposition: float64 ``[d, d] -> [d, d]``."""
    d = len(scatter)
    # The Cholesky factorisation reads one triangle only, so make both triangles equal to the bit.
    root = torch.linalg.cholesky((scatter + scatter.T) / 2)
    bartlett = torch.randn(d, d, dtype=torch.float64).tril(-1)
    bartlett += Chi2(degrees - torch.arange(d, dtype=torch.float64)).sample().sqrt().diag()
    half = torch.linalg.solve_triangular(root.T, bartlett, upper=True)
    return half @ half.T


def draw_shape(noise: Tensor) -> float:
    """Draw the shape s of Gamma(s, s), given draws ``noise [n]`` from it and a uniform prior on ``SHAPES``."""
    wide = noise.cpu().double()
    fit = SHAPES * SHAPES.log() - SHAPES.lgamma()
    likelihood = len(wide) * fit + (SHAPES - 1) * wide.log().sum() - SHAPES * wide.sum()
    return SHAPES[torch.multinomial(likelihood.softmax(0), 1)].item()
