"""Training the separator: data, losses, loop, checkpoints (needs torch)."""
