"""The user's own data: a MANO hand and InterHand2.6M, converted to the project's shards."""
