"""Reads an amavisd.conf, without running it, and makes settings of ours from it.

perl       text in, tokens out
assigned   tokens in, the variables that the file sets out; nothing of Perl is executed
lookups    what amavisd's lookup tables say of an address
carried    which of our options stands for which variable
known      the plain ones, and those that nothing stands for
rules, senders, scanners, banned, banks  those that are more than one value
written    the settings as TOML, with the lines that they come from
"""
