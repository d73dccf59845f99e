"""What is for browsers: pages, and the static files that they load.

Nothing is loaded from elsewhere, and no script or style stands in a page: the policy in `gate` forbids both.
"""
