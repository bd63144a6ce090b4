"""The lines about search indexes in the documentation, run as written where the library is installed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cftui.analysis.exports import export
from cftui.analysis.trained import TrainedModel

PAGE = Path(__file__).parent.parent / "docs" / "models" / "vectors.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(("library", "code"), zip(("faiss", "hnswlib", "usearch"), SNIPPETS, strict=True))
def test_the_lines_of_the_page_find_what_the_model_scores_highest(
    library: str, code: str, tiny_runs, tmp_path, monkeypatch, capsys
) -> None:
    pytest.importorskip(library)
    model = TrainedModel.load(tiny_runs[1]["ials"])
    export(model, "npz", tmp_path / "songs.npz")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    printed = capsys.readouterr().out
    best = np.argsort(-model.scores(model.user_row(1)))[:3]
    for code_of in best:
        assert model.titles[code_of][:12] in printed


def test_the_vectors_are_what_the_page_says(tiny_runs, tmp_path: Path) -> None:
    model = TrainedModel.load(tiny_runs[1]["ials"])
    export(model, "npz", tmp_path / "songs.npz")
    run = np.load(tmp_path / "songs.npz")
    for name in ("item_factors", "user_factors"):
        assert run[name].dtype == np.float32
        assert run[name].flags["C_CONTIGUOUS"]
    scores = run["user_factors"][1] @ run["item_factors"].T
    np.testing.assert_allclose(scores, model.scores(model.user_row(1)), atol=1e-6)
    assert run["titles"].tolist() == model.titles
