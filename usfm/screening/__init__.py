"""Floor: near-duplicates within and between stores, and what they give away: leaks across splits, labels at odds."""
