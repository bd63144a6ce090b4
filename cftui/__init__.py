"""cftui: the collaborative-filtering workbench in the terminal."""

__version__ = "0.1.0"
