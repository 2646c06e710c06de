"""Who is drawn: bodies, clothes, hair, things carried, and how they move."""
