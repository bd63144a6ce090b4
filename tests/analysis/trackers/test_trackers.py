"""The event log in the formats of experiment trackers, read back with their own packages."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from cftui.analysis.trackers import exporting
from cftui.analysis.trackers.exporting import TRACKERS, export_run
from cftui.analysis.trackers.series import Series, read_series
from cftui.engine.models.recipes import recipe
from cftui.engine.runs.events import EventWriter
from cftui.engine.runs.folder import RunFolder
from cftui.engine.training import resume, train
from cftui.errors import CftuiError
from cftui.home import Home

CPU = torch.device("cpu")


@pytest.fixture
def run(tiny_runs, tmp_path: Path) -> RunFolder:
    path = tmp_path / "models" / "mine"
    shutil.copytree(tiny_runs[1]["model4"].path, path)
    return RunFolder(path)


def test_the_figures_are_those_of_the_log(run: RunFolder) -> None:
    series, history = read_series(run), run.history()
    valid = [point for point in series.points if point.name == "valid/loss"]
    assert [(point.step, point.value) for point in valid] == [(e["step"], e["valid_loss"]) for e in history.epochs]
    assert [p.value for p in series.points if p.name == "batch/loss"] == [w["mean"] for w in history.windows]
    assert valid[0].time == pytest.approx(series.begun + history.epochs[0]["elapsed"])
    assert series.summary["kept/valid_loss"] == history.ending["valid_loss"]
    assert series.summary["baseline/bias_only"] == history.baselines["bias_only"]
    assert (series.settings["recipe"], series.settings["epochs"], series.status) == ("model4", 2, "done")


@pytest.mark.parametrize("name", ["bayes", "ease", "ials", "cross-entropy"])
def test_every_kind_of_run_has_figures(name: str, tiny_runs) -> None:
    series = read_series(tiny_runs[1][name])
    score = "valid/ndcg" if name in ("ease", "ials") else "valid/loss"
    assert score in {point.name for point in series.points}


def test_what_a_resumed_run_took_back_is_not_there(tiny_home: Home) -> None:
    row = recipe("model4")
    options = row.options(epochs=3, bs=16, factors=2)
    epochs: list[Any] = []
    run = train(
        tiny_home,
        row,
        options,
        data="tiny",
        device=CPU,
        name="a",
        emit=lambda event: epochs.append(event) if event["event"] == "epoch" else None,
        stop_requested=lambda: len(epochs) == 1,
    )
    with EventWriter(run.events_file) as log:  # what a trainer that was killed had logged after its checkpoint
        log.write({"event": "window", "step": 10**6, "epoch": 2, "mean": 9.0, "elapsed": 9.0})  # type: ignore[arg-type]
    resume(tiny_home, run, device=CPU)
    series = read_series(run)
    assert max(point.step for point in series.points) < 10**6
    steps = [point.step for point in series.points if point.name == "valid/loss"]
    assert steps == [epoch["step"] for epoch in run.history().epochs]
    assert len(steps) == 3


def test_a_package_that_is_missing_is_named_with_its_extra(run: RunFolder, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    for form in TRACKERS:
        with pytest.raises(CftuiError, match=rf"cftui-workbench\[{form}\]"):
            export_run(run, form, tmp_path)


@pytest.mark.slow
def test_training_and_the_other_exports_import_no_tracker() -> None:
    modules = "cftui.engine.training, cftui.analysis.exports, cftui.cli.maps, cftui.cli.train"
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"mlflow", "wandb", "trackio", "tensorboard"} & set(done.stdout.split())


def longer(run: RunFolder) -> Series:
    """Log one more epoch, and return what the run is then."""
    last = run.history().epochs[-1]
    with EventWriter(run.events_file) as log:
        log.write({**last, "epoch": last["epoch"] + 1, "step": last["step"] + 7, "valid_loss": 0.125})
    return read_series(run)


def losses(series: Series) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in series.points if point.name == "valid/loss"]


def approximately(found: list[tuple[int, float]], series: Series) -> None:
    wanted = losses(series)
    assert [step for step, _ in found] == [step for step, _ in wanted]
    assert [value for _, value in found] == pytest.approx([value for _, value in wanted])


def test_tensorboard_reads_its_event_file(run: RunFolder, tmp_path: Path) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    hparams = pytest.importorskip("tensorboard.plugins.hparams.plugin_data_pb2")

    def read() -> list[tuple[int, float]]:
        found = accumulators.EventAccumulator(str(tmp_path / "out" / "mine"))
        found.Reload()
        assert "batch/lr" in found.Tags()["scalars"]
        data = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        settings = hparams.HParamsPluginData.FromString(data).session_start_info.hparams
        assert (settings["recipe"].string_value, settings["epochs"].number_value) == ("model4", 2)
        return [(one.step, one.value) for one in found.Scalars("valid/loss")]

    for change in (read_series, longer):
        series = change(run)
        for _ in range(2):  # once more, without doubling
            export_run(run, "tensorboard", tmp_path / "out")
            approximately(read(), series)


@pytest.mark.slow
def test_mlflow_reads_its_run(run: RunFolder, tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    for change in (read_series, longer):
        series = change(run)
        for _ in range(2):
            export_run(run, "mlflow", tmp_path / "out")
            client = MlflowClient((tmp_path / "out").as_uri())
            experiment = client.get_experiment_by_name("cftui").experiment_id
            (found,) = client.search_runs([experiment])
            assert (found.info.run_name, found.info.status) == ("mine", "FINISHED")
            assert (found.data.params["recipe"], found.data.params["epochs"]) == ("model4", "2")
            history = client.get_metric_history(found.info.run_id, "valid/loss")
            approximately(sorted((one.step, one.value) for one in history), series)


def wandb_records(data: bytes) -> list[bytes]:
    """The records of a ``.wandb`` file, a log of LevelDB: pieces in blocks, each with checksum, length and kind.

    The package reads it in Go, out of reach of Python; the records themselves are its protocol buffers.
    """
    block, head, at, found, pieces = 32768, 7, 7, list[bytes](), b""
    assert data[:4] == b":W&B"
    while at + head <= len(data):
        if block - at % block < head:
            at += block - at % block
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        pieces = (b"" if kind in (1, 2) else pieces) + data[at + head : at + head + length]
        if kind in (1, 4):
            found.append(pieces)
        at += head + length
    return found


@pytest.mark.slow
def test_wandb_reads_its_offline_run(run: RunFolder, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2 as protocol

    def read() -> tuple[dict[str, str], list[tuple[int, float]]]:
        (file,) = (tmp_path / "out").glob("wandb/offline-run-*/run-*.wandb")
        config: dict[str, str] = {}
        found: list[tuple[int, float]] = []
        for data in wandb_records(file.read_bytes()):
            record = protocol.Record.FromString(data)
            config.update({item.key: item.value_json for item in record.run.config.update})
            items = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
            if "valid/loss" in items:
                found.append((record.history.step.num or int(items["_step"]), float(items["valid/loss"])))
        return config, found

    for change in (read_series, longer):
        series = change(run)
        for _ in range(2):
            export_run(run, "wandb", tmp_path / "out")
            config, found = read()
            assert config["recipe"] == '"model4"'
            approximately(found, series)


READ_TRACKIO = """
import json, os, sys
from trackio import SQLiteStorage
(run,) = SQLiteStorage.get_runs("cftui")
print(json.dumps([run, SQLiteStorage.get_run_config("cftui", run), SQLiteStorage.get_logs("cftui", run)]))
"""


@pytest.mark.slow
def test_trackio_reads_its_run(run: RunFolder, tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    import json

    # A process each: the package reads its folder from the environment when it is imported.
    variables = {**os.environ, "TRACKIO_DIR": str(tmp_path / "out")}
    home = ("--home", str(tmp_path))
    for change in (read_series, longer):
        series = change(run)
        for _ in range(2):
            words = [
                sys.executable,
                "-m",
                "cftui",
                "export",
                "mine",
                "--format",
                "trackio",
                "--to",
                str(tmp_path / "out"),
            ]
            subprocess.run([*words, *home], check=True, capture_output=True)
            done = subprocess.run(
                [sys.executable, "-c", READ_TRACKIO], env=variables, check=True, capture_output=True, text=True
            )
            name, config, logs = json.loads(done.stdout.splitlines()[-1])
            assert (name, config["recipe"], config["epochs"]) == ("mine", "model4", 2)
            approximately([(one["step"], one["valid/loss"]) for one in logs if "valid/loss" in one], series)
