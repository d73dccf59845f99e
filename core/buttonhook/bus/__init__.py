"""Buses: how news of waiting job results travels from the recorder to dispatchers.

The store is the truth; a bus only wakes.
"""
