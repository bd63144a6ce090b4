"""What ``cftui doctor`` looks at: each module has functions that yield findings."""
