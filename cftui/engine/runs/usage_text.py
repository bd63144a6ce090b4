"""What a run uses of its machine, in words."""

from __future__ import annotations

from cftui.engine.runs.events import Usage


def in_words(usage: Usage) -> dict[str, str]:
    """Each figure of ``usage`` with its unit, by its name; what the driver did not tell is left out."""
    words = {"cpu": f"CPU {usage['cpu']:.0f} %", "memory": megabytes(usage["memory"])}
    if "gpu" in usage:
        words["gpu"] = f"GPU {usage['gpu']:.0f} %"
    if "power" in usage:
        words["power"] = f"{usage['power']:.0f} W"
    if "gpu_memory_used" in usage and "gpu_memory_total" in usage:
        used, total = usage["gpu_memory_used"] / 2**30, usage["gpu_memory_total"] / 2**30
        words["gpu_memory"] = f"GPU memory {used:.1f} of {total:.0f} GB"
    if "temperature" in usage:
        words["temperature"] = f"{usage['temperature']:.0f} °C"
    return words


def megabytes(size: float) -> str:
    return f"{size / 2**20:,.0f} MB"
