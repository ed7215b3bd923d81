"""`keras.ops.linalg`: factorisations and solutions of linear equations."""

from .host import (
    cholesky,
    cholesky_inverse,
    det,
    eig,
    eigh,
    inv,
    lstsq,
    matrix_rank,
    pinv,
    qr,
    solve,
    solve_triangular,
    svd,
)
from .reductions import norm

__all__ = [
    "cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "lstsq", "matrix_rank", "norm", "pinv", "qr", "solve", "solve_triangular",
    "svd",
]
