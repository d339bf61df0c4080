"""Networks run: tensors in, tensors out, on whichever engine works."""
