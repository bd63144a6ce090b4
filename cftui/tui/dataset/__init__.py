"""The Dataset screen and its dialogs."""
