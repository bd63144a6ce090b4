"""TensorBoard: one event file a run, which is replaced as a whole.

Written with tensorboard 2.21; ``RecordWriter`` and the protocol buffers are not documented, but are what its own writer
and PyTorch's use.
"""

from __future__ import annotations

from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from cftui.analysis.trackers.series import Series
from cftui.files import replacing


def write(series: Series, folder: Path) -> Path:
    """Write ``folder/RUN/events.out.tfevents...`` and return it."""
    target = folder / series.run / f"events.out.tfevents.{int(series.begun)}.cftui"
    target.parent.mkdir(exist_ok=True)
    with replacing(target) as path, path.open("wb") as file:
        records = RecordWriter(file)
        for event in _events(series):
            records.write(event.SerializeToString())
        records.flush()
    return target


def _events(series: Series) -> list[Event]:
    """The events of the file: its version, the settings, the figures, and the summary after the last step."""
    settings = {name: "" if value is None else value for name, value in series.settings.items()}
    last = series.points[-1] if series.points else None
    step, time = (last.step, last.time) if last else (0, series.begun)
    return [
        Event(wall_time=series.begun, file_version="brain.Event:2"),
        Event(wall_time=series.begun, summary=hparams_pb(settings, series.run, series.begun)),
        *(_scalar(point.name, point.value, point.step, point.time) for point in series.points),
        *(_scalar(name, value, step, time) for name, value in series.summary.items()),
    ]


def _scalar(name: str, value: float, step: int, time: float) -> Event:
    return Event(wall_time=time, step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)]))
