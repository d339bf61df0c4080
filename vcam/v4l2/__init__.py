"""Video4Linux2: the kernel's structures, functions that take a file descriptor, and which devices there are."""
