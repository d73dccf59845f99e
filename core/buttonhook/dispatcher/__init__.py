"""The dispatcher: turns pending job results into running jobs, within limits.

`lanes` holds what waits in memory, `runs` is one attempt and how it is made to stop, `carriers` are the tasks that
attempts are carried out in, `running` holds all that run, and `dispatcher` joins them to store and recorder. What
happens within an attempt is the runner's.
"""
