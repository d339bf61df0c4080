"""Networks made here: architectures, and weights that others have trained. Needs the extra `vcam[train]` (PyTorch).

No other room imports this one but the commands for it and `vcam.learn`, and no module outside imports PyTorch.
"""
