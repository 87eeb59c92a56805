//! The content of one input: opened, unpacked if it is gzip, and summed up as it is read.
//!
//! Takes a path or any reader, gives bytes of text. Every failure is a sentence that names the file.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::digest::Digest;
use super::gzip::{self, Gzip};
use super::imported::{Entry, HEAD};
use super::lines::read;

/// Regular files can be read again and have a size and a time; pipes and devices can't and have not.
#[derive(Clone, Copy, Debug)]
pub struct Regular {
    pub size: u64,
    /// Unix seconds.
    pub modified: i64,
}

pub struct Content {
    bytes: Bytes,
    length: u64,
    head: Digest,
    whole: Digest,
    /// Lengths at which the sum so far is asked for, ascending; and the sums of those reached.
    marks: Vec<u64>,
    sums: Vec<u128>,
}

type Source = io::Chain<Cursor<Vec<u8>>, Box<dyn Read>>;

enum Bytes {
    Plain(Source),
    Gzip(Box<Gzip<Source>>),
}

impl Content {
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

    pub fn new(mut source: Box<dyn Read>) -> io::Result<Content> {
        let mut magic = [0; gzip::MAGIC.len()];
        let held = read_fully(&mut source, &mut magic)?;
        let packed = magic[..held] == gzip::MAGIC;
        let source = Cursor::new(magic[..held].to_vec()).chain(source);
        Ok(Content {
            bytes: if packed { Bytes::Gzip(Box::new(Gzip::new(source))) } else { Bytes::Plain(source) },
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
    pub fn taken(&self) -> u64 {
        match &self.bytes {
            Bytes::Plain(_) => self.length,
            Bytes::Gzip(gzip) => gzip.taken(),
        }
    }

    /// The time in a gzip header.
    pub fn packed_modified(&self) -> Option<i64> {
        match &self.bytes {
            Bytes::Plain(_) => None,
            Bytes::Gzip(gzip) => gzip.modified(),
        }
    }

    pub fn note(&self) -> Option<&'static str> {
        match &self.bytes {
            Bytes::Plain(_) => None,
            Bytes::Gzip(gzip) => gzip.note(),
        }
    }

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

    fn take_in(&mut self, mut bytes: &[u8]) {
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
        let given = match &mut self.bytes {
            Bytes::Plain(source) => source.read(out)?,
            Bytes::Gzip(gzip) => gzip.read(out)?,
        };
        self.take_in(&out[..given]);
        Ok(given)
    }
}

/// Reads until `buffer` is full or the input ends.
fn read_fully(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut held = 0;
    while held < buffer.len() {
        match read(source, &mut buffer[held..])? {
            0 => break,
            more => held += more,
        }
    }
    Ok(held)
}

/// The first bytes of a content, and the error that ended them early.
pub type Beginning = (Vec<u8>, Option<io::Error>);

pub fn beginning(content: &mut Content, most: usize) -> Beginning {
    let (mut bytes, mut held) = (vec![0; most], 0);
    let mut fault = None;
    while held < most {
        match read(content, &mut bytes[held..]) {
            Ok(0) => break,
            Ok(more) => held += more,
            Err(error) => {
                fault = Some(error);
                break;
            }
        }
    }
    bytes.truncate(held);
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
