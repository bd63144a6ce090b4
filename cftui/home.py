"""Where data sets and trained models live."""

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
        return self.root / "data"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @classmethod
    def find(cls, explicit: str | os.PathLike[str] | None = None) -> Home:
        """Resolve the home: ``--home``, then ``CFTUI_HOME``, then the checkout, then the user's data directory.

        Raises:
            CftuiError: the chosen path exists and is not a folder.
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
            raise CftuiError(f"home {root} is a file, not a folder; give --home a folder")
        return cls(root)
