"""How the larger MovieLens sets are published. Nothing heavy is imported here: the registry names layouts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """The files of one set.

    Attributes:
        ratings, movies, users: names of files; ``users`` is empty if nothing is known about the users.
        tags: the file of tags, which a copy may lack; empty if the set has none.
        low: the lowest rating of the scale, which is also its step.
    """

    name: str
    label: str
    ratings: str
    movies: str
    users: str
    tags: str
    low: float

    @property
    def dat(self) -> bool:
        return self.ratings.endswith(".dat")

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.ratings, self.movies, self.users)))
