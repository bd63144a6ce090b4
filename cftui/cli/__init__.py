"""The headless verbs: stdout is data, stderr is narration."""
