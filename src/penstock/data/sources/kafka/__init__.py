"""Rows of topics: KafkaSource, the broker, and the forms of messages."""
