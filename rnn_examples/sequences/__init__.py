"""Sequential data: order and time."""
