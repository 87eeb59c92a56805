//! The content of one input: opened, unpacked, made lines of UTF-8, and summed up as it is read.
//!
//! Takes a path or any reader, gives bytes of text. Every failure is a sentence that names the file.

use std::fs::{self, File};
use std::io::{self, Chain, Cursor, Read};
use std::path::Path;
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use super::digest::Digest;
use super::gzip::{About, Gzip};
use super::imported::{Entry, HEAD};
use super::journal_text::{self, JournalText};
use super::packed;
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
    /// Of a regular file.
    pub regular: Option<Regular>,
    /// What is known of the file beside its text.
    pub about: Rc<About>,
    /// Bytes of text read.
    pub length: u64,
    head: Digest,
    /// The digest of the text read so far.
    pub whole: Digest,
    /// Lengths at which the sum so far is asked for, ascending; to be set before the text is read.
    pub marks: Vec<u64>,
    /// Reached lengths of `marks`, each with the sum of the text up to it.
    pub sums: Vec<(u64, u128)>,
}

/// Counts what is read.
struct Counted<R> {
    source: R,
    about: Rc<About>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let given = self.source.read(out)?;
        self.about.bytes_read.update(|before| before + given as u64);
        Ok(given)
    }
}

/// What was looked at already, then the rest, or the error that came instead.
type Peeked = Chain<Cursor<Vec<u8>>, Box<dyn Read>>;

/// Looks at the first bytes of a source.
fn peek(mut source: Box<dyn Read>) -> Peeked {
    let (bytes, fault) = first_bytes(&mut source, packed::BEGINNING);
    Cursor::new(bytes).chain(if fault.is_some() { Box::new(Broken(fault)) } else { source })
}

/// The bytes that were looked at.
fn peeked(text: &Peeked) -> &[u8] {
    text.get_ref().0.get_ref()
}

/// Fails once, then is at its end.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl Content {
    /// Opens and decompresses a file. The error is a sentence with the path.
    pub fn open(path: &Path) -> Result<Content, String> {
        let sentence = |error: io::Error| format!("cannot read '{}': {}", path.display(), reason(&error));
        let about = fs::metadata(path).map_err(sentence)?;
        if about.is_dir() {
            return Err(format!("cannot read '{}': it is a directory, not a log file", path.display()));
        }
        let file = File::open(path).map_err(sentence)?;
        let mut content = Content::new(Box::new(file)).map_err(sentence)?;
        let since = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = since.map_or(0, |since| since.as_secs() as i64);
        content.regular = about.is_file().then_some(Regular { size: about.len(), modified });
        Ok(content)
    }

    /// Decompresses a reader's bytes. Fails if they cannot be read, or are of a kind that is no log.
    pub fn new(source: Box<dyn Read>) -> io::Result<Content> {
        let about = Rc::new(About::default());
        let file = peek(Box::new(Counted { source, about: about.clone() }));
        let unpacked = match packed::packed_by(peeked(&file)) {
            None => file,
            Some("gzip") => peek(Box::new(Gzip::new(file, about.clone()))),
            Some(tool) => peek(packed::unpack(tool, Box::new(file))?),
        };
        if let Some(what) = packed::other_content(peeked(&unpacked)) {
            return Err(io::Error::other(what));
        }
        Ok(Content {
            text: lines_of_text(unpacked),
            regular: None,
            about,
            length: 0,
            head: Digest::default(),
            whole: Digest::default(),
            marks: Vec::new(),
            sums: Vec::new(),
        })
    }

    /// The content read so far as it is remembered. `tail`, `inside_line`: see [`Entry`].
    pub fn entry(&self, tail: u32, inside_line: bool) -> Entry {
        Entry {
            head: self.head.short_sum(),
            length: self.length,
            sum: self.whole.sum(),
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
            self.sums.push((mark, self.whole.sum()));
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
    if let Some(big_endian) = utf16::big_endian(peeked(&text)) {
        return lines_of_text(peek(Box::new(Utf16::new(text, big_endian))));
    }
    let form = match peeked(&text).strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => {
            let form = journal_text::form(rest);
            text.get_mut().0.set_position(BYTE_ORDER_MARK.len() as u64);
            form
        }
        None => journal_text::form(peeked(&text)),
    };
    match form {
        Some(form) => Box::new(JournalText::new(text, form)),
        None => Box::new(text),
    }
}

/// Reads the first bytes of a content, at most `most`, and gives the error that ended them early.
pub fn first_bytes(source: &mut dyn Read, most: usize) -> (Vec<u8>, Option<io::Error>) {
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
