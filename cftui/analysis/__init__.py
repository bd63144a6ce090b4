"""Reading a trained model: biases, neighbours, predictions, principal components."""
