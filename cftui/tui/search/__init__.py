"""The Search screen and its dialogs."""
