"""The event log of a run in the formats of experiment trackers."""
