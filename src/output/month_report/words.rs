//! The words of the monthly report, in English and Japanese: each constant is a heading, a word of a table's head or a
//! sentence of the report.

use crate::query::answer::AnomalyRow;

use super::super::anomaly_table::service_name;
use super::super::cells::{count, mean};

/// A language of the month's report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    English,
    Japanese,
}

/// A text in English and in Japanese.
pub(super) type Text = (&'static str, &'static str);

pub(super) const TITLE: Text = ("Refused connection attempts", "拒否した接続の試み");
pub(super) const DAYS: Text = ("Day by day", "日ごと");
pub(super) const HOURS: Text = ("Hours of the day", "時間帯ごと");
pub(super) const SERVICES: Text = ("What was tried", "試されたもの");
pub(super) const COUNTRIES: Text = ("Countries", "国");
pub(super) const SOURCES: Text = ("Sources", "送信元");
pub(super) const ANOMALIES: Text = ("Anomalies", "ふだんと違うもの");
pub(super) const CHANGED: Text = ("What changed", "変わったこと");
pub(super) const CARE: Text = ("Needs attention", "注意が必要なこと");
pub(super) const BLOCKED: Text = ("What was blocked", "ブロックしたもの");
pub(super) const ADVICE: Text = ("What it is, and what to do", "説明と対策");
pub(super) const NOTES: Text = ("Notes", "注記");
pub(super) const SERVICE: Text = ("service", "サービス");
pub(super) const ATTEMPTS: Text = ("attempts", "回数");
pub(super) const SHARE: Text = ("share", "割合");
pub(super) const DIFFERENT: Text = ("different sources", "送信元の数");
pub(super) const COUNTRY: Text = ("country", "国");
pub(super) const ADDRESS: Text = ("address", "アドレス");
pub(super) const NONE: Text = ("No anomalies on any day.", "ふだんと違う日はありませんでした。");
pub(super) const NO_COUNTRIES: Text = ("Countries were not measured", "国は測定されていません");
pub(super) const UNKNOWN_COUNTRY: Text = ("unknown", "不明");
pub(super) const FROM: Text = ("Sources", "出典");
pub(super) const REGISTRATION: Text = (
    "A country is where an address range is registered, not who is behind an attack.",
    "国はアドレスの登録先で、攻撃者の所在地や正体を示すものではありません。",
);
pub(super) const FORGED: Text = (
    "A packet's source address can be forged, above all with UDP.",
    "送信元アドレスは偽ることができ、特にUDPではよくあります。",
);
pub(super) const MASKED: Text = ("Addresses are shortened.", "アドレスは一部を伏せています。");
pub(super) const INCOMPLETE: Text = ("Incomplete", "不完全");

pub(super) const NO_MONTH_BEFORE: Text = ("The month before is not stored.", "前月の記録はありません。");
pub(super) const UNCHANGED: Text = (
    "No port was tried twice or half as often as in the month before.",
    "前月の2倍以上、または半分以下になったポートはありません。",
);
pub(super) const NO_CARE: Text = (
    "Nothing: no attacked port is open, as far as is known.",
    "ありません（分かっている範囲では、攻撃されて開いているポートはありません）。",
);

impl Language {
    /// Its code in ISO 639-1.
    pub fn code(self) -> &'static str {
        self.pick(("en", "ja"))
    }

    /// The language of a code.
    pub fn from_name(name: &str) -> Option<Language> {
        [Language::English, Language::Japanese].into_iter().find(|language| language.code() == name)
    }

    /// An answer's sentences, joined by `; `, in this language.
    pub fn sentences(self, english: &str) -> String {
        match self {
            Language::English => english.to_string(),
            Language::Japanese => super::reasons::in_japanese(english),
        }
    }

    /// The text in this language.
    pub(super) fn pick(self, (english, japanese): Text) -> &'static str {
        match self {
            Language::English => english,
            Language::Japanese => japanese,
        }
    }

    /// A sentence about an anomaly.
    pub fn anomaly(self, row: &AnomalyRow) -> String {
        match self {
            Language::English => super::super::anomaly_table::notice(row),
            Language::Japanese => {
                let usual = if row.expected < 0.5 {
                    "0回".to_string()
                } else {
                    format!("約{}回", mean(row.expected))
                };
                format!("{}：{}に{}回、ふだんは{usual}", service_name(row), row.date, count(row.attempts))
            }
        }
    }
}
