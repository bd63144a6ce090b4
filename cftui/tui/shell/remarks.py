"""Remarks of a verdict as the screens show them: a colour for those who see it, a mark and words for everybody."""

from __future__ import annotations

from textual.content import Content

from cftui.engine.runs.verdict import MARKS, Kind
from cftui.text import printable

STYLES: dict[Kind, str] = {"good": "$text-success", "bad": "$text-error", "overfit": "$text-warning", "neutral": ""}


def remark(kind: Kind, words: str) -> Content:
    """``▼ below popularity`` in the colour of bad news."""
    return Content.styled(f"{MARKS[kind]} {printable(words)}", STYLES[kind])
