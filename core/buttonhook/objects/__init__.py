"""Tracked objects: their types, their keys, the two forms people hold them in, and what they ask of a session.

Here belongs what an object *is* (struct types, free documents, object changes) and the protocols by which
it reaches a store. What carries out a save or a query does not belong here: that is `sessions` and `queries`.
"""
