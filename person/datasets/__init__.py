"""Data sets of people: read for training, checked and counted."""
