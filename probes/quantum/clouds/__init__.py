"""What providers need to speak with their clouds: interfaces, formats, accounts."""
