//! Recognises compressed files by their first bytes: which can be read here, and what is said of the others.

use std::io::{self, Read};

/// First bytes that are needed to recognise a compressed file, and a tar archive in it.
pub const BEGINNING: usize = 512;

/// Compression of a file, by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packing {
    None,
    Gzip,
    Xz,
    Zstandard,
    Bzip2,
}

/// The compression by the first bytes.
pub fn packing(beginning: &[u8]) -> Packing {
    match beginning {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstandard,
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => Packing::Bzip2,
        _ => Packing::None,
    }
}

/// What text that begins so is instead of a log: what it is, and what to do.
pub fn other_content(beginning: &[u8]) -> Option<&'static str> {
    if beginning.get(257..262) == Some(b"ustar") {
        return Some("it is a tar archive: unpack it first, tar -xf FILE");
    }
    match beginning {
        [b'P', b'K', 3, 4, ..] => Some("it is a zip archive: unpack it first, unzip FILE"),
        [b'7', b'z', 0xbc, 0xaf, ..] => Some("it is a 7z archive: unpack it first, 7z x FILE"),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some("it is packed by lz4: unpack it first, lz4 -dk FILE"),
        [0x5d, 0, 0, _, 0, ..] => Some("it is packed by lzma: unpack it first, unlzma -k FILE"),
        [b'L', b'P', b'K', b'S', b'H', b'H', b'R', b'H', ..] => {
            Some("it is a journal of systemd: write it as text first, journalctl -k -o json --file FILE")
        }
        [0xd4, 0xc3, 0xb2, 0xa1, ..] | [0xa1, 0xb2, 0xc3, 0xd4, ..] | [0x0a, 0x0d, 0x0d, 0x0a, ..] => {
            Some("it is a capture of packets (pcap), not a log")
        }
        _ => None,
    }
}

/// The text of a file that is packed so.
#[cfg(feature = "archives")]
pub fn unpack(packing: Packing, source: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    Ok(match packing {
        Packing::Xz => Box::new(lzma_rust2::XzReader::new(source, true)),
        Packing::Zstandard => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(source);
            Box::new(decoder.map_err(|error| io::Error::other(error.to_string()))?)
        }
        Packing::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(source)),
        Packing::None | Packing::Gzip => source,
    })
}

/// This build leaves unpacking to the tools for it.
#[cfg(not(feature = "archives"))]
pub fn unpack(packing: Packing, source: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let tool = match packing {
        Packing::Xz => "it is packed by xz: unpack it first, xz -dk FILE",
        Packing::Zstandard => "it is packed by zstd: unpack it first, zstd -dk FILE",
        Packing::Bzip2 => "it is packed by bzip2: unpack it first, bzip2 -dk FILE",
        Packing::None | Packing::Gzip => return Ok(source),
    };
    Err(io::Error::other(tool))
}
