"""Frames by hand: what no ordinary socket sends. Ethernet from the outside to the router."""
import socket
import struct

ROUTER, OUTSIDE = "020000000001", "020000000007"
V4 = socket.inet_aton("198.51.100.7"), socket.inet_aton("198.51.100.1")
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7"), socket.inet_pton(socket.AF_INET6, "2001:db8::1")

link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind(("eth0", 0))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(ether_type, packet, to=ROUTER):
    link.send(bytes.fromhex(to + OUTSIDE) + struct.pack("!H", ether_type) + packet)


def ipv4(protocol, payload, ident=0x1C46, fragment=0, options=b"", destination=V4[1], to=ROUTER):
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, words * 4 + len(payload), ident, fragment, 64,
                       protocol, 0, V4[0], destination) + options
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    frame(0x0800, head + payload, to)


def ipv6(next_header, payload, flow=0xABCDE):
    frame(0x86DD, struct.pack("!IHBB16s16s", 0x60000000 | flow, len(payload), next_header, 64, *V6) + payload)


def tcp(source, port, flags):
    return struct.pack("!HHIIBBHHH", source, port, 1, 0, 0x50, flags, 64240, 0, 0)


def udp(source, port, data=b""):
    return struct.pack("!HHHH", source, port, 8 + len(data), 0) + data


def echo(kind, ident, sequence):
    data = struct.pack("!BBHHH", kind, 0, 0, ident, sequence)
    return data[:2] + struct.pack("!H", checksum(data)) + data[4:]
