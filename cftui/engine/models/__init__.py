"""Recipes and architectures: what can be fitted."""
