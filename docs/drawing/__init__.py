"""The backgrounds that come with vcam: how each is drawn. `python -m docs.backgrounds` makes the files."""
