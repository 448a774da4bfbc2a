"""What all websocket clients share: address, connection, backoff, and failures as messages."""
