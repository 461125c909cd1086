"""What a person changes in the config from the command line."""
