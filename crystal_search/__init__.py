"""Crystal Search scores crystallization well images on the computers a lab already owns."""

__version__ = "0.1.0"
