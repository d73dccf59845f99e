"""Stores: where objects, changes, job results and logs are kept.

`base` is the contract; each store is a package beside it. A store knows rows and transactions; what is to be
written, and whether it may be, is decided above, in the recorder.
"""
