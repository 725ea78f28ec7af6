"""Which partition a customer belongs to: Kafka's default partitioner, as in its Java clients and kafka-python."""

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit unsigned MurmurHash2 (Austin Appleby) of `data` with the seed of Kafka's `Utils.murmur2`."""
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(customer: str, partitions: int) -> int:
    """The partition, 0 to `partitions` - 1, of a customer's records."""
    return (murmur2(customer.encode()) & 0x7FFFFFFF) % partitions
