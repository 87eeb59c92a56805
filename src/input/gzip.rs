//! gzip framing (RFC 1952): members one after the other, each header, deflate data, checksum.
//!
//! Takes the bytes of a `.gz` file, gives its text. Whatever could be unpacked before a damage is
//! given first, then the error. Zeros after the last member are padding; anything else there is
//! left out and noted. Holds one input block and the inflater's window, whatever the file says.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use crate::checksum::Crc;

pub const MAGIC: [u8; 2] = [0x1f, 0x8b];

const INPUT: usize = 64 * 1024;

pub struct Gzip<R> {
    source: R,
    input: Box<[u8]>,
    start: usize,
    end: usize,
    /// Compressed bytes taken from the source.
    taken: u64,
    place: Place,
    inflate: Decompress,
    crc: Crc,
    members: u64,
    modified: Option<i64>,
    note: Option<&'static str>,
}

enum Place {
    Header,
    Body,
    Broken(io::Error),
    End,
}

impl<R: Read> Gzip<R> {
    pub fn new(source: R) -> Gzip<R> {
        Gzip {
            source,
            input: vec![0; INPUT].into_boxed_slice(),
            start: 0,
            end: 0,
            taken: 0,
            place: Place::Header,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            members: 0,
            modified: None,
            note: None,
        }
    }

    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// When the packed file was last changed, as the first header read tells.
    pub fn modified(&self) -> Option<i64> {
        self.modified
    }

    /// What was left out after the last member.
    pub fn note(&self) -> Option<&'static str> {
        self.note
    }

    /// More input, if there is any. Only called when all of it is used up.
    fn fill(&mut self) -> io::Result<bool> {
        (self.start, self.end) = (0, 0);
        self.end = loop {
            match self.source.read(&mut self.input) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.taken += self.end as u64;
        Ok(self.end > 0)
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        if self.start == self.end && !self.fill()? {
            return Ok(None);
        }
        self.start += 1;
        Ok(Some(self.input[self.start - 1]))
    }

    fn need(&mut self) -> io::Result<u8> {
        self.byte()?.ok_or_else(cut)
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.need()?;
        }
        Ok(bytes)
    }

    /// Reads a member's header. `false`: there is no further member.
    fn header(&mut self) -> io::Result<bool> {
        if self.members > 0 && !self.find_member()? {
            return Ok(false);
        }
        let fixed: [u8; 10] = self.bytes()?;
        let [magic_1, magic_2, method, flags, time @ ..] = fixed;
        if [magic_1, magic_2] != MAGIC || method != 8 || flags & 0xe0 != 0 {
            return Err(damaged("header"));
        }
        if flags & 0x04 != 0 {
            let length = u16::from_le_bytes(self.bytes()?);
            for _ in 0..length {
                self.need()?;
            }
        }
        for text in [0x08, 0x10] {
            while flags & text != 0 && self.need()? != 0 {}
        }
        if flags & 0x02 != 0 {
            self.bytes::<2>()?;
        }
        let time = u32::from_le_bytes([time[0], time[1], time[2], time[3]]);
        if time != 0 && self.modified.is_none() {
            self.modified = Some(i64::from(time));
        }
        self.members += 1;
        self.inflate.reset(false);
        self.crc = Crc::new();
        Ok(true)
    }

    /// After a member: skips zeros; `true` if a member's first byte follows, which stays unread.
    fn find_member(&mut self) -> io::Result<bool> {
        let mut padded = false;
        loop {
            match self.byte()? {
                None => return Ok(false),
                Some(0) => padded = true,
                Some(byte) if byte == MAGIC[0] && !padded => {
                    self.start -= 1;
                    return Ok(true);
                }
                Some(_) => {
                    self.note = Some("what follows the last gzip member is not gzip data and was left out");
                    return Ok(false);
                }
            }
        }
    }

    /// Unpacks into `out`. 0: the member ended, or nothing came of this input block.
    fn body(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // At the end of the input the inflater may still hold some text.
        let more = self.start < self.end || self.fill()?;
        let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
        let input = &self.input[self.start..self.end];
        let status = self.inflate.decompress(input, out, FlushDecompress::None);
        let taken = (self.inflate.total_in() - taken) as usize;
        let given = (self.inflate.total_out() - given) as usize;
        self.start += taken;
        self.crc.update(&out[..given]);
        match status {
            Ok(Status::StreamEnd) => match self.trailer() {
                Ok(()) => self.place = Place::Header,
                Err(error) => self.place = Place::Broken(error),
            },
            Ok(_) if taken == 0 && given == 0 => {
                return Err(if more { damaged("deflate data") } else { cut() });
            }
            Ok(_) => {}
            Err(_) => self.place = Place::Broken(damaged("deflate data")),
        }
        Ok(given)
    }

    fn trailer(&mut self) -> io::Result<()> {
        let sum = u32::from_le_bytes(self.bytes()?);
        let size = u32::from_le_bytes(self.bytes()?);
        if sum != self.crc.sum() || size != self.inflate.total_out() as u32 {
            return Err(damaged("checksum"));
        }
        Ok(())
    }

    fn step(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match std::mem::replace(&mut self.place, Place::End) {
            Place::Header => {
                if self.header()? {
                    self.place = Place::Body;
                }
                Ok(0)
            }
            Place::Body => {
                self.place = Place::Body;
                self.body(out).inspect_err(|_| self.place = Place::End)
            }
            Place::Broken(error) => Err(error),
            Place::End => Ok(0),
        }
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let given = self.step(out)?;
            if given > 0 || matches!(self.place, Place::End) {
                return Ok(given);
            }
        }
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the gzip data is cut off")
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the gzip data is damaged ({what})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, GzBuilder};
    use std::io::Write;

    fn pack(text: &[u8], modified: u32) -> Vec<u8> {
        let builder = GzBuilder::new().mtime(modified).filename("messages").extra(vec![1; 300]).comment("c");
        let mut writer = builder.write(Vec::new(), Compression::default());
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    }

    /// What could be unpacked, and the error.
    fn unpack(bytes: &[u8]) -> (Vec<u8>, Option<String>, Option<&'static str>) {
        let (mut text, mut gzip) = (Vec::new(), Gzip::new(bytes));
        let error = gzip.read_to_end(&mut text).err().map(|error| error.to_string());
        (text, error, gzip.note())
    }

    #[test]
    fn several_members_are_one_text_and_the_first_time_counts() {
        let bytes = [pack(b"one\n", 0), pack(b"", 0), pack(b"two\n", 77), pack(b"three\n", 78)].concat();
        let mut gzip = Gzip::new(&bytes[..]);
        let mut text = String::new();
        gzip.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\nthree\n");
        assert_eq!((gzip.modified(), gzip.note(), gzip.taken()), (Some(77), None, bytes.len() as u64));
        assert_eq!(gzip.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn padding_is_silent_and_garbage_is_noted() {
        let packed = pack(b"text\n", 1);
        let padded = [&packed[..], &[0; 1000]].concat();
        assert_eq!(unpack(&padded), (b"text\n".to_vec(), None, None));
        for garbage in [&b"garbage"[..], b"\0\0\x1f\x8b"] {
            let (text, error, note) = unpack(&[&packed[..], garbage].concat());
            assert_eq!((&text[..], error), (&b"text\n"[..], None));
            assert!(note.unwrap().contains("left out"));
        }
    }

    #[test]
    fn every_cut_and_every_flipped_bit_gives_a_beginning_of_the_text_or_an_error() {
        let text: Vec<u8> =
            (0..2000u32).flat_map(|n| format!("line {}\n", n * n % 977).into_bytes()).collect();
        let bytes = [pack(&text[..9000], 1), pack(&text[9000..], 1)].concat();
        let between = pack(&text[..9000], 1).len();
        for cut in 0..bytes.len() {
            let (got, error, _) = unpack(&bytes[..cut]);
            assert!(text.starts_with(&got), "cut at {cut}");
            assert_eq!(error.is_none(), cut == between, "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let (got, error, note) = unpack(&bad);
            assert!(error.is_some() || note.is_some() || got == text, "bit {bit}");
        }
    }

    #[test]
    fn what_came_before_a_damage_is_given() {
        let text: Vec<u8> = (0..400_000u32).flat_map(|n| (n.wrapping_mul(n) >> 7).to_le_bytes()).collect();
        let mut bytes = pack(&text, 1);
        let middle = bytes.len() / 2;
        bytes[middle..middle + 64].fill(0xff);
        let (got, error, _) = unpack(&bytes);
        assert!(error.unwrap().contains("damaged"));
        assert!(got.len() > text.len() / 4, "{}", got.len());
        assert_eq!(got[..text.len() / 4], text[..text.len() / 4]);
    }

    #[test]
    fn pieces_of_any_size_give_the_same_text() {
        struct Drip<'a>(&'a [u8], usize);
        impl Read for Drip<'_> {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                let step = self.1.min(out.len());
                self.0.read(&mut out[..step])
            }
        }
        let text: Vec<u8> =
            (0..3000u32).flat_map(|n| format!("line {}\n", n * n % 977).into_bytes()).collect();
        let bytes = [pack(&text[..20_000], 1), pack(&text[20_000..], 1), vec![0; 70]].concat();
        for (step, piece) in [(1, 1), (1, 5000), (3, 7), (bytes.len(), 1), (100, 3)] {
            let (mut gzip, mut got, mut out) = (Gzip::new(Drip(&bytes, step)), Vec::new(), vec![0; piece]);
            loop {
                match gzip.read(&mut out).unwrap() {
                    0 => break,
                    given => got.extend_from_slice(&out[..given]),
                }
            }
            assert_eq!(got, text, "{step} in, {piece} out");
        }
    }
}
