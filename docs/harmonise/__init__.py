"""The pictures that the network of `harmonise` is trained with: `python -m docs.harmonise.collect`."""
