"""The headless verbs: data goes to stdout, narration and errors to stderr."""
