"""Weights of retired libraries, read without them and written as ONNX files with cards (docs/old-weights.md).

``params`` and ``symbol`` read MXNet's two files, ``mxnet_graph`` converts them operator by operator;
``keras_file`` and ``keras_graph`` do the same for Keras' whole-model files; ``imported`` checks and writes.
"""
