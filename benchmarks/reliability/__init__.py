"""Work that is killed, starved of room, done twice at once and fed with broken things, and a table of what happened."""
