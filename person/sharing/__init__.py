"""Models from a hub and to it: which files make one, and the two commands."""
