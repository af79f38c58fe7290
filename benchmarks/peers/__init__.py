"""Holdfast beside other systems that keep runs, on the same work. Not part of the package."""
