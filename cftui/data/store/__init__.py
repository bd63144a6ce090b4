"""The data sets on this machine: which are known, where they come from, and their binary columns."""
