"""Fitting by gradients: the one-cycle training loop and what belongs to it."""
