"""Work that is killed, starved of room, done twice at once and fed with what is broken, and a table of what happened."""
