"""The Map screen and its dialogs."""
