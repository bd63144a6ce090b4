"""The Train screen, its widgets and dialogs."""
