"""Readers of files: tables of many formats, archives, and the published layouts of MovieLens."""
