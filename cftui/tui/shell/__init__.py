"""What all screens share: keys, dialogs, lists, help."""
