"""What the agent knows, in a database: the sole writer of case state."""
