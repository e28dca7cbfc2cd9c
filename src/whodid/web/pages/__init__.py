"""Pages for people: rows of tiles, pages of one thing each, and what they load."""
