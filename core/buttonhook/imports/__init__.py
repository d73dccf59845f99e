"""Bringing data in from files and streams, and writing objects out to files.

Here belongs what knows file formats (JSON lines, JSON, YAML, CSV, gzip, xz), the shapes of records
(object lines, change streams, dumpdata rows), and how lines become transactions. What records a
transaction does not belong here: it is reached through a `Gateway`. Neither do flags, tables and
progress bars, which are the command line's; this package reports through callbacks.
"""
