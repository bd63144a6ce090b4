"""The folder of the data sets and the trained models."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cftui.errors import CftuiError

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Home:
    """The folder that holds ``data/`` and ``models/``."""

    root: Path

    @property
    def data(self) -> Path:
        """The folder of the data sets."""
        return self.root / "data"

    @property
    def models(self) -> Path:
        """The folder of the run folders."""
        return self.root / "models"

    @classmethod
    def find(cls, explicit: str | os.PathLike[str] | None = None) -> Home:
        """Find the home: ``explicit``, else ``CFTUI_HOME``, else the checkout, else the user's data directory.

        Args:
            explicit: the value of ``--home``.

        Raises:
            CftuiError: the path exists and is not a folder.
        """
        chosen = explicit or os.environ.get("CFTUI_HOME")
        if chosen:
            root = Path(chosen).expanduser().resolve()
        elif (PACKAGE.parent / "constraints.txt").is_file() and (PACKAGE.parent / "pyproject.toml").is_file():
            root = PACKAGE.parent
        else:
            from platformdirs import user_data_path

            root = user_data_path("cftui", appauthor=False)
        if root.exists() and not root.is_dir():
            raise CftuiError(f"home {root} is a file, not a folder", hint="give --home a folder", option="home")
        return cls(root)
