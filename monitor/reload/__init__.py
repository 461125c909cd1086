"""An edited config reaches the running service."""
