"""What every websocket client shares: the address, the connection, the wait before another try, what went wrong."""
