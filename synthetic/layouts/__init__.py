"""How a set of crops lies on disk: one file per layout."""
