"""Spam checkers: what they are shown, how they are asked, what they say, and the header lines made of it.

Loaded only where `spam.checker` is set, and hot there: nothing heavy is imported. check.py is the way in;
headers.py stands alone. What is done with a score is policy's affair.
"""
