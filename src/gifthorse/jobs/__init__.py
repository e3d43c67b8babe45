"""Chains of stages: what a verb of the command line does."""
