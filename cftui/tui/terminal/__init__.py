"""The terminal that the app runs on: what restores it, and what ends the app when it is gone."""
