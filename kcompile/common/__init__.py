"""What every room may use: modules that import nothing but the standard library, for a process that wants no more than them."""
