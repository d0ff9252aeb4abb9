"""Backups of an installation, and their restore (docs/backup.md).

A backup is a base backup of PostgreSQL, whole or since the one before, with the files of models and the installation's
passwords. A service ships the write-ahead log between backups, so that every instant since the oldest one can be had
again. All of it is encrypted in the format of age before it leaves the machine.
"""
