"""Anomalies: rows, weeks and distributions unlike what was known before them, each compared with something named."""
