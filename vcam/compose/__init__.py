"""Backgrounds and blending."""
