"""What runs beside kernels: worker threads, barriers, the entry into native code, the loop over many steps."""
