"""Widgets that more than one screen uses, or that stand on their own."""
