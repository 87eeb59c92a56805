//! Recognises compressed files by their first bytes: which can be read here, and what is said of the others.

use std::io::{self, Read};

/// First bytes that are needed to recognise a compressed file, and a tar archive in it.
pub const BEGINNING: usize = 512;

/// The tool that packed a file which begins so; `None`: it is not packed.
pub fn packed_by(beginning: &[u8]) -> Option<&'static str> {
    match beginning {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some("xz"),
        // pzstd begins with a skippable frame.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some("zstd"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => Some("bzip2"),
        _ => None,
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

/// The text of a file that was packed by `xz`, `zstd` or `bzip2`.
#[cfg(feature = "archives")]
pub fn unpack(tool: &str, source: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    Ok(match tool {
        "xz" => Box::new(lzma_rust2::XzReader::new(source, true)),
        "zstd" => Box::new(super::zstandard::Zstandard::new(source)),
        _ => Box::new(bzip2::read::MultiBzDecoder::new(source)),
    })
}

/// This build leaves unpacking to the tools for it.
#[cfg(not(feature = "archives"))]
pub fn unpack(tool: &str, _: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    Err(io::Error::other(format!("it is packed by {tool}: unpack it first, {tool} -dk FILE")))
}

#[cfg(all(test, feature = "archives"))]
mod tests {
    use super::*;

    const ONE: &[u8] = b"\x28\xb5\x2f\xfd\x04X!\0\0one\n\xdf\x16h\t";
    const TWO: &[u8] = b"\x28\xb5\x2f\xfd\x04X!\0\0two\n\x0f-\x04\xf9";

    /// What could be unpacked, and the error.
    fn text(bytes: &[u8]) -> (String, Option<String>) {
        let (mut text, source) = (String::new(), Box::new(io::Cursor::new(bytes.to_vec())));
        let read = unpack(packed_by(bytes).unwrap(), source)
            .and_then(|mut unpacked| unpacked.read_to_string(&mut text));
        (text, read.err().map(|error| error.to_string()))
    }

    #[test]
    fn every_part_of_a_file_is_read() {
        const XZ_ONE: &[u8] =
            b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4F\x02\0!\x01\x16\0\0\0t/\xe5\xa3\x01\0\x03one\n\0\
            \xf5\x5c\xbbV\x1f\xc6\xfd\x86\0\x01\x1c\x04o,\x9c\xc1\x1f\xb6\xf3}\x01\0\0\0\0\x04YZ";
        const XZ_TWO: &[u8] =
            b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4F\x02\0!\x01\x16\0\0\0t/\xe5\xa3\x01\0\x03two\n\0\
            e\x06\xd6\xff\xc4\xc0\xf9:\0\x01\x1c\x04o,\x9c\xc1\x1f\xb6\xf3}\x01\0\0\0\0\x04YZ";
        const BZIP2_ONE: &[u8] =
            b"BZh91AY&SYx\x13\xc0\x82\0\0\x01\xc1\0\0\x10\x02\x01\xa0\0!\x9ah3M\x0c\xbc]\xc9\
            \x14\xe1BA\xe0O\x02\x08";
        const BZIP2_TWO: &[u8] =
            b"BZh91AY&SY.\xb7\x1a\xd7\0\0\x01A\x80\0\x10\0\0\x84\x80 \0!\x9ah3M\x07<]\xc9\
            \x14\xe1B@\xba\xdck\x5c";
        for [one, two] in [[ONE, TWO], [XZ_ONE, XZ_TWO], [BZIP2_ONE, BZIP2_TWO]] {
            assert_eq!(text(&[one, two].concat()), ("one\ntwo\n".to_string(), None));
        }
        let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
        let parts = [&skippable[..], ONE, skippable, TWO, skippable].concat();
        assert_eq!(text(&parts), ("one\ntwo\n".to_string(), None));
    }

    #[test]
    fn damage_is_an_error_behind_the_text_before_it() {
        let mut flipped = ONE.to_vec();
        flipped[9] ^= 1;
        let (damaged, error) = text(&[TWO, &flipped, TWO].concat());
        assert_eq!(
            (damaged.as_str(), error.unwrap().as_str()),
            ("two\nnne\n", "the zstd data is damaged (wrong checksum)")
        );
        for cut in ONE.len() + 1..ONE.len() + TWO.len() {
            let (cut, error) = text(&[ONE, TWO].concat()[..cut]);
            assert_eq!(cut, "one\n");
            assert!(error.unwrap().starts_with("the zstd data is cut off"));
        }
    }
}
