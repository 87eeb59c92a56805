//! UCI text -> sections with their settings and line numbers, as libuci reads it (uci, file.c).
//!
//! Takes a text, gives sections and faults. Knows no option.

/// `config KIND 'NAME'` and the settings below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    pub kind: String,
    /// `None` for an anonymous section.
    pub name: Option<String>,
    pub line: u32,
    pub settings: Vec<Setting>,
}

impl Section {
    /// The value of an option; of several the last.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut named = self.settings.iter().rev().filter(|setting| setting.name == name);
        named.next().map(|setting| setting.value.as_str())
    }

    /// The words of an option or a list: an `option` replaces, a `list` adds; both can have several words.
    pub(crate) fn words(&self, name: &str) -> Vec<&str> {
        let mut words = Vec::new();
        for setting in self.settings.iter().filter(|setting| setting.name == name) {
            if !setting.list {
                words.clear();
            }
            words.extend(setting.value.split_ascii_whitespace());
        }
        words
    }
}

/// `option NAME VALUE` or `list NAME VALUE`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    pub name: String,
    pub value: String,
    pub list: bool,
    pub line: u32,
}

/// A line that could not be parsed and is skipped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// From 1 on.
    pub line: u32,
    pub what: String,
    /// Whether it is an `option` or `list` line.
    pub setting: bool,
}

/// Most faults that are reported; a file with more is not a UCI file.
const MAX_FAULTS: usize = 200;

/// Reads a whole file.
pub fn parse(text: &str) -> (Vec<Section>, Vec<Fault>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text: text.as_bytes(), at: 0, whole_lines: false };
    let (mut sections, mut faults) = (Vec::new(), Vec::new());
    let (mut line, mut counted) = (1, 0);
    while reader.next_statement() {
        let start = reader.at;
        line += memchr::memchr_iter(b'\n', &reader.text[counted..start]).count() as u32;
        counted = start;
        if let Err(what) = reader.statement(line, &mut sections) {
            let command = reader.text[start..].split(|c| is_space(*c)).next().unwrap_or_default();
            let setting = matches!(command, b"option" | b"o" | b"list" | b"l");
            match faults.get_mut(MAX_FAULTS - 1) {
                None => faults.push(Fault { line, what, setting }),
                Some(last) => {
                    let what = "this line and others before it cannot be read".into();
                    *last = Fault { line, what, setting: false };
                }
            }
            if reader.text[start..reader.at].contains(&b'\n') {
                // Probably a missing quote: the lines within the quotes are parsed again one by one.
                (reader.at, reader.whole_lines) = (start, true);
            }
            reader.skip_line();
        }
    }
    (sections, faults)
}

/// A text and the place up to which it is read.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// After a missing quote: from there on quotes end on their line, so that one line is lost, and every line is
    /// parsed at most twice.
    whole_lines: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip(&mut self, is_skipped: fn(u8) -> bool) {
        while self.peek().is_some_and(is_skipped) {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        self.skip(|c| c != b'\n');
    }

    /// Goes to the next command; false at the end of the text.
    fn next_statement(&mut self) -> bool {
        loop {
            match self.peek() {
                None => return false,
                Some(b'#') => self.skip_line(),
                Some(c) if c == b';' || is_space(c) => self.at += 1,
                Some(_) => return true,
            }
        }
    }

    fn statement(&mut self, line: u32, sections: &mut Vec<Section>) -> Result<(), String> {
        let start = self.at;
        self.skip(|c| !is_space(c) && c != b';');
        match &self.text[start..self.at] {
            b"package" | b"p" => {
                self.argument()?.ok_or("'package' needs a name")?;
                self.end()
            }
            b"config" | b"c" => {
                let kind = self.argument()?.ok_or("'config' needs a type")?;
                if kind.is_empty() || !kind.bytes().all(|c| c.is_ascii_graphic()) {
                    return Err(format!("'{}' is no section type", shown(&kind)));
                }
                let name = self.argument()?.filter(|name| !name.is_empty());
                if let Some(name) = &name {
                    check_name(name)?;
                }
                self.end()?;
                sections.push(Section { kind, name, line, settings: Vec::new() });
                Ok(())
            }
            command @ (b"option" | b"o" | b"list" | b"l") => {
                let list = command[0] == b'l';
                let name = self.argument()?.ok_or("the option's name is missing")?;
                check_name(&name)?;
                let value = self.argument()?.unwrap_or_default();
                self.end()?;
                let section = sections.last_mut().ok_or("an option before the first 'config' line")?;
                section.settings.push(Setting { name, value, list, line });
                Ok(())
            }
            other => Err(format!(
                "'{}' is no UCI command (expected config, option or list)",
                shown(&String::from_utf8_lossy(other))
            )),
        }
    }

    /// The next word of this statement, quotes and escapes resolved.
    fn argument(&mut self) -> Result<Option<String>, String> {
        self.skip(|c| c != b'\n' && is_space(c));
        if matches!(self.peek(), None | Some(b'\n' | b';' | b'#')) {
            return Ok(None);
        }
        let (mut word, mut quote) = (Vec::new(), None);
        while let Some(c) = self.peek() {
            match (quote, c) {
                (None | Some(b'"'), b'\\') => {
                    self.escaped(&mut word);
                    continue;
                }
                (Some(open), c) if c == open => quote = None,
                (Some(_), b'\n') if self.whole_lines => break,
                (Some(_), c) => word.push(c),
                (None, b'\'' | b'"') => quote = Some(c),
                (None, b'#' | b';') => break,
                (None, c) if is_space(c) => break,
                (None, c) => word.push(c),
            }
            self.at += 1;
        }
        if let Some(quote) = quote {
            return Err(format!("a quote ({}) is opened and never closed", char::from(quote)));
        }
        // Only complete characters were copied, with or without a backslash before them.
        Ok(Some(String::from_utf8_lossy(&word).into_owned()))
    }

    /// A backslash takes the next character as it is; at the end of a line it joins the next line.
    fn escaped(&mut self, word: &mut Vec<u8>) {
        self.at += 1;
        match &self.text[self.at..] {
            [b'\r', b'\n', ..] => self.at += 2,
            [b'\n', ..] => self.at += 1,
            [c, ..] => {
                word.push(*c);
                self.at += 1;
            }
            [] => {}
        }
    }

    fn end(&mut self) -> Result<(), String> {
        match self.argument()? {
            Some(extra) if !extra.is_empty() => {
                Err(format!("'{}' is one word too many: put a value with blanks in quotes", shown(&extra)))
            }
            _ => Ok(()),
        }
    }
}

fn check_name(name: &str) -> Result<(), String> {
    if !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-') {
        return Ok(());
    }
    Err(format!("'{}' is no name (letters, digits and _ only)", shown(name)))
}

/// `text` escaped for one line of a message.
pub fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let mut shown: String = text.chars().take(MAX_CHARS).collect::<String>().escape_debug().to_string();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push_str("...");
    }
    shown
}

fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One line per section, setting and fault.
    fn read(text: &str) -> String {
        let (sections, faults) = parse(text);
        let mut out = String::new();
        for section in sections {
            let name = section.name.as_deref().unwrap_or("-");
            out += &format!("{} config {} {name}\n", section.line, section.kind);
            for Setting { name, value, list, line } in section.settings {
                out += &format!("{line} {} {name} = {value:?}\n", if list { "list" } else { "option" });
            }
        }
        for fault in faults {
            out += &format!("{} fault: {}\n", fault.line, fault.what);
        }
        out
    }

    #[test]
    fn every_way_to_write_a_value() {
        let text = r#"# a comment
package fwstat

config fwstat 'main'   # another
	option a 'one two'
	option b "three \"four\" \\ 'five'"
	option c six	# seven
	option d se'v e'"n "up
	option e eight\ nine
	option f 'it'\''s'
	option g 'back\slash'
	list h 1
	list h '2'
	option i 'über'
	option j ''
	option k
	option l ten#eleven
	option m '#;'
config guard
	option n 1; option o 2
c guard x
	o p 3
	l q 4
	option r one\
two
	option s 'last'"#;
        let expected = r##"4 config fwstat main
5 option a = "one two"
6 option b = "three \"four\" \\ 'five'"
7 option c = "six"
8 option d = "sev en up"
9 option e = "eight nine"
10 option f = "it's"
11 option g = "back\\slash"
12 list h = "1"
13 list h = "2"
14 option i = "über"
15 option j = ""
16 option k = ""
17 option l = "ten"
18 option m = "#;"
19 config guard -
20 option n = "1"
20 option o = "2"
21 config guard x
22 option p = "3"
23 list q = "4"
24 option r = "onetwo"
26 option s = "last"
"##;
        assert_eq!(read(text), expected);
        // The same with DOS line ends and a byte order mark.
        assert_eq!(read(&format!("\u{feff}{}", text.replace('\n', "\r\n"))), expected);
    }

    #[test]
    fn a_bad_line_is_named_and_the_rest_is_read() {
        let text = "option early 1\nconfig fwstat 'main'\n\toption a b c\n\toptions d 1\n\toption e=1 x\n\
                    \toption f 'open\n\toption g 2\nconfig \"a b\"\nconfig\n\tlist\n\toption h '3'x\n";
        assert_eq!(
            read(text),
            r#"2 config fwstat main
7 option g = "2"
11 option h = "3x"
1 fault: an option before the first 'config' line
3 fault: 'c' is one word too many: put a value with blanks in quotes
4 fault: 'options' is no UCI command (expected config, option or list)
5 fault: 'e=1' is no name (letters, digits and _ only)
6 fault: a quote (') is opened and never closed
8 fault: 'a b' is no section type
9 fault: 'config' needs a type
10 fault: the option's name is missing
"#
        );
    }

    #[test]
    fn a_value_may_span_lines() {
        let text = "config a\n\toption b 'one\ntwo'\n\toption c \"three\nfour\"\n\toption d 5\n";
        let expected =
            "1 config a -\n2 option b = \"one\\ntwo\"\n4 option c = \"three\\nfour\"\n6 option d = \"5\"\n";
        assert_eq!(read(text), expected);
    }

    #[test]
    fn forgotten_quotes_cost_time_in_line_with_the_text() {
        let text = "option a 'b\n".repeat(50_001);
        let (_, faults) = parse(&format!("config x\n{text}"));
        assert!(!faults.is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,200}", noise in "[\"'\\\\ \n\r;#a]{0,60}") {
            parse(&text);
            parse(&format!("config a\n option {noise}{text}"));
        }

        #[test]
        fn what_uci_would_export_comes_back(value in "\\PC{0,40}") {
            let quoted = value.replace('\'', "'\\''");
            let (sections, faults) = parse(&format!("config a\n\toption b '{quoted}'\n"));
            prop_assert_eq!(faults, vec![]);
            prop_assert_eq!(&sections[0].settings[0].value, &value);
        }
    }
}
