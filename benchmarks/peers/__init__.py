"""The same work on other job systems, each file run by an interpreter of its own that has that system.

Here belongs what runs inside those interpreters: nothing but the standard library and the one system is imported.
"""
