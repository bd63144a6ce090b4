"""Users: profiles, fold-in, and finding a user."""
