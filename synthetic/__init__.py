"""People who do not exist, rendered with ground truth: sets of crops and multi-camera footage."""
