"""A chat to play the visitor in, at the address of the sandbox itself."""
