//! Sentences of the answers in Japanese: why one is incomplete, and what leaves a port open. Answers hold them in
//! English, joined by `; `.

use super::words::filled;

/// A sentence and its translation. `{}` is any text, `#` a number; `{0}` is the first of them.
type Pattern = (&'static str, &'static str);

static PATTERNS: &[Pattern] = &[
    (
        "up to # packets {} are in no figure: lost before they were read (entries of the log count as packets), or \
         refused where only their number is known",
        "最大{0}個のパケット（{1}）はどの数値にも含まれていません。読み取り前に失われたか（ログの行もパケットとして数えます）、\
         数だけが分かる場所で拒否されました",
    ),
    ("on {}", "{0}"),
    ("in {}", "{0}"),
    (
        "of {} only the whole month is stored, not its days",
        "{0}は月全体の集計のみが保存されており、日ごとの記録はありません",
    ),
    ("{} with up to # attempts can be missing", "試行が{1}回以下の{0}は欠けている可能性があります"),
    ("the attempts of some {} can be up to # too low", "一部の{0}の試行数は最大{1}回少ない可能性があります"),
    (
        "countries with up to # attempts can be missing or too low",
        "試行が{0}回以下の国は欠けているか、少ない可能性があります",
    ),
    ("sources with up to # attempts are not stored", "試行が{0}件以下の送信元は保存されていません"),
    (
        "days with up to # such attempts are left out: too few to be stored",
        "該当する試行が{0}件以下の日は、少なすぎて保存されないため除かれています",
    ),
    (
        "the hours of # attempts are not stored: services and sources have theirs in the newest months, and only where \
         they are among the day's heaviest",
        "{0}件の試行の時刻は保存されていません。サービスと送信元の時刻は最新の月に限り、その日の上位のものだけが保存されます",
    ),
    (
        "of # attempts it is not known, or no longer kept, which rule logged them",
        "{0}件の試行は、どのルールがログに取ったかが不明か、もう保存されていません",
    ),
    (
        "the countries of # attempts are not known: too many sources",
        "{0}件の試行の国は不明です：送信元が多すぎます",
    ),
    (
        "# days are left out: there was no country database when they ended",
        "{0}日分は含まれません：その日の終わりに国データベースがありませんでした",
    ),
    (
        "the countries of these days were not measured: there was no country database when they ended",
        "これらの日の国は調べられていません：日の終わりに国データベースがありませんでした",
    ),
    (
        "countries are looked up of attempts and failed logins only",
        "国が調べられるのは試行とログイン失敗だけです",
    ),
    ("no country database", "国データベースがインストールされていません"),
    ("no AS database", "ASデータベースがありません"),
    (
        "the networks of # attempts are not known: their sources have no row",
        "{0}件の試行のネットワークは不明です：送信元が個別に記録されていません",
    ),
    ("older events are no longer held", "これより古いイベントは残っていません"),
    (
        "# lines of the log were taken for copies of NFLOG's packets: too many came at once to compare",
        "ログの{0}行はNFLOGのパケットと重複するとみなしました：一度に多く届いたため比較できませんでした",
    ),
    ("and # more reasons", "ほか{0}件の理由"),
    (
        "a daemon writes to this store and has newer events in memory: ask it without --db",
        "デーモンがこのストアに書き込んでいて、より新しいイベントをメモリーに持っています（--dbなしで尋ねてください）",
    ),
    // What the firewall refuses unseen.
    (
        "{}: # packets were refused today that are known only as a sum",
        "{0}：今日{1}個のパケットが拒否されました（合計だけが分かります）",
    ),
    ("{}: what is refused there is not counted", "{0}：ここで拒否されたものは数えられていません"),
    // Places that share a counter; the first is what stands before the last.
    ("{} and forwarding from zone {}", "{0}とゾーン{1}からの転送"),
    ("{} and drop_invalid (chain {})", "{0}とdrop_invalid（チェーン{1}）"),
    ("NFLOG is not read", "NFLOGは読み取られていません"),
    ("rules that cannot be listed", "一覧を取得できないルール"),
    ("the SYN flood protection (chain syn_flood)", "SYNフラッド保護（チェーンsyn_flood）"),
    ("drop_invalid (chain {})", "drop_invalid（チェーン{0}）"),
    ("the input policy of zone {}", "ゾーン{0}の入力ポリシー"),
    ("forwarding from zone {}", "ゾーン{0}からの転送"),
    ("the forward policy of zone {} for its own interfaces", "ゾーン{0}内のインターフェース間の転送ポリシー"),
    ("rule '{}' (at most)", "ルール「{0}」（最大で）"),
    ("rule '{}'", "ルール「{0}」"),
    ("a rule in chain {} (at most)", "チェーン{0}のルール（最大で）"),
    ("a rule in chain {}", "チェーン{0}のルール"),
    ("table {} {}", "テーブル{0} {1}"),
    ("the policy of chain {} in table {} {}", "テーブル{1} {2}のチェーン{0}のポリシー"),
    ("rules beyond the first #", "最初の{0}件より後のルール"),
    // What leaves a port open.
    ("redirect '{}'", "ポート転送「{0}」"),
    ("rule on line #", "{0}行目のルール"),
    ("redirect on line #", "{0}行目のポート転送"),
    ("the zone's policy", "ゾーンのポリシー"),
    // Files of the store.
    ("{} is damaged: {}", "{0}は壊れています（{1}）"),
    ("what is readable of it is used", "読める部分を使っています"),
    (
        "what is readable of it is used, the file is set aside as {}",
        "読める部分を使っています。ファイルは{0}として残してあります",
    ),
    (
        "{} was written by a newer fwstat (format #, this one reads up to #): it is left as it is",
        "{0}は新しい版のfwstatが書いたものです（形式{1}、この版が読めるのは{2}まで）。そのまま残します",
    ),
    ("use the newer fwstat", "新しい版のfwstatを使ってください"),
    ("cannot read {}: {}", "{0}を読めません：{1}"),
    ("cannot list the store: {}", "統計のファイルの一覧を読めません：{0}"),
    ("the stored days cannot be read: {}", "保存された日を読めません：{0}"),
    ("the store changed while it was read", "読み取り中にストアが変わりました"),
    ("contains an invalid record", "無効な行があります"),
    ("it is missing", "ファイルがありません"),
    ("not a file of fwstat", "fwstatのファイルではありません"),
    ("the header's checksum does not match", "ヘッダーのチェックサムが合いません"),
    ("the checksum of a section does not match", "セクションのチェックサムが合いません"),
    ("a section is missing", "セクションがありません"),
    ("a section is too long", "セクションが長すぎます"),
    ("a section is too short", "セクションが短すぎます"),
    ("a section cannot be read", "読めない部分があります"),
    ("a section cannot be decompressed", "セクションを展開できません"),
    ("a part of an open day cannot be read", "集計中の日の一部が読めません"),
    ("unexpected end of the file", "ファイルが途中で終わっています"),
    ("unexpected end of the header", "ヘッダーが途中で終わっています"),
    // Words within sentences.
    ("services", "サービス"),
    ("sources", "送信元"),
    ("countries", "国"),
    ("targets", "内側のホスト"),
];

/// Translates sentences that are joined by `; ` to Japanese. Unknown ones stay English.
pub(super) fn in_japanese(sentences: &str) -> String {
    sentences.split("; ").map(translated).collect::<Vec<_>>().join("；")
}

fn translated(sentence: &str) -> String {
    for (pattern, japanese) in PATTERNS {
        let mut found = Vec::new();
        if !matches(pattern, sentence, &mut found) {
            continue;
        }
        // A part is shorter than the text, so this recursion ends.
        let parts: Vec<String> = found.into_iter().map(translated).collect();
        return filled(japanese, &parts.iter().map(String::as_str).collect::<Vec<_>>());
    }
    sentence.to_string()
}

/// Whether a text matches a pattern: `{}` matches any text, `#` a number. `found` receives the matched parts in order.
fn matches<'a>(pattern: &str, text: &'a str, found: &mut Vec<&'a str>) -> bool {
    let Some(at) = pattern.find(['{', '#']) else { return pattern == text };
    let Some(text) = text.strip_prefix(&pattern[..at]) else { return false };
    let is_number = pattern[at..].starts_with('#');
    let rest = &pattern[at + if is_number { 1 } else { 2 }..];
    let next = &rest[..rest.find(['{', '#']).unwrap_or(rest.len())];
    // The longest match first, since a name can contain the text that follows it.
    let mut ends: Vec<usize> = match next {
        "" => vec![text.len()],
        next => text.rmatch_indices(next).map(|(end, _)| end).collect(),
    };
    ends.retain(|end| *end > 0 && (!is_number || text[..*end].bytes().all(|byte| byte.is_ascii_digit())));
    for end in ends {
        found.push(&text[..end]);
        if matches(rest, &text[end..], found) {
            return true;
        }
        found.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_translated_with_their_parts() {
        for (english, japanese) in [
            (
                "sources with up to 7 attempts can be missing",
                "試行が7回以下の送信元は欠けている可能性があります",
            ),
            (
                "/etc/fwstat/2026-10.fws is damaged: a section is too short; what is readable of it is used",
                "/etc/fwstat/2026-10.fwsは壊れています（セクションが短すぎます）；読める部分を使っています",
            ),
            (
                "rule 'a: b': 12 packets were refused today that are known only as a sum",
                "ルール「a: b」：今日12個のパケットが拒否されました（合計だけが分かります）",
            ),
            (
                "table inet banIP: what is refused there is not counted",
                "テーブルinet banIP：ここで拒否されたものは数えられていません",
            ),
            (
                "of {0} only the whole month is stored, not its days",
                "{0}は月全体の集計のみが保存されており、日ごとの記録はありません",
            ),
            (
                "the input policy of zone a and forwarding from zone a and forwarding from zone b: 2 packets were refused \
                 today that are known only as a sum",
                "ゾーンaの入力ポリシーとゾーンaからの転送とゾーンbからの転送：今日2個のパケットが拒否されました（合計だけが分かります）",
            ),
            ("a sentence of tomorrow", "a sentence of tomorrow"),
            ("", ""),
        ] {
            assert_eq!(in_japanese(english), japanese);
        }
    }

    #[test]
    fn every_place_of_a_sentence_is_in_its_translation() {
        for (pattern, japanese) in PATTERNS {
            let places = pattern.matches("{}").count() + pattern.matches('#').count();
            for number in 0..places {
                assert!(japanese.contains(&format!("{{{number}}}")), "{pattern}");
            }
            assert_eq!(japanese.matches('{').count(), places, "{pattern}");
        }
    }
}
