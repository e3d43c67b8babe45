"""Plumbing from a folder of records to a folder of records: implant, diagnose, evaluate, and the engine they share."""
