"""The network that vcam ships, taught one person and one room, for `vcam learn`.

finetune  the training, step by step
scenes    what it is shown: the user's frames changed by chance, and other people
tuning    both together, within a time
"""
