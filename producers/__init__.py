"""What upstream applications and the call center's system take: a client for events, a reader of scores, a replay."""
