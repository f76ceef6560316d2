"""What policy itself reads in a mail: names and kinds that a site bans, and what is wrong with its header."""
