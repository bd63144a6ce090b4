"""Reading other people's files: tables of any make, archives, and MovieLens' published layouts."""
