"""Ratings in: where data sets come from, reading, encoding, splits, statistics."""
