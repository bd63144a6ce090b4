"""``import cftui`` imports next to nothing; the public names arrive when they are used."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "pandas", "numpy", "textual", "rich", "click", "scipy", "cftui.api")


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    return set(done.stdout.split())


def test_the_import_is_cheap_and_the_names_arrive_when_used() -> None:
    assert loaded_by("import cftui; cftui.__version__; dir(cftui)").isdisjoint(HEAVY)
    used = loaded_by("import cftui; cftui.fit")
    assert {"torch", "pandas", "cftui.api"} <= used
    assert "textual" not in used


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    script = "import cftui\ntry:\n    cftui.nothing\nexcept AttributeError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "no attribute 'nothing'" in done.stdout
