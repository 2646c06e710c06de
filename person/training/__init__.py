"""Training of re-identification networks: recipes, batches, losses, the loop and what it writes."""
