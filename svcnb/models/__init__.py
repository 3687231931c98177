"""The networks. They import only torch and each other; attribute names are those of the original's files."""
