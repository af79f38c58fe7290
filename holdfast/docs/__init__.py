"""What there is to know about Holdfast, to be read offline: one Markdown file for each topic."""

from .topics import TOPICS, NoSuchTopic, Topic, read_topic, topics

__all__ = ["TOPICS", "NoSuchTopic", "Topic", "read_topic", "topics"]
