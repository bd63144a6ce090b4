"""Fitting by gradient descent: the one-cycle training loop and its parts."""
