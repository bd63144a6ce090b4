"""Training: architectures, recipes, schedule, trainer, metrics, device, runs."""
