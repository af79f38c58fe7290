"""The coding agents that come with Holdfast, one module each."""
