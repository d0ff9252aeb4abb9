"""Watching the models and the data while they are in use."""
