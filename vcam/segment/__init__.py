"""From a frame to the probability that each pixel is a person."""
