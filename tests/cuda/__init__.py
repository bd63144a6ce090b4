"""The engine on a simulated CUDA device, for machines without a GPU."""
