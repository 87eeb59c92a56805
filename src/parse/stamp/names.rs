//! Names of months as `journalctl` and browsers write them in other languages than English.

/// Beginnings of the names, for each month, without regard to ASCII case: `okt` is in `Okt`, `okt.` and `oktober`. The
/// longest that fits decides: Finnish `marras` is November. Croatian is left out: its `lis`, `lip` and `srp` are other
/// months than those of Polish and Czech.
const MONTHS: [&[&str]; 12] = [
    &["jan", "jän", "ene", "gen", "sty", "led", "янв", "яну", "oca", "tam", "ian", "січ", "ιαν"],
    &["feb", "fév", "fev", "lut", "úno", "фев", "şub", "hel", "лют", "φεβ"],
    &["mar", "mär", "mrt", "bře", "мар", "maa", "már", "бер", "μαρ", "μάρ", "mac"],
    &["apr", "avr", "abr", "kwi", "dub", "апр", "nis", "huh", "ápr", "кві", "απρ"],
    &["may", "mai", "mei", "maj", "mag", "kvě", "мая", "май", "máj", "tou", "тра", "μαι", "μαΐ", "μάι"],
    &[
        "jun", "juin", "giu", "cze", "čvn", "čen", "июн", "юни", "haz", "kes", "jún", "iun", "чер", "ιουν",
        "ιούν",
    ],
    &[
        "jul", "juil", "lug", "lip", "čvc", "čec", "июл", "юли", "tem", "hei", "júl", "iul", "лип", "ιουλ",
        "ιούλ",
    ],
    &["aug", "aoû", "ago", "sie", "srp", "авг", "ağu", "elo", "avg", "agu", "сер", "αυγ", "αύγ", "ogo"],
    &["sep", "set", "wrz", "zář", "сен", "сеп", "eyl", "syy", "sze", "вер", "σεπ"],
    &["oct", "okt", "out", "ott", "paź", "říj", "окт", "eki", "lok", "жов", "οκτ"],
    &["nov", "lis", "ноя", "ное", "kas", "marras", "noi", "лис", "νοε", "νοέ"],
    &["dec", "déc", "dez", "dic", "des", "gru", "pro", "дек", "ara", "jou", "гру", "δεκ", "dis"],
];
/// What follows the number of a month in Japanese, Chinese and Korean.
const MONTH_UNITS: [&str; 2] = ["月", "월"];

/// The month (1..=12) whose name `text` begins with, and where the name with its full stop ends: `Okt`, `déc.`,
/// `нояб.`, `11月`.
pub(super) fn month(text: &[u8]) -> Option<(u8, usize)> {
    let digits = text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 {
        let unit = MONTH_UNITS.iter().find(|unit| text[digits..].starts_with(unit.as_bytes()))?;
        let month = text[..digits].iter().fold(0, |sum, digit| sum * 10 + (digit - b'0'));
        return (1..=12).contains(&month).then_some((month, digits + unit.len()));
    }
    let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    let name = text.get(..letters).filter(|name| name.len() <= 24)?;
    let lower_case;
    let name = match name.is_ascii() {
        true => name,
        false => {
            lower_case = String::from_utf8_lossy(name).to_lowercase();
            lower_case.as_bytes()
        }
    };
    let begins = |known: &&&str| {
        name.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes()))
    };
    let longest = |names: &[&str]| names.iter().filter(begins).map(|known| known.len()).max();
    let (_, month) =
        MONTHS.iter().zip(1..).filter_map(|(names, month)| Some((longest(names)?, month))).max()?;
    let dot = usize::from(text.get(letters) == Some(&b'.'));
    Some((month, letters + dot))
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
            ("9월 20", Some((9, 4))),
            ("marras 20", Some((11, 6))),
            ("maalis 20", Some((3, 6))),
            ("Νοε 20", Some((11, 6))),
            ("лист. 2026", Some((11, 9))),
            ("čec 20", Some((7, 4))),
            ("čen 20", Some((6, 4))),
            ("ное 20", Some((11, 6))),
            ("13月 20", None),
            ("111月", None),
            ("xyz 20", None),
            ("", None),
        ] {
            assert_eq!(month(text.as_bytes()), expected, "{text}");
        }
    }
}
