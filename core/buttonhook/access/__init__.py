"""What one user may see and do, each call checked: the functions that command line, API and pages call.

Here belongs asking the table of rights (`permissions`) and leaving out what a user may not see. What an act does, and
what is wrong with it for anybody, belongs below.
"""
