//! JSON text (RFC 8259), read once from front to end without a tree of its values: what is not wanted is passed over.
//!
//! Every step gives `None` where the text is no JSON or not what was asked for, and then nothing more can be read.

/// Nesting that is followed; deeper text is refused.
const MAX_DEPTH: u8 = 64;

/// A cursor over JSON text (RFC 8259) that builds no tree.
pub struct Reader<'a> {
    bytes: &'a [u8],
    depth: u8,
}

impl<'a> Reader<'a> {
    /// At the beginning of `bytes`, whose validity is found out while they are read.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, depth: 0 }
    }

    /// The next byte that is no space, which stays.
    fn peek(&mut self) -> Option<u8> {
        while let Some((b' ' | b'\t' | b'\n' | b'\r', rest)) = self.bytes.split_first() {
            self.bytes = rest;
        }
        self.bytes.first().copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.bytes = &self.bytes[1..])
    }

    /// Whether a text begins here.
    pub fn at_text(&mut self) -> bool {
        self.peek() == Some(b'"')
    }

    /// Whether a list begins here.
    pub fn at_list(&mut self) -> bool {
        self.peek() == Some(b'[')
    }

    /// Whether a number that is not negative begins here.
    pub fn at_digit(&mut self) -> bool {
        self.peek().is_some_and(|byte| byte.is_ascii_digit())
    }

    /// Reads a table; `each` reads the value of every key.
    pub fn table(&mut self, each: &mut dyn FnMut(&mut Reader<'a>, &str) -> Option<()>) -> Option<()> {
        self.within(b'{', b'}', &mut |reader| {
            let key = reader.text()?;
            reader.take(b':')?;
            each(reader, &key)
        })
    }

    /// Reads a list; `each` reads every item.
    pub fn list(&mut self, each: &mut dyn FnMut(&mut Reader<'a>) -> Option<()>) -> Option<()> {
        self.within(b'[', b']', each)
    }

    fn within(
        &mut self,
        open: u8,
        close: u8,
        each: &mut dyn FnMut(&mut Reader<'a>) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        if self.peek()? != close {
            each(self)?;
            while self.peek()? == b',' {
                self.take(b',')?;
                each(self)?;
            }
        }
        self.depth -= 1;
        self.take(close)
    }

    /// Reads a text.
    pub fn text(&mut self) -> Option<String> {
        self.take(b'"')?;
        let mut text = Vec::new();
        loop {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            match byte {
                b'"' => return String::from_utf8(text).ok(),
                b'\\' => text.extend_from_slice(self.escaped()?.encode_utf8(&mut [0; 4]).as_bytes()),
                0..0x20 => return None,
                _ => text.push(byte),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let (&byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(match byte {
            b'"' | b'\\' | b'/' => byte.into(),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.unit()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high);
                }
                // The second half of a pair.
                self.bytes = self.bytes.strip_prefix(b"\\u")?;
                let low = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + low);
            }
            _ => return None,
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let (digits, rest) = self.bytes.split_at_checked(4)?;
        self.bytes = rest;
        digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
    }

    /// Digits, one at least.
    fn digits(&mut self) -> Option<&'a [u8]> {
        let length = self.bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        (length > 0).then_some(digits)
    }

    /// Reads a whole number.
    pub fn count(&mut self) -> Option<u64> {
        self.peek()?;
        let digits = self.digits()?;
        if matches!(self.bytes.first(), Some(b'.' | b'e' | b'E')) || (digits[0] == b'0' && digits.len() > 1) {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// Passes over one value, whatever it is.
    pub fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'{' => self.table(&mut |reader, _| reader.skip()),
            b'[' => self.list(&mut |reader| reader.skip()),
            b'"' => self.text().map(drop),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    /// The text of one value, whatever it is.
    pub fn raw(&mut self) -> Option<&'a [u8]> {
        self.peek();
        let bytes = self.bytes;
        self.skip()?;
        Some(&bytes[..bytes.len() - self.bytes.len()])
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes = self.bytes.strip_prefix(word)?;
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        self.bytes = self.bytes.strip_prefix(b"-").unwrap_or(self.bytes);
        let whole = self.digits()?;
        if whole[0] == b'0' && whole.len() > 1 {
            return None;
        }
        if let Some(rest) = self.bytes.strip_prefix(b".") {
            self.bytes = rest;
            self.digits()?;
        }
        if let Some((b'e' | b'E', rest)) = self.bytes.split_first() {
            self.bytes = rest.strip_prefix(b"-").or(rest.strip_prefix(b"+")).unwrap_or(rest);
            self.digits()?;
        }
        Some(())
    }

    /// Nothing but spaces is left.
    pub fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_json(text: &[u8]) -> bool {
        let mut reader = Reader::new(text);
        reader.skip().is_some() && reader.end().is_some()
    }

    #[test]
    fn text_is_taken_out_of_its_escapes() {
        let read = |text: &str| Reader::new(text.as_bytes()).text();
        assert_eq!(read(r#" "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é" "#).unwrap(), "a\"\\/\x08\x0c\n\r\té😀é");
        for wrong in
            [r#""a"#, r#""\x""#, r#""\u12"#, r#""\ud83d""#, r#""\ud83dé""#, r#""\ud83d\u0041""#, "\"\n\""]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn whole_numbers() {
        let read = |text: &str| Reader::new(text.as_bytes()).count();
        assert_eq!(read(" 18446744073709551615,"), Some(u64::MAX));
        for wrong in ["18446744073709551616", "-1", "1.5", "1e3", "01", "\"1\"", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_json(nested(MAX_DEPTH.into()).as_bytes()));
        assert!(!is_json(nested(usize::from(MAX_DEPTH) + 1).as_bytes()));
        assert!(!is_json("[".repeat(1 << 20).as_bytes()));
    }

    proptest! {
        #[test]
        fn what_is_json_is_decided_as_elsewhere(
            text in r#"([ \[\]{}:,"0-9eE+.-]|\\|\\u00|"a"|true|false|null|\{"k":|"[^"]*"|-?[0-9]{1,3}){0,12}"#,
        ) {
            // Numbers beyond what a float holds are refused there only.
            let known = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(is_json(text.as_bytes()), known, "{}", text);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            is_json(&bytes);
        }
    }
}
