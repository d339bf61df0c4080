"""This computer: what it has, and its virtual cameras set up."""
