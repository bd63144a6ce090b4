"""A finding of ``cftui doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What a person has to do about a finding: nothing; perhaps something; something, since part of the program fails.
State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        what: what was looked at.
        says: how it is.
        advice: what to do about it; "" if nothing.
    """

    what: str
    says: str
    state: State = "ok"
    advice: str = ""

    def as_json(self, group: str) -> dict[str, str]:
        return {"group": group, "what": self.what, "state": self.state, "says": self.says, "advice": self.advice}
