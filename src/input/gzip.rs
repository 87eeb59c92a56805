//! A `.gz` file (RFC 1952): members one after the other, as `gzip`, `pigz` and appending programs write them.
//!
//! Takes the bytes of a file, gives its text. Zeros after the last member are padding; anything else there is
//! left out and noted. Holds one input block and the inflater's window, whatever the file says.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use flate2::bufread::GzDecoder;

/// The first bytes of a gzip member (RFC 1952, section 2.3.1).
pub const MAGIC: [u8; 2] = [0x1f, 0x8b];

const INPUT: usize = 64 * 1024;

/// What is known of a file beside its text, as far as it was read.
#[derive(Debug, Default)]
pub struct About {
    /// Bytes of the file that were read.
    pub bytes_read: Cell<u64>,
    /// When the packed file was last changed, in Unix seconds, by the first header that says it.
    pub modified: Cell<Option<i64>>,
    /// A sentence about what was left out, known once the end was read.
    pub note: Cell<Option<&'static str>>,
}

/// Reads all members of a gzip file as one text.
pub struct Gzip<R> {
    /// None: the end, or an error.
    member: Option<GzDecoder<BufReader<R>>>,
    about: Rc<About>,
}

impl<R: Read> Gzip<R> {
    /// Decompresses `source`. What its header and its end say is put into `about`.
    pub fn new(source: R, about: Rc<About>) -> Gzip<R> {
        let source = BufReader::with_capacity(INPUT, source);
        Gzip { member: Some(GzDecoder::new(source)), about }
    }

    /// The member behind one that has ended.
    fn next_member(&mut self, ended: GzDecoder<BufReader<R>>) -> io::Result<()> {
        let mut source = ended.into_inner();
        let mut padded = false;
        loop {
            let bytes = source.fill_buf()?;
            let Some(first) = bytes.first() else { return Ok(()) };
            if *first == MAGIC[0] && !padded {
                self.member = Some(GzDecoder::new(source));
                return Ok(());
            }
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            if zeros == 0 {
                let note = "what follows the last gzip member is not gzip data and was left out";
                self.about.note.set(Some(note));
                return Ok(());
            }
            padded = true;
            source.consume(zeros);
        }
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(mut member) = self.member.take() else { return Ok(0) };
            let given = member.read(out).map_err(sentence)?;
            if self.about.modified.get().is_none() {
                let time = member.header().map_or(0, |header| header.mtime());
                self.about.modified.set(Some(i64::from(time)).filter(|time| *time != 0));
            }
            if given > 0 || out.is_empty() {
                self.member = Some(member);
                return Ok(given);
            }
            self.next_member(member)?;
        }
    }
}

/// An error of the decoder in words that say what to do about it.
fn sentence(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the gzip data is cut off"),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            io::Error::new(io::ErrorKind::InvalidData, format!("the gzip data is damaged ({error})"))
        }
        _ => error,
    }
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
        let about = Rc::new(About::default());
        let (mut text, mut gzip) = (Vec::new(), Gzip::new(bytes, about.clone()));
        let error = gzip.read_to_end(&mut text).err().map(|error| error.to_string());
        (text, error, about.note.get())
    }

    #[test]
    fn several_members_are_one_text_and_the_first_time_counts() {
        let bytes = [pack(b"one\n", 0), pack(b"", 0), pack(b"two\n", 77), pack(b"three\n", 78)].concat();
        let about = Rc::new(About::default());
        let mut gzip = Gzip::new(&bytes[..], about.clone());
        let mut text = String::new();
        gzip.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\nthree\n");
        assert_eq!((about.modified.get(), about.note.get()), (Some(77), None));
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
            let (mut gzip, mut got, mut out) =
                (Gzip::new(Drip(&bytes, step), Rc::default()), Vec::new(), vec![0; piece]);
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
