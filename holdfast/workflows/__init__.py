"""The workflows that come with Holdfast, one file each."""
