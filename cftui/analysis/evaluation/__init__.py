"""Judging a model: ranking metrics, intervals, calibration."""
