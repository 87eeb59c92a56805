//! The list of sources that many routers of the fleet saw -> sources. Takes text, gives all of the list or an error.
//! Pure.

use std::net::IpAddr;

use crate::event::Address;
use crate::guard::Source;

/// Most sources; a longer list is refused.
pub const MAX_SOURCES: usize = 4096;
/// Longest file, in bytes.
pub const MAX_BYTES: u64 = 256 << 10;

/// The list of sources that the fleet's server publishes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shared {
    /// Unix time.
    pub made: i64,
    /// In order, each once.
    pub sources: Vec<Source>,
}

/// Parses a list (docs/FLEET.md). The error is a sentence, which has no text of the list.
pub fn parse(text: &[u8]) -> Result<Shared, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is no text".to_string())?;
    let body = text.strip_suffix("end\n").ok_or("its last line is not 'end': it was cut")?;
    let mut lines = body.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let number = |text: &str| text.parse::<u32>().ok();
    let &["fwstat-shared", "1", made, count] = &head[..] else {
        return Err("its first line is not that of a list of format 1".into());
    };
    let (Some(made), Some(count)) = (number(made), number(count)) else {
        return Err("its first line has no time and number of lines".into());
    };
    if count as usize > MAX_SOURCES {
        return Err(format!("it has more than {MAX_SOURCES} sources"));
    }
    let mut sources = Vec::new();
    // One line more than stated is enough to refuse it.
    for (place, line) in lines.enumerate().take(count as usize + 1) {
        let mut words = line.split(' ');
        let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
        let numbers = [words.next(), words.next()].map(|word| word.and_then(number));
        let (Some(address), [Some(_), Some(_)], None) = (address, numbers, words.next()) else {
            return Err(format!("line {} is not an address and two numbers", place + 2));
        };
        sources.push(Source::of(Address::from(address)));
    }
    if sources.len() != count as usize {
        return Err("it has another number of lines than it says".into());
    }
    sources.sort_unstable();
    sources.dedup();
    Ok(Shared { made: made.into(), sources })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whole() {
        let list =
            parse(b"fwstat-shared 1 1764288000 3\n185.0.2.7 412 7\n2a00:db::9 120 3\n2a00:db::a 1 3\nend\n");
        let sources = vec![Source::V4(0xb900_0207), Source::V6(0x2a00_00db_0000_0000)];
        assert_eq!(list, Ok(Shared { made: 1_764_288_000, sources }));
        assert!(parse(b"fwstat-shared 1 1764288000 0\nend\n").unwrap().sources.is_empty());
    }

    #[test]
    fn a_list_with_anything_wrong_is_refused_whole() {
        let rows = |count: usize| "185.0.2.7 412 7\n".repeat(count);
        let million = format!("fwstat-shared 1 1764288000 1000000\n{}end\n", rows(1_000_000));
        let claims = format!("fwstat-shared 1 1764288000 4096\n{}end\n", rows(1_000_000));
        let mut texts: Vec<String> = [
            "",
            "end\n",
            "fwstat-shared 1 1764288000 1\n185.0.2.7 412 7\n",
            "fwstat-shared 1 1764288000 2\n185.0.2.7 412 7\nend\n",
            "fwstat-shared 1 1764288000 0\n185.0.2.7 412 7\nend\n",
            "fwstat-shared 2 1764288000 1\n185.0.2.7 412 7\nend\n",
            "fwstat-shared 1 1764288000 1 9\n185.0.2.7 412 7\nend\n",
            "fwstat-shared 1 -5 1\n185.0.2.7 412 7\nend\n",
            "fwstat-shared 1 99999999999 1\n185.0.2.7 412 7\nend\n",
            "<html>not found</html>",
        ]
        .map(String::from)
        .into();
        for row in [
            "0.0.0.0/0 1 3",
            "::/0 1 3",
            "185.0.2.7",
            "185.0.2.7 1",
            "185.0.2.7 1 2 3",
            "1e5 1 2",
            "}; flush 1 2",
            "",
        ] {
            texts.push(format!("fwstat-shared 1 1764288000 1\n{row}\nend\n"));
        }
        texts.extend([million, claims]);
        for text in texts {
            assert!(parse(text.as_bytes()).is_err(), "{}", &text[..text.len().min(100)]);
        }
        assert!(parse(&[0xff; 1000]).is_err() && parse(&[0; 1000]).is_err());
    }
}
