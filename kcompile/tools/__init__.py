"""The tools of the command line: each file is one of them. Everything they print is text that can be compared."""
