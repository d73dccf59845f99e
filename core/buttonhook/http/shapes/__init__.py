"""What goes out of the API and comes into it: a struct for each, with every field said.

Records of the core are never answered as they are: a field that is added there must not leak here. What comes in
refuses fields it does not know.
"""
