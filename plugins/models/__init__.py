"""The model back ends that come with Holdfast."""
