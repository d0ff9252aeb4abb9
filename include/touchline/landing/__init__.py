"""Payloads as received, the observations in them, and the rows that could not be used."""
