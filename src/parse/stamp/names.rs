//! Names of months as `journalctl` and browsers write them in other languages than English.

/// Beginnings of the names, for each month, without regard to ASCII case: `okt` is in `Okt`, `okt.` and `oktober`.
/// Only what no other language in the table uses for another month.
const MONTHS: [&[&str]; 12] = [
    &["jan", "jän", "ene", "gen", "sty", "led", "янв", "oca", "tam"],
    &["feb", "fév", "fev", "lut", "úno", "фев", "şub", "hel"],
    &["mar", "mär", "mrt", "bře", "мар", "maa", "már"],
    &["apr", "avr", "abr", "kwi", "dub", "апр", "nis", "huh", "ápr"],
    &["may", "mai", "mei", "maj", "mag", "kvě", "мая", "май", "máj", "tou"],
    &["jun", "juin", "giu", "cze", "čvn", "июн", "haz", "kes", "jún"],
    &["jul", "juil", "lug", "lip", "čvc", "июл", "tem", "hei", "júl"],
    &["aug", "aoû", "ago", "sie", "srp", "авг", "ağu", "elo"],
    &["sep", "set", "wrz", "zář", "сен", "eyl", "syy", "sze"],
    &["oct", "okt", "out", "ott", "paź", "říj", "окт", "eki", "lok"],
    &["nov", "lis", "ноя", "kas"],
    &["dec", "déc", "dez", "dic", "des", "gru", "pro", "дек", "ara", "jou"],
];

/// The month (1..=12) whose name `text` begins with, and where the name with its full stop ends: `Okt`, `déc.`,
/// `нояб.`, `11月`.
pub(super) fn month(text: &[u8]) -> Option<(u8, usize)> {
    let digits = text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 {
        let end = digits + "月".len();
        let month = text[..digits].iter().fold(0, |sum, digit| sum * 10 + (digit - b'0'));
        let is_month = (1..=2).contains(&digits) && (1..=12).contains(&month);
        return (is_month && text[digits..].starts_with("月".as_bytes())).then_some((month, end));
    }
    let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    let name = text.get(..letters).filter(|name| name.len() <= 24)?;
    let begins = |known: &&str| {
        name.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes()))
    };
    let index = MONTHS.iter().position(|names| names.iter().any(begins))?;
    let dot = usize::from(text.get(letters) == Some(&b'.'));
    Some((index as u8 + 1, letters + dot))
}

/// The end of a word of letters that may be a day of the week in any language.
pub(super) fn weekday(text: &[u8]) -> Option<usize> {
    let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    if !(1..=16).contains(&letters) {
        return None;
    }
    Some(letters + usize::from(text.get(letters) == Some(&b'.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_of_other_languages() {
        for (text, expected) in [
            ("Okt 20", Some((10, 3))),
            ("Dez 01", Some((12, 3))),
            ("Mär 01", Some((3, 4))),
            ("nov. 2026", Some((11, 4))),
            ("déc. 2026", Some((12, 5))),
            ("juil. 1", Some((7, 5))),
            ("juin 1", Some((6, 4))),
            ("нояб. 2026", Some((11, 9))),
            ("11月 20", Some((11, 5))),
            ("13月 20", None),
            ("111月", None),
            ("xyz 20", None),
            ("", None),
        ] {
            assert_eq!(month(text.as_bytes()), expected, "{text}");
        }
    }
}
