"""Where they are: procedural streets, halls and rooms, of our own making."""
