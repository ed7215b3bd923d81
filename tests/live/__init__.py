"""The comparison with Keras: the same tiny models, weights and batches in several engines.

    spec.py      what a case is, and the decorator which enters it in the table
    data.py      arrays and initial weights, derived from a case's name and nothing else
    cases/       the table: one builder function per case, by family
    runner.py    one engine (tf, jax, kcompile) runs cases: `python -m live.runner`, in the folder `tests`
    compare.py   distances, and how far from Keras an engine may be
    record.py    runs both judges and writes recorded.json: `python -m live.record`, in the folder `tests`
    test_recorded.py   kcompile, in this process, against recorded.json: needs no other engine
    test_live.py       kcompile against Keras on TensorFlow and on JAX, run now; see README.md
"""
