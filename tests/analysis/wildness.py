"""Models that training two epochs on tiny data does not give."""

from __future__ import annotations

import copy
import dataclasses

import torch

from cftui.analysis.trained import TrainedModel


def wild(model: TrainedModel) -> TrainedModel:
    """The same model with weights so large that sigmoids saturate and many ReLUs switch."""
    module = copy.deepcopy(model.module)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            # Negative batch-norm weights included.
            parameter.normal_(0, 0.7, generator=generator)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 1, generator=generator)
            elif name.endswith("running_var"):
                buffer.uniform_(0.3, 3, generator=generator)
    return dataclasses.replace(model, module=module)
