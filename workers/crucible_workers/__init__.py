"""The hands: model clients, sandbox and controller."""
