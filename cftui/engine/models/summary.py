"""The layers and parameters of a model before it is trained, like fastai's ``learn.summary()``."""

from __future__ import annotations

from typing import Any

from torch import nn

from cftui.engine.models.architectures import Architecture


def layers(model: Architecture) -> list[dict[str, Any]]:
    """Return a row per layer, or per parameter outside a layer: ``layer``, ``kind``, ``shape``, ``parameters``."""
    rows = [
        {"layer": name, "kind": "Parameter", "shape": _shape(parameter), "parameters": parameter.numel()}
        for name, parameter in model.named_parameters(recurse=False)
    ]
    if model.tables:
        return [
            {"layer": name, "kind": model.tables_are, "shape": f"{rows:,} x {width:,}", "parameters": rows * width}
            for name, (rows, width) in model.tables.items()
        ]
    for name, module in model.named_modules():
        if name and not list(module.children()):
            weights = list(module.parameters())
            rows.append(
                {
                    "layer": name,
                    "kind": type(module).__name__,
                    "shape": _shape(weights[0]) if weights else "",
                    "parameters": sum(weight.numel() for weight in weights),
                }
            )
    return rows


def _shape(parameter: nn.Parameter) -> str:
    return " x ".join(f"{size:,}" for size in parameter.shape)
