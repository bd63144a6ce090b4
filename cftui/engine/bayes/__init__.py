"""Fitting by Gibbs sampling: the posterior of a Bayesian matrix factorisation."""
