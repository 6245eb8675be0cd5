"""From a trained network to a model: calibration, ONNX, int8, cards."""
