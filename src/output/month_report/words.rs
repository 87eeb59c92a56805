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

/// A text in English and in Japanese; `{0}`, `{1}`, ... stand for what [`Language::say`] puts in.
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

pub(super) const HEADLINE: Text = (
    "The firewall refused {0} connection attempts in {1} days: {2} a day{3}.",
    "ファイアウォールは{1}日間に{0}回の接続の試みを拒否しました（1日あたり{2}回{3}）。",
);
pub(super) const HEADLINE_SOURCES: Text = (", from {0} different sources", "、送信元は{0}個");
pub(super) const AGAINST_MONTH: Text =
    (" Against the month before: {0} a day.", "1日あたりの前月比は{1}倍です。");
pub(super) const AGAINST_YEAR: Text = (" Against the same month a year ago: {0}.", "前年同月比は{1}倍です。");
pub(super) const WITHOUT_ONE: Text = (
    " Without one anomalous service and day: {1} a day.",
    "ふだんと違う{0}件（サービスと日）を除くと1日あたり{1}回です。",
);
pub(super) const WITHOUT_SEVERAL: Text =
    (" Without {0} anomalous services and days: {1} a day.", WITHOUT_ONE.1);
pub(super) const CHANGE: Text = ("{0}: {1} attempts, {2} in the month before.", "{0}：{1}回、前月は{2}回。");
pub(super) const OPEN_PORT: Text = (
    "Port {0} {1} is open to the Internet ({2}) and was tried {3} times: close it if nobody needs it.",
    "ポート{0} {1}はインターネットに開いていて（{2}）、{3}回試されました。不要なら閉じてください。",
);
pub(super) const DEVICE: Text = (
    "The device {0} tried {1} times to reach what the firewall refuses: look whether it is infected.",
    "機器{0}は、拒否される接続を{1}回試みました。感染していないか確かめてください。",
);
pub(super) const LOGINS: Text = (
    "Logins failed {0} times: use keys instead of passwords.",
    "ログインの失敗が{0}回ありました。パスワードではなく鍵を使ってください。",
);
pub(super) const AT_LEAST: Text = ("at least ", "以上");
pub(super) const NO_SOURCE_BLOCKED: Text = ("No source was blocked.", "ブロックした送信元はありません。");
pub(super) const BLOCKED_SOURCES: Text = (
    "Blocked sources: {0}{1} (floods {2}, scans {3}, failed logins {4}, by hand {5}).",
    "{1}個{0}の送信元をブロックしました（大量送信{2}、スキャン{3}、ログイン失敗{4}、手動{5}）。",
);
pub(super) const BLOCKED_NETWORKS: Text =
    ("Blocked networks and countries: {0}{1}.", "{1}個{0}のネットワークと国をブロックしました。");
const USUALLY_NONE: &str = "{0}：{1}に{2}回、ふだんは0回";
const USUALLY_ABOUT: &str = "{0}：{1}に{2}回、ふだんは約{3}回";

/// The text with the parts in place of `{0}`, `{1}`, ...
pub(super) fn filled(text: &str, parts: &[&str]) -> String {
    let (begin, rest) = text.split_once('{').unwrap_or((text, ""));
    let mut filled = begin.to_string();
    for piece in rest.split('{') {
        let (number, text) = piece.split_once('}').unwrap_or_default();
        let part = number.parse().ok().and_then(|number: usize| parts.get(number));
        filled.extend([part.copied().unwrap_or_default(), text]);
    }
    filled
}

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

    /// The text in this language, with the parts in place of `{0}`, `{1}`, ...
    pub(super) fn say(self, text: Text, parts: &[&str]) -> String {
        filled(self.pick(text), parts)
    }

    /// A sentence about an anomaly.
    pub fn anomaly(self, row: &AnomalyRow) -> String {
        match self {
            Language::English => super::super::anomaly_table::notice(row),
            Language::Japanese => {
                let text = if row.expected < 0.5 { USUALLY_NONE } else { USUALLY_ABOUT };
                let (date, attempts) = (row.date.to_string(), count(row.attempts));
                filled(text, &[&service_name(row), &date, &attempts, &mean(row.expected)])
            }
        }
    }
}
