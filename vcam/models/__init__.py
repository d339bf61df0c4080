"""Networks and what is known of them: cards, where they lie, and how they come here."""
