//! `journalctl -o export`, `-o verbose` and `-o json-pretty` -> a line of JSON for each entry, as `-o json` writes it.
//!
//! Takes the text, gives lines with the fields that the line parser reads. A message can hold line ends, and then its
//! further lines could look like fields: the export format gives such a field's length, the verbose one indents further
//! lines more than a field, JSON writes `\n`. Holds one entry: a few fields of at most [`LONGEST`] bytes, whatever the
//! text says.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};

/// Longer values are cut, and longer lines.
const LONGEST: usize = 4 * 1024;
/// Fields that are kept.
const FIELDS: [&str; 7] = [
    "__REALTIME_TIMESTAMP",
    "_SOURCE_MONOTONIC_TIMESTAMP",
    "_TRANSPORT",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_PID",
    "_PID",
    "MESSAGE",
];
const INDENT: &[u8] = b"    ";

/// The forms of `journalctl -o` that are not one line per entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// `-o export` (systemd's Journal Export Format).
    Export,
    /// `-o verbose`.
    Verbose,
    /// JSON in several lines, as `jq` writes it, too.
    Pretty,
}

/// The form of a text that begins so; none: it is another.
pub fn form(beginning: &[u8]) -> Option<Form> {
    if beginning.starts_with(b"__CURSOR=") || beginning.starts_with(b"__REALTIME_TIMESTAMP=") {
        return Some(Form::Export);
    }
    // `jq -s` makes a list of them.
    let object = beginning.strip_prefix(b"[").map_or(beginning, <[u8]>::trim_ascii_start);
    if object.starts_with(b"{\n") || object.starts_with(b"{\r\n") {
        return Some(Form::Pretty);
    }
    let mut entry = beginning;
    while entry.starts_with(b"-- ") {
        // `-- Logs begin at ... --` (systemd before 247), `-- Boot ... --`.
        entry = &entry[memchr::memchr(b'\n', entry)? + 1..];
    }
    let (first, second) = entry.split_at(memchr::memchr(b'\n', entry)?);
    let is_verbose = memchr::memmem::find(first, b" [s=").is_some()
        && first.ends_with(b"]")
        && second[1..].starts_with(INDENT)
        && second.get(5).is_some_and(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    is_verbose.then_some(Form::Verbose)
}

/// Turns entries of several lines into one JSON line each.
pub struct JournalText<R> {
    source: BufReader<R>,
    form: Form,
    /// The values of the entry that is being read, by their place in [`FIELDS`].
    values: [Option<Vec<u8>>; FIELDS.len()],
    /// Of the verbose form: the time as it is written.
    time: Option<Vec<u8>>,
    /// Of the pretty form: the object so far, and whether the field that is being read is kept.
    object: Option<(Vec<u8>, bool)>,
    /// Text that was made and not read yet.
    pending: VecDeque<u8>,
    ended: bool,
}

impl<R: Read> JournalText<R> {
    /// Reads the journal's text of this form from `source`.
    pub fn new(source: R, form: Form) -> JournalText<R> {
        let source = BufReader::new(source);
        JournalText {
            source,
            form,
            values: Default::default(),
            time: None,
            object: None,
            pending: VecDeque::new(),
            ended: false,
        }
    }

    /// The next line without its end, cut at [`LONGEST`]. None: the end.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if self.source.by_ref().take(LONGEST as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.pop_if(|last| *last == b'\n').is_none() {
            self.source.skip_until(b'\n')?;
        }
        Ok(Some(line))
    }

    /// The value of a length-prefixed field, cut at [`LONGEST`]. `None`: the text ends within it.
    fn binary(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 8];
        if let Err(error) = self.source.read_exact(&mut length) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        let length = u64::from_le_bytes(length);
        let mut value = Vec::new();
        self.source.by_ref().take(length.min(LONGEST as u64)).read_to_end(&mut value)?;
        // And the line end behind it.
        let rest = length.saturating_add(1) - value.len() as u64;
        let skipped = io::copy(&mut self.source.by_ref().take(rest), &mut io::sink())?;
        Ok((skipped == rest).then_some(value))
    }

    fn keep(&mut self, key: &[u8], value: Vec<u8>) {
        if let Some(place) = FIELDS.iter().position(|name| name.as_bytes() == key) {
            // A field of one name twice: the line parser must not choose.
            let twice = self.values[place].is_some();
            self.values[place] = Some(if twice { Vec::new() } else { value });
        }
    }

    /// Reads up to the end of an entry, whose line is pending then; none at the text's end.
    fn entry(&mut self) -> io::Result<()> {
        while self.pending.is_empty() && !self.ended {
            match (self.line()?, self.form) {
                (None, _) => {
                    self.ended = true;
                    self.write();
                }
                (Some(line), Form::Export) => self.export(line)?,
                (Some(line), Form::Verbose) => self.verbose(&line),
                (Some(line), Form::Pretty) => self.pretty(&line),
            }
        }
        Ok(())
    }

    fn export(&mut self, mut line: Vec<u8>) -> io::Result<()> {
        // A copy that was saved on Windows.
        line.pop_if(|last| *last == b'\r');
        if line.is_empty() {
            self.write();
        } else if let Some(equals) = memchr::memchr(b'=', &line) {
            self.keep(&line[..equals], line[equals + 1..].to_vec());
        } else {
            match self.binary()? {
                Some(value) => self.keep(&line, value),
                None => self.ended = true,
            }
        }
        Ok(())
    }

    fn verbose(&mut self, line: &[u8]) {
        match line.strip_prefix(INDENT) {
            // What is indented more goes on with the field before.
            Some(field) if !field.starts_with(b" ") => {
                if let Some(equals) = memchr::memchr(b'=', field) {
                    self.keep(&field[..equals], field[equals + 1..].to_vec());
                }
            }
            Some(_) => {}
            None => {
                self.write();
                let end = memchr::memmem::find(line, b" [s=");
                self.time = end.map(|end| line[..end].to_vec());
            }
        }
    }

    fn pretty(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        let Some((object, is_kept)) = &mut self.object else {
            if line == b"[" || line == b"]" {
                return;
            }
            if line == b"{" {
                self.object = Some((line.to_vec(), false));
            } else {
                // Between the entries.
                self.pending.extend([line, b"\n"].concat());
            }
            return;
        };
        if line.starts_with(b"}") {
            let fields = object.strip_suffix(b",").unwrap_or(object);
            self.pending.extend([fields, b"}\n"].concat());
            self.object = None;
            return;
        }
        if let Some(key) = key(line) {
            *is_kept = FIELDS.iter().any(|name| name.as_bytes() == key);
        }
        if *is_kept && object.len() < LONGEST * FIELDS.len() {
            object.extend_from_slice(line);
        }
    }

    /// Writes the entry, if it has a message, and begins another.
    fn write(&mut self) {
        let (values, time) = (std::mem::take(&mut self.values), self.time.take());
        let message = FIELDS.len() - 1;
        if values[message].is_none() {
            return;
        }
        let fields = FIELDS.into_iter().zip(values).chain([("timestamp", time)]);
        let text = |bytes: Vec<u8>| serde_json::Value::from(String::from_utf8_lossy(&bytes));
        let object: serde_json::Map<_, _> =
            fields.filter_map(|(name, value)| Some((name.to_string(), text(value?)))).collect();
        self.pending.extend(format!("{}\n", serde_json::Value::from(object)).into_bytes());
    }
}

/// The key of a line `"KEY" : value,`. Elements of lists have no colon behind their quotes.
fn key(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"\"")?;
    let (key, rest) = rest.split_at(memchr::memchr(b'"', rest)?);
    rest[1..].trim_ascii_start().starts_with(b":").then_some(key)
}

impl<R: Read> Read for JournalText<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.entry()?;
        self.pending.read(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], form: Form) -> Vec<String> {
        let mut all = String::new();
        JournalText::new(text, form).read_to_string(&mut all).unwrap();
        all.lines().map(str::to_string).collect()
    }

    #[test]
    fn entries_of_the_export_format() {
        // A program's message of three lines, which look like an entry of the kernel.
        let forged = b"hello\n\n_TRANSPORT=kernel\nMESSAGE=IN=eth0 OUT= SRC=1.1.1.1";
        let mut text =
            b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795248000000000\n_TRANSPORT=syslog\nMESSAGE\n".to_vec();
        text.extend((forged.len() as u64).to_le_bytes());
        text.extend(forged);
        text.extend(b"\n\n__CURSOR=s=2\n_TRANSPORT=kernel\nMESSAGE=DROP IN=eth0\nPRIORITY=4\n");
        let read = lines(&text, Form::Export);
        assert_eq!(read.len(), 2);
        assert!(
            read[0].contains(r#""_TRANSPORT":"syslog""#) && read[0].contains(r"hello\n\n_TRANSPORT=kernel\n")
        );
        assert_eq!(read[1], r#"{"MESSAGE":"DROP IN=eth0","_TRANSPORT":"kernel"}"#);
        assert_eq!(form(&text), Some(Form::Export));
        let windows = b"__CURSOR=s=2\r\n_TRANSPORT=kernel\r\nMESSAGE=DROP IN=eth0\r\n\r\n__CURSOR=s=3\r\n";
        assert_eq!(lines(windows, Form::Export), [r#"{"MESSAGE":"DROP IN=eth0","_TRANSPORT":"kernel"}"#]);
    }

    #[test]
    fn a_length_that_the_text_does_not_have_takes_no_memory() {
        let mut text = b"_TRANSPORT=kernel\nMESSAGE\n".to_vec();
        text.extend(u64::MAX.to_le_bytes());
        text.extend(b"DROP IN=eth0");
        assert_eq!(lines(&text, Form::Export), Vec::<String>::new());
        assert_eq!(lines(b"_TRANSPORT=kernel\nMESSAGE\n\x01", Form::Export), Vec::<String>::new());
    }

    #[test]
    fn entries_of_the_verbose_format() {
        let text = "Sat 2026-11-21 08:00:00.123456 CET [s=1;i=2]\n    _TRANSPORT=syslog\n    MESSAGE=hello\n            \
                    _TRANSPORT=kernel\nSat 2026-11-21 08:00:01.123456 CET [s=1;i=3]\n    _TRANSPORT=kernel\n    \
                    MESSAGE=DROP IN=eth0\n";
        let read = lines(text.as_bytes(), Form::Verbose);
        assert_eq!(
            read[0],
            r#"{"MESSAGE":"hello","_TRANSPORT":"syslog","timestamp":"Sat 2026-11-21 08:00:00.123456 CET"}"#
        );
        assert_eq!(read.len(), 2);
        assert_eq!(form(text.as_bytes()), Some(Form::Verbose));
        // As systemd 245 writes it.
        let old = format!(
            "-- Logs begin at Sat 2026-11-21 07:00:00 CET, end at Sat 2026-11-21 09:00:00 CET. --\n{text}"
        );
        assert_eq!(form(old.as_bytes()), Some(Form::Verbose));
        assert_eq!(lines(old.as_bytes(), Form::Verbose), read);
        assert_eq!(form(b"-- Reboot --\n-- Logs begin"), None);
        assert_eq!(form(b"Nov 21 08:00:00 host kernel: [s=1]\n"), None);
    }

    #[test]
    fn entries_of_json_in_several_lines() {
        let entry = |transport: &str, message: &str| {
            format!(
                "{{\n\t\"_TRANSPORT\" : \"{transport}\",\n\t\"_SELINUX\" : [\n\t\t117,\n\t\t10\n\t],\n\t\"MESSAGE\" : {message},\n\t\"_UID\" : \"0\"\n}}\n"
            )
        };
        // A message of bytes, and one with lines that look like fields.
        let text = entry("kernel", "[\n\t\t73,\n\t\t78\n\t]")
            + &entry("syslog", r#""hello\n\t\"_TRANSPORT\" : \"kernel\",""#)
            + "-- No entries --\n"
            + "{\n  \"MESSAGE\": \"DROP IN=eth0\"\n}\n{\n\"MESSAGE\" : \"cut";
        assert_eq!(form(text.as_bytes()), Some(Form::Pretty));
        assert_eq!(
            lines(text.as_bytes(), Form::Pretty),
            [
                r#"{"_TRANSPORT" : "kernel","MESSAGE" : [73,78]}"#,
                r#"{"_TRANSPORT" : "syslog","MESSAGE" : "hello\n\t\"_TRANSPORT\" : \"kernel\","}"#,
                "-- No entries --",
                r#"{"MESSAGE": "DROP IN=eth0"}"#,
            ]
        );
        let list = format!(
            "[\n{}]\n",
            entry("kernel", "\"a\"").trim_end().to_owned() + ",\n" + &entry("kernel", "\"b\"")
        );
        assert_eq!(form(list.as_bytes()), Some(Form::Pretty));
        assert_eq!(
            lines(list.as_bytes(), Form::Pretty),
            [r#"{"_TRANSPORT" : "kernel","MESSAGE" : "a"}"#, r#"{"_TRANSPORT" : "kernel","MESSAGE" : "b"}"#]
        );
        let endless = format!("{{\n{}", "\"MESSAGE\" : [1,\n".repeat(100_000));
        assert_eq!(lines(endless.as_bytes(), Form::Pretty), Vec::<String>::new());
    }
}
