//! The content of one input: opened, unpacked, made lines of UTF-8, and summed up as it is read.
//!
//! Takes a path or any reader, gives bytes of text. Every failure is a sentence that names the file.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use super::digest::Digest;
use super::gzip::{About, Gzip};
use super::imported::{Entry, HEAD};
use super::journal_text::{self, JournalText};
use super::packed::{self, Packing};
use super::utf16::{self, Utf16};

/// Regular files can be read again and have a size and a time; pipes and devices can't and have not.
#[derive(Clone, Copy, Debug)]
pub struct Regular {
    /// Bytes of the file as it is stored.
    pub size: u64,
    /// Unix seconds.
    pub modified: i64,
}

/// The decompressed text of a file or pipe, with checksums of what was read.
pub struct Content {
    text: Box<dyn Read>,
    /// Bytes read from the file.
    bytes_read: Rc<Cell<u64>>,
    about: Rc<About>,
    /// Bytes of text read.
    length: u64,
    head: Digest,
    whole: Digest,
    /// Lengths at which the sum so far is asked for, ascending; and the sums of those reached.
    marks: Vec<u64>,
    sums: Vec<u128>,
}

/// Counts what is read.
struct Counted<R> {
    source: R,
    bytes_read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let given = self.source.read(out)?;
        self.bytes_read.set(self.bytes_read.get() + given as u64);
        Ok(given)
    }
}

/// What was looked at already, then the rest, or the error that came instead.
struct Peeked {
    first_bytes: Cursor<Vec<u8>>,
    rest: io::Result<Box<dyn Read>>,
}

impl Peeked {
    /// Looks at the first bytes of a source.
    fn new(mut source: Box<dyn Read>) -> Peeked {
        let (bytes, fault) = read_first_bytes(&mut source, packed::BEGINNING);
        let rest = fault.map_or(Ok(source), Err);
        Peeked { first_bytes: Cursor::new(bytes), rest }
    }

    fn first_bytes(&self) -> &[u8] {
        self.first_bytes.get_ref()
    }
}

impl Read for Peeked {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let given = self.first_bytes.read(out)?;
        if given > 0 || out.is_empty() {
            return Ok(given);
        }
        match &mut self.rest {
            Ok(rest) => rest.read(out),
            Err(error) => {
                let error = std::mem::replace(error, io::ErrorKind::UnexpectedEof.into());
                self.rest = Ok(Box::new(io::empty()));
                Err(error)
            }
        }
    }
}

impl Content {
    /// Opens and decompresses a file; the second value: it is a regular file. The error is a sentence with the path.
    pub fn open(path: &Path) -> Result<(Content, Option<Regular>), String> {
        let sentence = |error: io::Error| format!("cannot read '{}': {}", path.display(), reason(&error));
        let about = fs::metadata(path).map_err(sentence)?;
        if about.is_dir() {
            return Err(format!("cannot read '{}': it is a directory, not a log file", path.display()));
        }
        let file = File::open(path).map_err(sentence)?;
        let content = Content::new(Box::new(file)).map_err(sentence)?;
        let modified = match about.modified() {
            Ok(time) => time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64),
            Err(_) => 0,
        };
        Ok((content, about.is_file().then_some(Regular { size: about.len(), modified })))
    }

    /// Decompresses a reader's bytes. Fails if they cannot be read, or are of a kind that is no log.
    pub fn new(source: Box<dyn Read>) -> io::Result<Content> {
        let (bytes_read, about) = (Rc::new(Cell::new(0)), Rc::new(About::default()));
        let file = Peeked::new(Box::new(Counted { source, bytes_read: bytes_read.clone() }));
        let unpacked = match packed::packing(file.first_bytes()) {
            Packing::None => file,
            Packing::Gzip => Peeked::new(Box::new(Gzip::new(file, about.clone()))),
            other => Peeked::new(packed::unpack(other, Box::new(file))?),
        };
        if let Some(what) = packed::other_content(unpacked.first_bytes()) {
            return Err(io::Error::other(what));
        }
        Ok(Content {
            text: lines_of_text(unpacked),
            bytes_read,
            about,
            length: 0,
            head: Digest::new(),
            whole: Digest::new(),
            marks: Vec::new(),
            sums: Vec::new(),
        })
    }

    /// Asks for the sums of the first `marks` bytes (ascending, none of them read yet).
    pub fn mark(&mut self, marks: Vec<u64>) {
        self.marks = marks;
    }

    /// The sums at the marks that were reached.
    pub fn marked(&self) -> impl Iterator<Item = (u64, u128)> + '_ {
        self.marks.iter().copied().zip(self.sums.iter().copied())
    }

    /// Bytes of text given so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes read from the file so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.get()
    }

    /// The time in a gzip header.
    pub fn packed_modified(&self) -> Option<i64> {
        self.about.modified.get()
    }

    /// A sentence about a compressed file, known once its end was read.
    pub fn note(&self) -> Option<&'static str> {
        self.about.note.get()
    }

    /// The digest of the text read so far.
    pub fn sum(&self) -> u128 {
        self.whole.sum()
    }

    /// The content read so far as it is remembered. `tail`, `counted`: see [`Entry`].
    pub fn entry(&self, tail: u32, inside_line: bool) -> Entry {
        Entry {
            head: self.head.short_sum(),
            length: self.length,
            sum: self.sum(),
            tail,
            inside_line,
            outgrown: false,
        }
    }

    fn update_digests(&mut self, mut bytes: &[u8]) {
        let missing = HEAD.saturating_sub(self.length).min(bytes.len() as u64) as usize;
        self.head.update(&bytes[..missing]);
        while let Some(&mark) = self.marks.get(self.sums.len()) {
            let before = mark.saturating_sub(self.length);
            if before > bytes.len() as u64 {
                break;
            }
            let (first, rest) = bytes.split_at(before as usize);
            self.whole.update(first);
            self.length += before;
            self.sums.push(self.whole.sum());
            bytes = rest;
        }
        self.whole.update(bytes);
        self.length += bytes.len() as u64;
    }
}

impl Read for Content {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let given = self.text.read(out)?;
        self.update_digests(&out[..given]);
        Ok(given)
    }
}

/// Text of any kind as lines of UTF-8.
fn lines_of_text(mut text: Peeked) -> Box<dyn Read> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    if let Some(big_endian) = utf16::big_endian(text.first_bytes()) {
        let text = Peeked::new(Box::new(Utf16::new(text, big_endian)));
        return lines_of_text(text);
    }
    if text.first_bytes().starts_with(BYTE_ORDER_MARK) {
        text.first_bytes.set_position(BYTE_ORDER_MARK.len() as u64);
    }
    let first_bytes = text.first_bytes();
    match journal_text::form(first_bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(first_bytes)) {
        Some(form) => Box::new(JournalText::new(text, form)),
        None => Box::new(text),
    }
}

/// The first bytes of a content, and the error that ended them early.
pub type FirstBytes = (Vec<u8>, Option<io::Error>);

/// Reads the first bytes of a content, at most `most`.
pub fn first_bytes(content: &mut Content, most: usize) -> FirstBytes {
    read_first_bytes(content, most)
}

fn read_first_bytes(source: &mut dyn Read, most: usize) -> FirstBytes {
    let mut bytes = Vec::with_capacity(most);
    // What was read before an error stays.
    let fault = source.take(most as u64).read_to_end(&mut bytes).err();
    (bytes, fault)
}

/// An error without Rust's "(os error 2)".
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_string(),
        None => text,
    }
}
