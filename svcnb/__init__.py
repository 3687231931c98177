"""svcnb: singing voice conversion that you can read, train and hear."""

__version__ = "0.1.0"
