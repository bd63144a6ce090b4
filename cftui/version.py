"""The version of cftui, in a file of its own so that nothing has to import the package's front door."""

__version__ = "0.1.0"
