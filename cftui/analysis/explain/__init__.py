"""Explaining a prediction in terms that sum to it."""
