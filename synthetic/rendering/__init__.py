"""How they are seen: triangles, cameras, sensors."""
