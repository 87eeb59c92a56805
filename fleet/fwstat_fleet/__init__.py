"""One table over many fwstat routers: checks their batches, stores them in ClickHouse and answers questions."""
