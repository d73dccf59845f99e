"""The dispatcher: turns pending job results into running jobs, within limits.

`lanes` holds what waits in memory, `runs` is one attempt and how it is made to stop, `running` holds all that run, and
`dispatcher` joins them to store and recorder. Nothing here calls a receiver: that is the runner's.
"""
