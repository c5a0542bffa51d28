"""Pure mathematics: models, gradients, optimisers, the training loop and metrics. No files, no network."""
