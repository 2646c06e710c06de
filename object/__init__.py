"""Detection, tracking and movement of objects in images and video."""
