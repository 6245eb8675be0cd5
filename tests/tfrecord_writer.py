"""Writes TFRecord files of ``tf.train.Example`` messages, independently of what reads them."""

import struct


def checksum(data: bytes) -> int:
    """CRC-32C bit by bit, then masked."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    state ^= 0xFFFFFFFF
    return ((state >> 15 | state << 17) + 0xA282EAD8) % 2**32


def framed(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", checksum(head)) + data + struct.pack("<I", checksum(data))


def varint(value: int) -> bytes:
    value %= 2**64
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def part(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def feature(value: int | bytes | float) -> bytes:
    if isinstance(value, bytes):
        return part(1, part(1, value))
    if isinstance(value, float):
        return part(2, part(1, struct.pack("<f", value)))
    return part(3, part(1, varint(value)))


def example(features: dict[str, int | bytes | float]) -> bytes:
    entries = [part(1, part(1, name.encode()) + part(2, feature(value))) for name, value in features.items()]
    return part(1, b"".join(entries))
