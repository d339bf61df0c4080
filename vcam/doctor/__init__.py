"""Every known cause of "it does not work" that a program can see, each with the command that mends it."""
