"""How an image is scored: drop, chops, class probabilities, ranked score. Numpy and ONNX Runtime only."""
