"""Serve a model by llama.cpp's own HTTP server, until standard input ends.

Run in the environment of llama.cpp, as ``python serve_model.py MODEL WINDOW SLOTS``: it
prints ``serving on ADDRESS`` once it answers. Each of the slots has the whole window.
"""

import sys

import xllamacpp

model, window, slots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
parameters = xllamacpp.CommonParams()
parameters.model.path = model
parameters.model_alias = ["needle-random"]
parameters.n_ctx = window * slots
parameters.n_parallel = slots
parameters.hostnames = ["127.0.0.1"]
parameters.port = 0
parameters.cpuparams.n_threads = 2
server = xllamacpp.Server(parameters)
sys.stdout.write(f"serving on {server.listening_address}\n")
sys.stdout.flush()
sys.stdin.read()  # whoever started it holds the other end: nothing is left behind
