"""A coloured screen behind the person, keyed out: no network is needed."""
