"""The manual pages and tables of the documentation, made from the commands and the tables of options.

blocks     what a page consists of
roff, rst  a page for man(1), and for the documentation
program    amavis-pipe(8)
settings   amavis-pipe.toml(5)
migration  amavisd-new's variables and our options
"""
