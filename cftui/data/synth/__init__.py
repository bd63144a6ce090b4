"""Synthetic data sets in the shape of published ones."""
