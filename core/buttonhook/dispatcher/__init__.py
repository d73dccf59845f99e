"""The dispatcher: turns pending job results into running jobs, within limits.

`lanes` holds what waits in memory, `runs` what runs and how it is made to stop, `dispatcher` joins them to store and
recorder. Nothing here calls a receiver: that is the runner's.
"""
