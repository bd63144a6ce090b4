"""Fitting by Gibbs sampling."""
