"""The steps of the stream: named composite PTransforms that wire functions of the domain together."""
