"""What the app works on: a data set, a model, a user, and the runs it follows."""
